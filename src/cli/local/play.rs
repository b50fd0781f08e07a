//! `tenantry local`: runs everything in one process, without Azure.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode, time::Duration};

use axum::Router;
use azure_sim::{Cloud, Subscriber, queue::NewMessage};
use clap::Args as ClapArgs;
use tenantry_core::{drift::DriftClass, time::saturating_add};

use super::{
    super::{output, serve::stop_signal},
    progress::Watch,
    serve::{end, refused_in_azure, settings},
};
use crate::{
    azure::service_bus::REQUESTS,
    config::Config,
    host::{SHUTDOWN_GRACE, bind},
    intake,
    local::{
        environment::{LocalEnvironment, LocalError, LocalSettings},
        host::EmbeddedHost,
    },
    ports::{Clock as _, SystemClock},
};

/// Run everything on this machine: queue, state, simulated Azure, host
///
/// With FILES, sends the requests to the queue as a signup app does, shows progress, prints a table once all are
/// settled, and ends. Without FILES, serves until Ctrl-C.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct Args {
    /// Requests, one JSON file each, bare or as a CloudEvent
    files: Vec<PathBuf>,
    /// The folder of the state, which is kept between runs [default: .tenantry]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Continue although the folder's state and simulated Azure do not match, because one of them is missing or an
    /// older copy: every tenant is read again, and tenants without objects in the simulated Azure are deleted
    #[arg(long)]
    adopt_state: bool,
    /// The port of the HTTP functions; 0 takes any free one
    #[arg(long, default_value_t = 7071)]
    port: u16,
    /// The simulated Azure's speed: `max`, or how many times faster than Azure [default: 200]
    #[arg(long)]
    speed: Option<String>,
    /// End when no tenant has anything left to do
    #[arg(long)]
    exit_when_idle: bool,
    /// Continue serving after the table
    #[arg(long, conflicts_with = "exit_when_idle")]
    stay: bool,
    /// Deliver events to this webhook on this machine, as Event Grid does; may be given several times
    #[arg(long, value_name = "URL")]
    subscriber: Vec<Subscriber>,
    /// Deliver each event a second time, after its successor, as Event Grid may
    #[arg(long, requires = "subscriber")]
    repeat_events: bool,
    /// Print JSON, a line per change; the last line of a tenant has its outputs
    #[arg(long)]
    json: bool,
}

/// The interval at which progress is read.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// How many times the program checks, before it ends, whether all events are delivered. A webhook that does not answer
/// gets the others in the next run.
const DELIVERY_CHECKS: u32 = 150;

pub(super) async fn run(args: Args, config: Config) -> ExitCode {
    if let Some(refusal) = refused_in_azure(&config) {
        output::problem(refusal);
        return ExitCode::from(2);
    }
    let data = args.data.clone().unwrap_or_else(|| config.data.clone());
    let speed = args.speed.as_deref().unwrap_or(&config.speed);
    let settings = match settings(&config, data, speed) {
        Ok(settings) => settings,
        Err(problems) => {
            problems.iter().for_each(|problem| output::problem(problem));
            return ExitCode::from(2);
        }
    };
    let mut bodies = Vec::new();
    for file in &args.files {
        match std::fs::read(file) {
            Ok(body) => bodies.push((file.display().to_string(), body)),
            Err(error) => {
                output::problem(&format!("{} can't be read: {error}", file.display()));
                return ExitCode::from(2);
            }
        }
    }
    match play(&args, settings, &config.heal, bodies).await {
        Ok(code) => code,
        Err(error) => {
            output::problem(&output::chain(&error));
            ExitCode::from(2)
        }
    }
}

