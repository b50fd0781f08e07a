//! The reconciler over a simulated Azure, without a host, with a clock that jumps instead of waiting: hours pass in
//! milliseconds.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_sim::{Cloud, CloudSettings, Speed, access::Access, db::Db, local_stamp};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    azure::transport::HttpTransport,
    intake::{Intake, Stamp},
    local::{probe::prober, state::LocalState},
    ports::{Clock, Ports, Publisher, Scheduler, StateStore, Transport},
};
use tenantry_core::{blueprint::Blueprint, ids::TenantId, steps::Failure, tenant::CloudEvent};
use tokio::{net::TcpListener, task::JoinHandle};

/// A clock that moves only when something waits for it.
pub(crate) struct Jumping(Mutex<Timestamp>);

impl Jumping {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-11-22T17:00:00Z".parse().unwrap())))
    }

    pub(crate) fn jump_to(&self, at: Timestamp) {
        let mut now = self.0.lock().unwrap();
        *now = at.max(*now);
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.jump_to(self.now() + span);
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Leaves a moment of real time for answers that are under way.
            let _ = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
            self.jump_to(at);
        })
    }
}

/// Subscribers that keep all events that are published to them.
#[derive(Default)]
pub(crate) struct Subscribers(Mutex<Vec<Value>>);

impl Subscribers {
    pub(crate) fn published(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

impl Publisher for Subscribers {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        self.0.lock().unwrap().extend(events.iter().map(|event| json!(event)));
        Box::pin(async { Ok(()) })
    }
}

/// A scheduler that loses all wake-ups: the tests start the passes themselves.
struct LostWakeUps;

impl Scheduler for LostWakeUps {
    fn schedule<'a>(&'a self, _: &'a TenantId, _: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct Fixture {
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<Jumping>,
    pub(crate) subscribers: Arc<Subscribers>,
    base: String,
    client: reqwest::Client,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fixture {
    pub(crate) async fn new(speed: Speed) -> Self {
        Self::with(speed, None).await
    }

    /// A fixture whose simulated Azure permits only what `access` grants.
    pub(crate) async fn guarded(speed: Speed, access: Access) -> Self {
        Self::with(speed, Some(access)).await
    }

    async fn with(speed: Speed, access: Option<Access>) -> Self {
        let folder = super::folder();
        let clock = Jumping::new();
        let now = Arc::clone(&clock);
        let settings = CloudSettings::new(folder.path().join("azure.redb"), Arc::new(move || now.now()));
        let settings = CloudSettings { access, ..settings.speed(speed) };
        let cloud = Cloud::open(settings).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let prober = prober(&cloud, &base.parse().unwrap(), clock.clone(), Duration::from_secs(30)).unwrap();
        let server = tokio::spawn(async move { cloud.serve(listener).await.unwrap() });
        let transport = HttpTransport::simulated(&base.parse().unwrap(), Duration::from_secs(30)).unwrap();
        let transport: Arc<dyn Transport> = Arc::new(transport);
        let db = Db::open(&folder.path().join("state.redb")).unwrap();
        let store: Arc<dyn StateStore> = Arc::new(LocalState::open(db).await.unwrap());
        let subscribers = Arc::<Subscribers>::default();
        let ports = Ports {
            store,
            transport,
            prober: Some(Arc::new(prober)),
            publisher: subscribers.clone(),
            scheduler: Arc::new(LostWakeUps),
            clock: clock.clone(),
        };
        Self { ports, clock, subscribers, base, client: crate::testkit::client(), server, _folder: folder }
    }

    /// An intake that uses these ports and has one blueprint.
    pub(crate) fn intake(ports: &Ports, blueprint: &Blueprint) -> Intake {
        let stamps = vec![Stamp { value: local_stamp() }];
        Intake::new(ports.clone(), "local", vec![blueprint.clone()], stamps)
    }

    /// The URL of the simulated Azure.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Reads from the test API of the simulated Azure.
    pub(crate) async fn sim(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}/_sim/{path}", self.base)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}
