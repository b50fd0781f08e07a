//! `tenantry serve` without Azure: serves the functions over the local environment.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use azure_sim::CloudError;
use futures_util::future::join;
use tenantry_core::time::saturating_add;
use tokio::sync::oneshot;

use super::super::{
    blueprints, output,
    serve::{listen, stop_signal},
    shutdown::{Starter, refused},
};
use crate::{
    config::Config,
    host::{self, SHUTDOWN_GRACE},
    local::environment::{LocalEnvironment, LocalError, LocalSettings},
    ports::{Clock as _, SystemClock},
};

/// Serves until a signal, or the end of the host, ends the process. Returns the exit code.
pub(in crate::cli) async fn serve(config: &Config, starter: Starter) -> ExitCode {
    if let Some(refusal) = refused_in_azure(config) {
        return refused(&[refusal.to_owned()]).await;
    }
    let listener = match listen(config).await {
        Ok(listener) => listener,
        Err(problem) => return refused(&[problem]).await,
    };
    let settings = match settings(config, config.data.clone(), &config.speed) {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems).await,
    };
    let served: Result<(), LocalError> = async {
        let local = LocalEnvironment::open(settings).await?.healing(&config.heal);
        // Wake-ups of the local environment are in its own queue, which no outside host reads, so an embedded host
        // does.
        let wake_ups = local.host().await?;
        tracing::info!(port = config.handler_port, environment = "local", "serving");
        let (stopping, is_stopping) = oneshot::channel::<()>();
        let ending = starter.shut_down(local.app.clone());
        let served = host::serve(listener, local.app.clone(), async move {
            ending.await;
            drop(stopping);
        });
        // Server and embedded host shut down at the same time, within the same grace period. Work that is still
        // delayed or running afterwards ends as if the process were killed.
        let stopped = async {
            let _ = is_stopping.await;
            end(SHUTDOWN_GRACE, async {
                wake_ups.stop().await;
                local.cloud.flush().await
            })
            .await;
        };
        tokio::select! {
            (served, ()) = join(served, stopped) => Ok(served?),
            () = wait_for_second_signal() => Ok(()),
        }
    }
    .await;
    starter.ended(served).await
}

/// Returns at the second signal to end the process.
async fn wait_for_second_signal() {
    stop_signal().await;
    stop_signal().await;
}

/// Runs the graceful shutdown `orderly` for at most `within`; a further signal ends it at once. Work that is still
/// running then ends as if the process were killed, which is safe.
pub(super) async fn end(within: Duration, orderly: impl Future<Output = Result<(), CloudError>>) {
    tokio::select! {
        ended = orderly => {
            if let Err(error) = ended {
                tracing::warn!(%error, "the last reads of the simulated Azure's journal were not kept");
            }
        }
        () = stop_signal() => output::problem("ended at once; the next start continues from what was saved"),
        () = SystemClock.sleep_until(saturating_add(SystemClock.now(), within)) => {
            output::problem("running work did not end in time; the next start continues it");
        }
    }
}

/// The reason to refuse the local environment, if the process runs on the Azure Functions platform, where the
/// environment's files would be lost; otherwise `None`.
pub(super) fn refused_in_azure(config: &Config) -> Option<&'static str> {
    (config.in_azure && config.azure.is_none()).then_some(
        "this process runs in the Azure Functions platform, where the local environment is refused: its files are deleted with the \
         instance. Set TENANTRY_ENVIRONMENT=azure and the settings for Azure (docs/operating.md)",
    )
}

/// The settings of the local environment, with the checked blueprints. The error lists all problems.
pub(super) fn settings(config: &Config, data: PathBuf, speed: &str) -> Result<LocalSettings, Vec<String>> {
    let bad_speed = |error: CloudError| format!("--speed or TENANTRY_SPEED: {error}");
    match (speed.parse().map_err(bad_speed), blueprints::known(config)) {
        (Ok(speed), Ok(blueprints)) => {
            let (deployment, event_topics) = (config.deployment.clone(), config.event_topics.clone());
            let isolation = config.isolation.clone();
            let adopt_state = false;
            Ok(LocalSettings { data, speed, deployment, blueprints, event_topics, isolation, adopt_state })
        }
        (speed, blueprints) => {
            Err(speed.err().into_iter().chain(blueprints.err().into_iter().flatten()).collect())
        }
    }
}
