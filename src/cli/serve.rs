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
    time::later,
};
use tokio::net::TcpListener;

use super::{
    blueprints,
    farewell::{Starter, refused},
    local, output,
};
use crate::{
    app::App,
    azure::{
        rights::{Finding, held},
        world::{self as azure, AzureError},
    },
    config::{AzureConfig, Config, WakeUps},
    host,
    intake::InUse,
    ports::{Clock, SystemClock, World},
    reconciler::Settings,
    telemetry::fresh,
};

/// Serve the functions to the Functions host (host.json starts this)
#[derive(Debug, ClapArgs)]
pub(super) struct Args {}

pub(super) async fn run(_args: Args, config: Config) -> ExitCode {
    let starter = Starter::of(&config);
    match &config.azure {
        Some(azure) => in_azure(&config, azure, starter).await,
        None => local::serve(&config, starter).await,
    }
}

/// The port that the host calls, taken until the process is gone. A host whose call is refused gives the message back
/// and gets it again at once, ten times within a tenth of a second; a call that is made while this process ends waits
/// and fails once, with its end.
static KEPT: OnceLock<std::net::TcpListener> = OnceLock::new();

/// Takes the port that the host calls; otherwise this is what to say.
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
        let world = azure::open(azure, Arc::new(SystemClock), azure.request_timeout)?;
        let settings = Settings::azure(&config.deployment).with_request_timeout(azure.request_timeout);
        let overdue = match azure.wake_ups {
            WakeUps::Queue => settings.overdue,
            // Nobody else wakes anybody.
            WakeUps::Sweep => Duration::ZERO,
        };
        let isolation = config.isolation.clone();
        let mut settings = Settings { budget: azure.patience, overdue, isolation, ..settings };
        if let Some(visibility) = local::visibility(azure) {
            settings.policy.visibility = visibility;
        }
        tokio::spawn(look_at_state(world.clone()));
        let process = format!("azure-{}", fresh().simple());
        let app = App::new(world, settings, blueprints, azure.stamps.clone(), process)
            .healing(&config.heal)
            .taking_events_of(config.event_topics.clone());
        let app = Arc::new(app);
        tokio::spawn(look_at_rights(azure.clone(), Arc::clone(&app)));
        tracing::info!(port = config.handler_port, world = "azure", "serving");
        Ok(host::serve(listener, app.clone(), starter.told_to_end(app)).await?)
    }
    .await;
    starter.ended(served).await
}

/// Says early what the first message would find out. It ends nothing: the state may only be away for a moment, and what
/// can't be saved comes again.
async fn look_at_state(world: World) {
    if let Err(error) = world.store.due(world.clock.now(), 1).await {
        tracing::error!(error = %error, "the state can't be read: see TENANTRY_TABLES and the identity's roles");
    }
}

/// How long it takes at most until Azure knows of a new assignment everywhere, so that asking again is worth it.
const RIGHTS_LAG: Duration = Duration::from_secs(600);

/// Says what the identities lack and what they hold too much. It ends nothing: messages that are taken in are kept, tenants
/// that lack a right stop with its name and can be retried, while a handler that ended would let the host give the
/// messages up. It comes again until nothing is missing.
async fn look_at_rights(azure: AzureConfig, app: Arc<App>) {
    let clock = &app.world.clock;
    loop {
        let (in_use, whole) = in_use(&azure, &app).await;
        if let Some((permissions, stamps)) = needed(&azure, in_use) {
            let azure = AzureConfig { stamps, ..azure.clone() };
            if enough(&azure, clock, &permissions).await && whole {
                return;
            }
        }
        clock.sleep_until(later(clock.now(), RIGHTS_LAG)).await;
    }
}

/// What is offered and what tenants are made of, and whether that is all; only what is offered while the state is away.
async fn in_use(azure: &AzureConfig, app: &App) -> (Vec<InUse>, bool) {
    let catalogue = app.intake.catalogue();
    match catalogue.in_use(app.world.store.as_ref(), &azure.stamps).await {
        Ok(in_use) => (in_use, true),
        Err(error) => {
            tracing::warn!(error = %error, "what tenants are made of is not known: rights are compared for what is offered");
            (catalogue.all_offered(&azure.stamps), false)
        }
    }
}

/// What is needed for that, and in which stamps. A blueprint that can't be had is told.
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
                tracing::error!(why, "a blueprint that tenants are made of can't be had");
            }
        }
    }
    match derive_placed(&placed, &[]) {
        Ok(permissions) => Some((permissions, stamps)),
        Err(faults) => {
            let why: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
            tracing::warn!(why = why.join("; "), "the rights that are needed can't be derived");
            None
        }
    }
}

/// Whether nothing is missing, as far as can be told.
async fn enough(azure: &AzureConfig, clock: &Arc<dyn Clock>, permissions: &Permissions) -> bool {
    let findings = match held(azure, clock, azure.request_timeout, permissions).await {
        Ok(findings) => findings,
        Err(error) => {
            tracing::error!(error = output::chain(&error), "the rights that are held can't be asked for");
            return false;
        }
    };
    let mut enough = true;
    for Finding { identity, place, comparison } in findings {
        match comparison {
            Err(failure) => {
                tracing::warn!(identity, place, error = %failure, "the rights that are held can't be compared");
            }
            Ok(RoleComparison { missing, excess }) => {
                for action in missing {
                    enough = false;
                    tracing::error!(
                        identity,
                        place,
                        action,
                        "a right is missing: see `tenantry permissions`"
                    );
                }
                for action in excess {
                    tracing::warn!(identity, place, action, "a right is held that is not needed");
                }
            }
        }
    }
    enough
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
