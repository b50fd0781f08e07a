//! Builds the local environment: state and queue in one file, the simulated Azure in another, the handler's app, and
//! the embedded host that calls it over HTTP.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use azure_sim::{
    Cloud, CloudError, CloudSettings, Speed,
    access::Access,
    db::{Db, DbError},
    local_stamp,
    pairing::{Held, Mark},
    queue::{BrokerSettings, Queue},
};
use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::Blueprint,
    drift::DriftClass,
    engine,
    tenant::{Action, Goal, Tenant},
    time::saturating_add,
};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    clock::SteadyClock,
    folder::{Folder, FolderError},
    host::{AppError, AppFiles, EmbeddedHost, Handler, HostError, HostSettings},
    pair::{self, Contents, Marks, Misfit},
    probe::prober,
    scheduler::QueueScheduler,
    state::LocalState,
};
use crate::{
    app::App,
    azure::{event_grid::EventGrid, transport::HttpTransport},
    config::Isolation,
    host::{bind, serve},
    intake::Catalogue,
    local::access,
    ports::{Clock as _, Listed, Ports, StoreError, Transport},
    reconciler::Settings,
    telemetry::fresh,
};

/// The interval at which the state's number of changes is recorded in the simulated Azure.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// The interval at which the embedded host runs the sweep, instead of each minute.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The settings of a local environment.
#[derive(Debug)]
pub struct LocalSettings {
    /// The folder of the state file and of the simulated Azure's file.
    pub data: PathBuf,
    /// The simulated Azure's speed.
    pub speed: Speed,
    /// The deployment's name.
    pub deployment: String,
    /// The blueprints; the first is the default.
    pub blueprints: Vec<Blueprint>,
    /// The Event Grid topics from which requests are taken.
    pub event_topics: Vec<String>,
    /// The settings of the isolation check.
    pub isolation: Isolation,
    /// Whether to continue if the state and the simulated Azure do not match. Every tenant is then read again, and
    /// tenants without objects in the simulated Azure are deprovisioned.
    pub adopt_state: bool,
}

