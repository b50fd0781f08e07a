//! `tenantry serve`: the custom handler that the Functions host starts.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Args as ClapArgs;

use tokio::net::TcpListener;

use super::{
    local::{blueprints, local_settings, refused_in_azure},
    output,
};
use crate::{
    azure::world::{self as azure, AzureError},
    config::{AzureConfig, Config, WakeUps},
    host::{self, routes::Routes},
    local::{
        cloud::Speed,
        world::{LocalError, LocalWorld},
    },
    ports::{SystemClock, World},
    runner::Settings,
    telemetry::fresh,
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
    match &config.azure {
        Some(azure) => in_azure(listener, &config, azure).await,
        None => on_this_machine(listener, &config).await,
    }
}

async fn in_azure(listener: TcpListener, config: &Config, azure: &AzureConfig) -> ExitCode {
    let blueprints = match blueprints(config) {
        Ok(blueprints) => blueprints,
        Err(problems) => return refused(&problems),
    };
    let served: Result<(), AzureError> = async {
        let world = azure::open(azure, Arc::new(SystemClock), azure.request_timeout)?;
        let settings = Settings::azure(&config.deployment).with_request_timeout(azure.request_timeout);
        let overdue = match azure.wake_ups {
            WakeUps::Queue => settings.overdue,
            // Nobody else wakes anybody.
            WakeUps::Sweep => Duration::ZERO,
        };
        let mut settings = Settings { budget: azure.patience, overdue, ..settings };
        if let Some(Ok(speed)) = azure.stand_in_speed.as_ref().map(|speed| speed.parse::<Speed>()) {
            settings.policy.visibility = speed.replication_lag() * 2;
        }
        tokio::spawn(look_at_state(world.clone()));
        let process = format!("azure-{}", fresh().simple());
        let routes = Arc::new(Routes::new(world, settings, blueprints, azure.stamps.clone(), process));
        tracing::info!(port = config.handler_port, world = "azure", "serving");
        Ok(host::serve(listener, routes.clone(), told_to_end(routes)).await?)
    }
    .await;
    output::ended(served)
}

/// Says early what the first message would find out. It ends nothing: the state may only be away for a moment, and what
/// can't be saved comes again.
async fn look_at_state(world: World) {
    if let Err(error) = world.store.due(world.clock.now(), 1).await {
        tracing::error!(error = %error, "the state can't be read: see TENANTRY_TABLES and the identity's roles");
    }
}

async fn on_this_machine(listener: TcpListener, config: &Config) -> ExitCode {
    let settings = match local_settings(config, config.data.clone(), &config.speed) {
        Ok(settings) => settings,
        Err(problems) => return refused(&problems),
    };
    let served: Result<(), LocalError> = async {
        let local = LocalWorld::open(settings).await?;
        // Wake-ups of the local world lie in its own queue, which no outside host knows.
        let wake_ups = local.host().await?;
        tracing::info!(port = config.handler_port, world = "local", "serving");
        host::serve(listener, local.routes.clone(), told_to_end(local.routes.clone())).await?;
        wake_ups.stop().await;
        Ok(())
    }
    .await;
    output::ended(served)
}

/// Waits for the end, and has the drives that are under way come to one.
async fn told_to_end(routes: Arc<Routes>) {
    stop_signal().await;
    tracing::info!("told to end");
    routes.runner.wind_down();
}

fn refused(problems: &[String]) -> ExitCode {
    problems.iter().for_each(|problem| output::problem(problem));
    ExitCode::from(2)
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
