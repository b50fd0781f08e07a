//! `tenantry serve`: the custom handler that the Functions host starts.

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clap::Args as ClapArgs;
use serde_json::Value;
use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef},
    permissions::{Permissions, RoleComparison, derive_placed},
    time::saturating_add,
};
use tokio::net::TcpListener;

use super::{
    blueprints, local, output,
    shutdown::{Starter, refused},
};
use crate::{
    app::App,
    azure::{
        ports::{self as azure, AzureError},
        rights::{Finding, held},
    },
    config::{AzureConfig, Config, WakeUps},
    host,
    intake::InUse,
    ports::{Clock, Ports, SystemClock},
    reconciler::Settings,
    telemetry::fresh,
};

/// Serve the functions to the Functions host, which starts this command
#[derive(Debug, ClapArgs)]
pub(super) struct Args {}

pub(super) async fn run(_args: Args, config: Config) -> ExitCode {
    let starter = Starter::of(&config);
    match &config.azure {
        Some(azure) => in_azure(&config, azure, starter).await,
        None => local::serve(&config, starter).await,
    }
}

/// A copy of the listener that the host calls, so that the port stays open until the process ends. If a call were
/// refused, the host would return the message to its queue and get it again at once, ten times within a tenth of a
/// second. With an open port, a call that arrives during the shutdown waits, and fails once when the process ends.
static KEPT: OnceLock<std::net::TcpListener> = OnceLock::new();

/// Binds the port that the host calls; the error is the text to print.
pub(super) async fn listen(config: &Config) -> Result<TcpListener, String> {
    let port = config.handler_port;
    let listen = async {
        let listener = host::bind(port).await?.into_std()?;
        if let Ok(kept) = listener.try_clone() {
            let _ = KEPT.set(kept);
        }
        TcpListener::from_std(listener)
    };
    let taken: std::io::Result<TcpListener> = listen.await;
    taken.map_err(|error| format!("127.0.0.1:{port} can't be listened on: {error}"))
}

async fn in_azure(config: &Config, azure: &AzureConfig, starter: Starter) -> ExitCode {
    let listener = match listen(config).await {
        Ok(listener) => listener,
        Err(problem) => return refused(&[problem]).await,
    };
    let blueprints = match blueprints::known(config) {
        Ok(blueprints) => blueprints,
        Err(problems) => return refused(&problems).await,
    };
    let served: Result<(), AzureError> = async {
        let ports = azure::open(azure, Arc::new(SystemClock), azure.request_timeout)?;
        let settings = Settings::azure(&config.deployment).with_request_timeout(azure.request_timeout);
        let overdue = match azure.wake_ups {
            WakeUps::Queue => settings.overdue,
            // There are no wake-up messages that the sweep would have to wait for.
            WakeUps::Sweep => Duration::ZERO,
        };
        let isolation = config.isolation.clone();
        let mut settings = Settings { budget: azure.inline_wait, overdue, isolation, ..settings };
        if let Some(visibility) = local::visibility(azure) {
            settings.policy.visibility = visibility;
        }
        tokio::spawn(check_state(ports.clone()));
        let process = format!("azure-{}", fresh().simple());
        let app = App::new(ports, settings, blueprints, azure.stamps.clone(), process)
            .healing(&config.heal)
            .taking_events_of(config.event_topics.clone());
        let app = Arc::new(app);
        tokio::spawn(check_permissions(azure.clone(), Arc::clone(&app)));
        tracing::info!(port = config.handler_port, environment = "azure", "serving");
        Ok(host::serve(listener, app.clone(), starter.shut_down(app)).await?)
    }
    .await;
    starter.ended(served).await
}

/// Logs at the start if the state can't be read. The program continues: the state may be unavailable only for a moment,
/// and messages that can't be saved are delivered again.
async fn check_state(ports: Ports) {
    if let Err(error) = ports.store.due(ports.clock.now(), 1).await {
        tracing::error!(error = %error, "the state can't be read: see TENANTRY_TABLES and the identity's roles");
    }
}