/// Why a local environment can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The state file and the simulated Azure's file do not match.
    #[error(
        "{} ({folder}): put the right copy back, or continue with `tenantry local --adopt-state`, which reads every tenant \
         again and deletes those of which nothing exists, or give an empty folder with --data",
        misfit.sentence()
    )]
    Misfit {
        /// The path of the folder with both files.
        folder: String,
        /// How the files do not match.
        misfit: Misfit,
    },
    /// The state file can't be opened.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The simulated Azure can't be opened, or its file fails.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The state can't be read or saved.
    #[error("the state can't be read")]
    Store(#[from] StoreError),
    /// A file of the app, such as `host.json`, is invalid.
    #[error(transparent)]
    App(#[from] AppError),
    /// The embedded host did not start.
    #[error(transparent)]
    Host(#[from] HostError),
    /// No port of this machine can be listened on.
    #[error("no port of this machine can be listened on")]
    Port(#[from] std::io::Error),
    /// No HTTP client can be built.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
}

/// A local environment. [`LocalEnvironment::host`] starts the host that calls its functions.
pub struct LocalEnvironment {
    /// The interfaces to everything outside.
    pub ports: Ports,
    /// The state, of which [`Self::ports`] knows only the interface.
    pub state: LocalState,
    /// The queues.
    pub queue: Queue,
    /// The simulated Azure.
    pub cloud: Cloud,
    /// The functions, without a host that calls them.
    pub app: Arc<App>,
    /// The clock that all parts of the environment use.
    pub clock: Arc<SteadyClock>,
    _cloud_server: AbortOnDrop,
    _marker: AbortOnDrop,
    /// The lock on the folder: the last field, so that it is dropped last.
    _folder: Folder,
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl LocalEnvironment {
    /// Opens the two files, creating them if necessary, and starts the simulated Azure on a free port.
    ///
    /// # Errors
    /// [`LocalError`]; usually because another tenantry holds the files.
    pub async fn open(settings: LocalSettings) -> Result<Self, LocalError> {
        let folder = Folder::hold(&settings.data)?;
        let db = Db::open(&settings.data.join("state.redb"))?;
        let state = LocalState::open(db.clone()).await?;
        let clock = Arc::new(SteadyClock::new(state.latest()?));
        // No other process can have the file open, so the holders of all leases have ended.
        let ended = state.end_leases(clock.now()).await?;
        if ended > 0 {
            tracing::info!(leases = ended, "the last process was killed; its leases are ended");
        }
        let queue = Queue::open(db, BrokerSettings::default())?;
        let now: Arc<dyn Fn() -> Timestamp + Send + Sync> = {
            let clock = Arc::clone(&clock);
            Arc::new(move || clock.now())
        };
        let mut cloud = CloudSettings::new(settings.data.join("azure.redb"), now).speed(settings.speed);
        match least(&state, &settings.blueprints).await? {
            Ok(access) => cloud = cloud.access(access),
            Err(why) => tracing::warn!("the simulated Azure allows everything: {why}"),
        }
        let cloud = Cloud::open(cloud).await?;
        let fitted = fit(&state, &cloud, &settings).await?;
        let listener = same_port_as_before(&settings.data.join("azure.port")).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = cloud.clone();
        let cloud_server = AbortOnDrop(tokio::spawn(async move {
            if let Err(error) = server.serve(listener).await {
                tracing::error!(error = %error, "the simulated Azure has stopped");
            }
        }));
        let mut reconciler_settings = Settings::local(&settings.deployment);
        reconciler_settings.isolation = settings.isolation;
        reconciler_settings.policy.visibility = settings.speed.replication_lag() * 2;
        let url = url.parse().map_err(|_| std::io::Error::other("the address is no URL"))?;
        let transport: Arc<dyn Transport> =
            Arc::new(HttpTransport::simulated(&url, reconciler_settings.request_timeout)?);
        let prober = prober(&cloud, &url, clock.clone(), reconciler_settings.request_timeout)?;
        let ports = Ports {
            store: Arc::new(state.clone()),
            transport: Arc::clone(&transport),
            prober: Some(Arc::new(prober)),
            publisher: Arc::new(EventGrid::new(transport)),
            scheduler: Arc::new(QueueScheduler::new(queue.clone(), clock.clone())),
            clock: clock.clone(),
        };
        let process = format!("local-{}", std::process::id());
        let stamps = vec![local_stamp()];
        let app = App::new(ports.clone(), reconciler_settings, settings.blueprints, stamps, process);
        let app = Arc::new(app.taking_events_of(settings.event_topics));
        if let Some(held) = fitted.adopt {
            adopt(&app, &fitted.mark, &held).await?;
        }
        let marker =
            AbortOnDrop(tokio::spawn(keep_marked(state.clone(), cloud.clone(), fitted.mark, clock.clone())));
        Ok(Self {
            ports,
            state,
            queue,
            cloud,
            app,
            clock,
            _cloud_server: cloud_server,
            _marker: marker,
            _folder: folder,
        })
    }

    /// Sets the classes of drift that are repaired automatically. Call it before `app` is cloned: afterwards it has no
    /// effect.
    #[must_use]
    pub fn healing(mut self, heal: &BTreeSet<DriftClass>) -> Self {
        if let Some(app) = Arc::get_mut(&mut self.app) {
            app.drift_scanner.heal(heal);
        }
        self
    }

    /// Starts the embedded host, which calls the functions over HTTP as the real one would.
    ///
    /// # Errors
    /// [`LocalError`] if an app file is invalid or the handler can't be started.
    pub async fn host(&self) -> Result<EmbeddedHost, LocalError> {
        let app = Arc::clone(&self.app);
        let start = Arc::new(move |listener: TcpListener| {
            let app = Arc::clone(&app);
            tokio::spawn(async move {
                if let Err(error) = serve(listener, app, std::future::pending()).await {
                    tracing::error!(error = %error, "the handler has stopped");
                }
            })
        });
        let settings =
            HostSettings { timer_interval: Some(SWEEP_INTERVAL), ..HostSettings::new(AppFiles::embedded()?) };
        let clock = Arc::clone(&self.clock);
        let clock = Arc::new(move || clock.now());
        Ok(EmbeddedHost::start(settings, Handler::InProcess(start), self.queue.clone(), clock).await?)
    }
}

/// The result of comparing the marks of the state file and of the simulated Azure's file.
struct Fitted {
    /// The new mark, which both files have now.
    mark: Mark,
    /// If the files do not match and the state is adopted: the tenants of which the simulated Azure has objects.
    adopt: Option<Held>,
}

/// Compares the marks of the state file and of the simulated Azure's file, and writes the next mark to both. Marks that
/// do not match are an error, unless the settings adopt the state.
async fn fit(state: &LocalState, cloud: &Cloud, settings: &LocalSettings) -> Result<Fitted, LocalError> {
    let marks = Marks { state: state.mark()?, azure: cloud.mark()? };
    let contents =
        || Ok::<_, LocalError>(Contents { has_tenants: state.has_tenants()?, held: cloud.held()? });
    let misfit = marks.misfit(contents)?;
    if let Some(misfit) = misfit.filter(|_| !settings.adopt_state) {
        return Err(LocalError::Misfit { folder: settings.data.display().to_string(), misfit });
    }
    let mark = marks.next(misfit, || fresh().simple().to_string());
    state.keep_mark(&mark).await?;
    cloud.keep_mark(&mark).await?;
    Ok(Fitted { mark, adopt: misfit.map(|_| cloud.held()).transpose()? })
}

/// Requests a reconcile of every tenant, or its deprovisioning if the simulated Azure has no object of it. Sets the
/// tenant's status to that of running work, because the recorded status may be wrong.
async fn adopt(app: &App, mark: &Mark, held: &Held) -> Result<(), StoreError> {
    let (store, mut known, mut after) = (&app.ports.store, Held::new(), None);
    loop {
        let rows = store.list(after.as_ref(), 100).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id().clone());
        for tenant in Listed::sorted_out(rows).0.into_iter().filter(|tenant| tenant.goal == Goal::Present) {
            let id = &tenant.id;
            known.insert((id.to_string(), tenant.incarnation));
            let deleted = pair::is_deleted(held, id, tenant.incarnation);
            let action = if deleted { Action::Deprovision } else { Action::Reconcile };
            let request = json!({
                "schema": "tenantry.request/1", "requestId": format!("adopt-{}-{id}", mark.pair),
                "action": action, "tenantId": id,
            });
            let _ = app.intake.take_in(request.to_string().as_bytes()).await?;
            let at_work = |tenant: &mut Tenant| {
                tenant.status = engine::working(action, tenant.goal);
                Some(())
            };
            store.update(id, at_work).await?;
            tracing::warn!(tenant.id = %id, action = action.as_str(), "the state does not match the simulated Azure; the tenant is read again");
        }
    }
    for (tenant, incarnation) in held.difference(&known) {
        tracing::warn!(
            tenant.id = tenant,
            incarnation,
            "the simulated Azure has objects of a tenant that is unknown to the state; sign it up again to take them over"
        );
    }
    Ok(())
}

/// Records every second in the simulated Azure how many changes the state has, so that an older copy is detected.
async fn keep_marked(state: LocalState, cloud: Cloud, mut mark: Mark, clock: Arc<SteadyClock>) {
    loop {
        clock.sleep_until(saturating_add(clock.now(), MARK_INTERVAL)).await;
        let changes = state.changes().unwrap_or(mark.changes);
        if changes > mark.changes && cloud.keep_mark(&Mark { changes, ..mark.clone() }).await.is_ok() {
            mark.changes = changes;
        }
    }
}

/// The permissions of the identities in the simulated Azure: the least that the offered blueprints and those of the
/// tenants need. The inner error is a message about what can't be derived.
async fn least(state: &LocalState, offered: &[Blueprint]) -> Result<Result<Access, String>, StoreError> {
    let stamps = [local_stamp()];
    let in_use = Catalogue::new(offered.to_vec()).in_use(state, &stamps).await?;
    let placed: Vec<_> = in_use
        .into_iter()
        .filter_map(|one| Some((Blueprint::clone(one.blueprint.ok()?.as_ref()), one.stamps)))
        .collect();
    Ok(access::least_placed(&placed, &stamps))
}

/// A listener on the port of the last run if it is free, so that Azure's poll URLs stay valid.
async fn same_port_as_before(file: &Path) -> std::io::Result<TcpListener> {
    let before = std::fs::read_to_string(file).ok().and_then(|port| port.trim().parse().ok());
    let listener = match bind(before.unwrap_or(0)).await {
        Ok(listener) => listener,
        Err(_) => bind(0).await?,
    };
    std::fs::write(file, listener.local_addr()?.port().to_string())?;
    Ok(listener)
}
