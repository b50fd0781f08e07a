//! `tenantry serve`: the custom handler that the Functions host starts.

use std::process::ExitCode;

use clap::Args as ClapArgs;

use super::{
    local::{local_settings, refused_in_azure},
    output,
};
use crate::{
    config::Config,
    host,
    local::world::{LocalError, LocalWorld},
};

/// Serve the functions to the Functions host (host.json starts this)
#[derive(Debug, ClapArgs)]
pub(super) struct Args {}

pub(super) async fn run(_args: Args, config: Config) -> ExitCode {
    if let Some(refusal) = refused_in_azure(&config) {
        output::problem(refusal);
        return ExitCode::from(2);
    }
    let listener = match host::bind(config.handler_port).await {
        Ok(listener) => listener,
        Err(error) => {
            output::problem(&format!("127.0.0.1:{} can't be listened on: {error}", config.handler_port));
            return ExitCode::from(2);
        }
    };
    let settings = match local_settings(&config, config.data.clone(), &config.speed) {
        Ok(settings) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| output::problem(problem));
            return ExitCode::from(2);
        }
    };
    let served: Result<(), LocalError> = async {
        let local = LocalWorld::open(settings).await?;
        // Wake-ups of the local world lie in its own queue, which no outside host knows.
        let wake_ups = local.host().await?;
        tracing::info!(port = config.handler_port, world = "local", "serving");
        host::serve(listener, local.routes.clone(), stop_signal()).await?;
        wake_ups.stop().await;
        Ok(())
    }
    .await;
    output::ended(served)
}

/// Ctrl-C, or SIGTERM where there is one.
pub(super) async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