/// The interval at which the check of permissions is repeated: the longest time that Azure takes to apply a new role
/// assignment everywhere.
const RIGHTS_LAG: Duration = Duration::from_secs(600);

/// Logs missing and superfluous permissions, and repeats the check until nothing is missing. The program continues:
/// accepted messages are kept, and tenants that lack a permission are blocked with its name and can be retried. Without
/// a handler the host would dead-letter the messages.
async fn check_permissions(azure: AzureConfig, app: Arc<App>) {
    let clock = &app.ports.clock;
    loop {
        let (in_use, whole) = in_use(&azure, &app).await;
        if let Some((permissions, stamps)) = needed(&azure, in_use) {
            let azure = AzureConfig { stamps, ..azure.clone() };
            if enough(&azure, clock, &permissions).await && whole {
                return;
            }
        }
        clock.sleep_until(saturating_add(clock.now(), RIGHTS_LAG)).await;
    }
}

/// The blueprints that are offered and in use, and whether the list is complete; only the offered ones while the state
/// is unavailable.
async fn in_use(azure: &AzureConfig, app: &App) -> (Vec<InUse>, bool) {
    let catalogue = app.intake.catalogue();
    match catalogue.in_use(app.ports.store.as_ref(), &azure.stamps).await {
        Ok(in_use) => (in_use, true),
        Err(error) => {
            tracing::warn!(error = %error, "the tenants' blueprints are unknown: permissions are compared for the offered ones");
            (catalogue.all_offered(&azure.stamps), false)
        }
    }
}

/// The permissions that the blueprints require, and the stamps that they are for; `None` if the permissions can't be
/// derived. A blueprint that is not available is logged.
fn needed(azure: &AzureConfig, in_use: Vec<InUse>) -> Option<(Permissions, Vec<Value>)> {
    let (mut placed, mut stamps) = (Vec::new(), azure.stamps.clone());
    for InUse { reference, stamps: of, blueprint, tenants, .. } in in_use {
        for stamp in &of {
            if !stamps.contains(stamp) {
                stamps.push(stamp.clone());
            }
        }
        match blueprint {
            Ok(blueprint) => placed.push((Blueprint::clone(&blueprint), of)),
            Err(why) => {
                let BlueprintRef { name, version, digest } = reference;
                let why = format!("{name} {version} ({digest}), in use by {tenants} tenants: {why}");
                tracing::error!(why, "a blueprint of tenants is not available");
            }
        }
    }
    match derive_placed(&placed, &[]) {
        Ok(permissions) => Some((permissions, stamps)),
        Err(faults) => {
            let why: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
            tracing::warn!(why = why.join("; "), "the required permissions can't be derived");
            None
        }
    }
}

/// Compares the permissions that the identities hold with the required ones and logs the differences. Returns whether
/// no permission is known to be missing.
async fn enough(azure: &AzureConfig, clock: &Arc<dyn Clock>, permissions: &Permissions) -> bool {
    let findings = match held(azure, clock, azure.request_timeout, permissions).await {
        Ok(findings) => findings,
        Err(error) => {
            tracing::error!(error = output::chain(&error), "the permissions that are held can't be read");
            return false;
        }
    };
    let mut enough = true;
    for Finding { identity, location, comparison } in findings {
        match comparison {
            Err(failure) => {
                tracing::warn!(identity, location, error = %failure, "the permissions that are held can't be compared");
            }
            Ok(RoleComparison { missing, excess }) => {
                for action in missing {
                    enough = false;
                    tracing::error!(
                        identity,
                        location,
                        action,
                        "a permission is missing: see `tenantry permissions`"
                    );
                }
                for action in excess {
                    tracing::warn!(identity, location, action, "a permission is held that is not needed");
                }
            }
        }
    }
    enough
}

/// Waits for Ctrl-C or, on Unix, for SIGTERM.
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