async fn play(
    args: &Args,
    settings: LocalSettings,
    heal: &BTreeSet<DriftClass>,
    bodies: Vec<(String, Vec<u8>)>,
) -> Result<ExitCode, LocalError> {
    let data = settings.data.display().to_string();
    let speed = settings.speed;
    let settings = LocalSettings { adopt_state: args.adopt_state, ..settings };
    // If folder and port are both in use, as a rule by the same process, the folder is reported, so it is opened first.
    let local = LocalEnvironment::open(settings).await?.healing(heal);
    let listener = bind(args.port).await.inspect_err(|_| {
        output::problem(&format!("port {} is taken; give another one with --port", args.port));
    })?;
    let address = listener.local_addr()?;
    let host = local.host().await?;
    let app: Router = host.router().merge(local.cloud.router());
    let front = tokio::spawn(async move { axum::serve(listener, app).await });
    local.cloud.subscribe(&args.subscriber).await?;
    let deliveries = tokio::spawn(deliver(local.cloud.clone(), args.subscriber.clone(), args.repeat_events));
    if !args.json {
        output::line(&format!(
            "tenantry is at http://{address}, its state in {data}, Azure simulated at speed {speed}"
        ));
    }
    let mut watch = Watch::new(&bodies, &local.app.intake, args.json);
    watch.print_repeats(&local).await?;
    for (_, body) in &bodies {
        enqueue(&local, body).await?;
    }
    let serve_on = args.stay || (args.files.is_empty() && !args.exit_when_idle);
    let finished = tokio::select! {
        finished = until_settled(&local, &host, &mut watch, args.exit_when_idle) => finished?,
        () = stop_signal() => false,
    };
    let code = watch.finish();
    if finished && serve_on {
        stop_signal().await;
    }
    if finished && !serve_on {
        tokio::select! {
            delivered = until_delivered(&local.cloud) => delivered?,
            () = stop_signal() => {}
        }
    }
    deliveries.abort();
    front.abort();
    local.app.reconciler.drain();
    end(SHUTDOWN_GRACE, async {
        host.stop().await;
        local.cloud.flush().await
    })
    .await;
    Ok(if finished { code } else { ExitCode::from(130) })
}

/// Delivers events to subscribers until it is stopped.
async fn deliver(cloud: Cloud, subscribers: Vec<Subscriber>, repeat: bool) {
    if let Err(error) = cloud.deliver(&subscribers, repeat).await {
        tracing::error!(error = %error, "events are no longer delivered");
    }
}

/// Waits until all events have reached their subscribers, for a limited time.
async fn until_delivered(cloud: &Cloud) -> Result<(), LocalError> {
    for _ in 0..DELIVERY_CHECKS {
        if cloud.is_delivered()? {
            return Ok(());
        }
        SystemClock.sleep_until(saturating_add(SystemClock.now(), PROGRESS_INTERVAL)).await;
    }
    output::problem("not every event has reached its subscriber; the rest is delivered in the next run");
    Ok(())
}

/// Sends one message to the request queue as a signup app does, with the tenant's id as session id.
async fn enqueue(local: &LocalEnvironment, body: &[u8]) -> Result<(), LocalError> {
    let session_id =
        intake::read(body, "").map_or_else(|_| "unknown".to_owned(), |read| read.tenant_id.to_string());
    let session_id = Some(session_id);
    let message = NewMessage { session_id, body: body.to_vec(), ..NewMessage::default() };
    local.queue.send(REQUESTS, message, SystemClock.now()).await.map_err(|error| {
        LocalError::Port(std::io::Error::other(format!("a message was not accepted by the queue: {error}")))
    })?;
    Ok(())
}

/// Shows progress until the request of every file is settled and, with `idle`, no tenant has anything left to do.
/// Returns `false` if the host gave up on the handler.
async fn until_settled(
    local: &LocalEnvironment,
    host: &EmbeddedHost,
    watch: &mut Watch,
    idle: bool,
) -> Result<bool, LocalError> {
    loop {
        let settled = watch.update(local).await?;
        let at_rest = !idle || (host.is_idle() && local.state.is_at_rest()?);
        if settled && at_rest {
            return Ok(true);
        }
        if let Some(why) = host.gave_up() {
            output::problem(&format!("the host gave up on the handler: {why}"));
            return Ok(false);
        }
        SystemClock.sleep_until(saturating_add(SystemClock.now(), PROGRESS_INTERVAL)).await;
    }
}
