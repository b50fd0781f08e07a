//! `tenantry serve` where no Azure is set: the functions over the local world.

use std::{path::PathBuf, process::ExitCode};

use futures_util::future::join;
use tokio::sync::oneshot;

use super::super::{
    blueprints,
    farewell::{Starter, refused},
    serve::listen,
};
use crate::{
    config::Config,
    host::{self, server::FAREWELL},
    local::{
        cloud::CloudError,
        world::{LocalError, LocalSettings, LocalWorld},
    },
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
        let ending = starter.told_to_end(local.routes.clone());
        let served = host::serve(listener, local.routes.clone(), async move {
            ending.await;
            drop(told);
        });
        // Both have the same time: what is still kept back or at work then is left as by a kill.
        let stopped = async {
            let _ = was_told.await;
            let _ = tokio::time::timeout(FAREWELL, wake_ups.stop()).await;
        };
        Ok(join(served, stopped).await.0?)
    }
    .await;
    starter.ended(served).await
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
            Ok(LocalSettings { data, speed, deployment, blueprints, event_topics, isolation })
        }
        (speed, blueprints) => {
            Err(speed.err().into_iter().chain(blueprints.err().into_iter().flatten()).collect())
        }
    }
}
