//! `tenantry serve` where no Azure is set: the functions over the local world.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use azure_sim::CloudError;
use futures_util::future::join;
use tenantry_core::time::later;
use tokio::sync::oneshot;

use super::super::{
    blueprints,
    farewell::{Starter, refused},
    output,
    serve::{listen, stop_signal},
};
use crate::{
    config::Config,
    host::{self, FAREWELL},
    local::world::{LocalError, LocalSettings, LocalWorld},
    ports::{Clock as _, SystemClock},
};

/// Serves until it is told to end.
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
        let local = LocalWorld::open(settings).await?.healing(&config.heal);
        // Wake-ups of the local world lie in its own queue, which no outside host knows.
        let wake_ups = local.host().await?;
        tracing::info!(port = config.handler_port, world = "local", "serving");
        let (told, was_told) = oneshot::channel::<()>();
        let ending = starter.told_to_end(local.app.clone());
        let served = host::serve(listener, local.app.clone(), async move {
            ending.await;
            drop(told);
        });
        // Both have the same time: what is still kept back or at work then is left as by a kill.
        let stopped = async {
            let _ = was_told.await;
            end(FAREWELL, async {
                wake_ups.stop().await;
                local.cloud.flush().await
            })
            .await;
        };
        tokio::select! {
            (served, ()) = join(served, stopped) => Ok(served?),
            () = told_twice() => Ok(()),
        }
    }
    .await;
    starter.ended(served).await
}

/// Returns when the process is told to end a second time.
async fn told_twice() {
    stop_signal().await;
    stop_signal().await;
}

/// Ends in good order, but in so much time, and at once when it is told to end a second time. What is still under way then
/// ends as if the process had been killed, which everything here survives.
pub(super) async fn end(within: Duration, orderly: impl Future<Output = Result<(), CloudError>>) {
    tokio::select! {
        ended = orderly => {
            if let Err(error) = ended {
                tracing::warn!(%error, "the last reads of the simulated Azure's journal were not kept");
            }
        }
        () = stop_signal() => output::problem("ended at once; the next start goes on from what was saved"),
        () = SystemClock.sleep_until(later(SystemClock.now(), within)) => {
            output::problem("what was under way did not come to its end in time; the next start goes on with it");
        }
    }
}

/// A local world is for laptops; in the Functions platform it would lose what it is told.
pub(super) fn refused_in_azure(config: &Config) -> Option<&'static str> {
    (config.in_azure && config.azure.is_none()).then_some(
        "this process runs in the Azure Functions platform, where the local world is refused: its files go with the \
         instance. Set TENANTRY_WORLD=azure and the settings of the Azure world (docs/operating.md)",
    )
}

/// The local world's settings, with all blueprints checked.
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
