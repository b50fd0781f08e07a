//! Puts the local world together: state and queue in one file, the simulated Azure in another, the handler's routes,
//! and the embedded host that drives them over HTTP.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    alarm::QueueAlarm,
    cloud::{Cloud, CloudError, CloudSettings, Speed, access::Access, local_stamp},
    db::{Db, DbError},
    host::{App, AppError, EmbeddedHost, Handler, HostError, HostSettings},
    probe::prober,
    queue::{BrokerSettings, Queue},
    state::LocalState,
};
use crate::{
    azure::{event_grid::EventGrid, wire::HttpWire},
    blueprint::Blueprint,
    config::{DriftClass, Isolation},
    host::{bind, routes::Routes, serve},
    ports::{Clock as _, StoreError, SystemClock, Wire, World},
    runner::Settings,
};

/// How often the local host ticks the sweep.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// What a local world is made of.
#[derive(Debug)]
pub struct LocalSettings {
    /// The folder of its two files.
    pub data: PathBuf,
    /// The simulated Azure's speed.
    pub speed: Speed,
    /// The deployment's name.
    pub deployment: String,
    /// The blueprints; the first is the default.
    pub blueprints: Vec<Blueprint>,
    /// The Event Grid topics from which requests are taken.
    pub event_topics: Vec<String>,
    /// What the proof of isolation goes by.
    pub isolation: Isolation,
}

/// Why a local world can't be made.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The state file.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The simulated Azure.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The state in the file.
    #[error("the state can't be read")]
    Store(#[from] StoreError),
    /// The host's files.
    #[error(transparent)]
    App(#[from] AppError),
    /// The embedded host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A port of this machine.
    #[error("no port of this machine can be listened on")]
    Port(#[from] std::io::Error),
    /// The HTTP client.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
}

/// A local world, without a host that drives it.
pub struct LocalWorld {
    /// What the program asks of its surroundings.
    pub world: World,
    /// The queues.
    pub queue: Queue,
    /// The simulated Azure.
    pub cloud: Cloud,
    /// What the functions do.
    pub routes: Arc<Routes>,
    _cloud_server: AbortOnDrop,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl LocalWorld {
    /// Opens the two files, making them if need be, and starts the simulated Azure on a free port.
    ///
    /// # Errors
    /// [`LocalError`]; most often another tenantry holds the files.
    pub async fn open(settings: LocalSettings) -> Result<Self, LocalError> {
        let clock = SystemClock;
        let db = Db::open(&settings.data.join("state.redb"))?;
        let state = LocalState::open(db.clone()).await?;
        // Nobody else can have the file open, so whoever held a lease is dead.
        let ended = state.end_leases(clock.now()).await?;
        if ended > 0 {
            tracing::info!(leases = ended, "went on after an end without goodbye");
        }
        let queue = Queue::open(db, BrokerSettings::default())?;
        let now = Arc::new(move || clock.now());
        let mut cloud = CloudSettings::new(settings.data.join("azure.redb"), now).speed(settings.speed);
        match Access::least(&settings.blueprints, &[local_stamp()], None) {
            Ok(access) => cloud = cloud.access(access),
            Err(why) => tracing::warn!("the simulated Azure allows everything: {why}"),
        }
        let cloud = Cloud::open(cloud).await?;
        let listener = same_port_as_before(&settings.data.join("azure.port")).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = cloud.clone();
        let cloud_server = AbortOnDrop(tokio::spawn(async move {
            if let Err(error) = server.serve(listener).await {
                tracing::error!(error = %error, "the simulated Azure has stopped");
            }
        }));
        let mut runner_settings = Settings::local(&settings.deployment);
        runner_settings.isolation = settings.isolation;
        runner_settings.policy.visibility = settings.speed.replication_lag() * 2;
        let url = url.parse().map_err(|_| std::io::Error::other("the address is no URL"))?;
        let wire: Arc<dyn Wire> = Arc::new(HttpWire::simulated(&url, runner_settings.request_timeout)?);
        let prober = prober(&cloud, &url, Arc::new(clock), runner_settings.request_timeout)?;
        let world = World {
            store: Arc::new(state),
            wire: Arc::clone(&wire),
            prober: Some(Arc::new(prober)),
            announcer: Arc::new(EventGrid::new(wire)),
            alarm: Arc::new(QueueAlarm::new(queue.clone())),
            clock: Arc::new(clock),
        };
        let process = format!("local-{}", std::process::id());
        let stamps = vec![local_stamp()];
        let routes = Routes::new(world.clone(), runner_settings, settings.blueprints, stamps, process);
        let routes = Arc::new(routes.taking_events_of(settings.event_topics));
        Ok(Self { world, queue, cloud, routes, _cloud_server: cloud_server })
    }

    /// The same, having drift of these classes put right. To be said before anything else holds the functions.
    #[must_use]
    pub fn healing(mut self, heal: &BTreeSet<DriftClass>) -> Self {
        if let Some(routes) = Arc::get_mut(&mut self.routes) {
            routes.scanner.heal(heal);
        }
        self
    }

    /// Starts the embedded host, which drives the functions over HTTP as the real one would.
    ///
    /// # Errors
    /// [`LocalError`] when the handler can't be started.
    pub async fn host(&self) -> Result<EmbeddedHost, LocalError> {
        let routes = Arc::clone(&self.routes);
        let start = Arc::new(move |listener: TcpListener| {
            let routes = Arc::clone(&routes);
            tokio::spawn(async move {
                if let Err(error) = serve(listener, routes, std::future::pending()).await {
                    tracing::error!(error = %error, "the handler has stopped");
                }
            })
        });
        let settings =
            HostSettings { timer_interval: Some(SWEEP_INTERVAL), ..HostSettings::new(App::embedded()?) };
        let clock = Arc::new(|| SystemClock.now());
        Ok(EmbeddedHost::start(settings, Handler::InProcess(start), self.queue.clone(), clock).await?)
    }
}

/// A listener on the port of the last run if it is free: poll URLs that Azure gave out stay good.
async fn same_port_as_before(file: &Path) -> std::io::Result<TcpListener> {
    let before = std::fs::read_to_string(file).ok().and_then(|port| port.trim().parse().ok());
    let listener = match bind(before.unwrap_or(0)).await {
        Ok(listener) => listener,
        Err(_) => bind(0).await?,
    };
    std::fs::write(file, listener.local_addr()?.port().to_string())?;
    Ok(listener)
}
