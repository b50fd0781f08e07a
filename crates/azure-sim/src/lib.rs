//! The simulated Azure: Resource Manager, Microsoft Graph, an Event Grid topic, a Service Bus namespace and the
//! platform's identity behind one loopback port.
//!
//! It answers what Azure answers and refuses what Azure refuses, over HTTP, so that the same code reaches it and the
//! real one. The path tells the service: `/subscriptions/...` is ARM, `/v1.0/...` Graph, `/api/events` Event Grid,
//! `/<queue or topic>/messages` Service Bus, `/msi/token` the identity's endpoint, `/<directory>/oauth2/v2.0/token` Entra's
//! and `/_sim/...` the simulator's own window for tests (journal, objects, events, subscribers, messages, faults, flaws,
//! forms, chaos). A host that is a tenant's service, whatever the address, is that service.
//!
//! [`db`] is that file's single writer, [`queue`] a broker in such a file, `graph` Microsoft Graph, `resources` one file per
//! type of resource, [`access`] who may do what.
//!
//! State lies in one redb file. A change is durable before it is answered, together with its line of the journal, so
//! the process can be killed at any moment. No timer runs: operations end, replicas catch up and soft-deleted things
//! expire by comparing instants with the clock whenever somebody asks. Only deliveries to webhooks come by themselves.

pub mod access;
mod activity;
mod answer;
mod arm;
mod built_in;
mod chaos;
pub mod db;
mod digest;
mod events;
mod faults;
mod flaws;
mod forms;
mod graph;
mod http;
mod identity;
mod inference;
mod journal;
mod login;
mod operations;
pub mod pairing;
mod path;
mod pause;
mod providers;
pub mod queue;
mod reply;
mod resources;
mod roles;
mod service;
mod service_bus;
mod sim;
mod stamp;
mod store;
mod subscribers;
mod subscription;
mod write;

use std::{fmt, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use axum::Router;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::{net::TcpListener, sync::watch};

use self::{
    access::{Access, Used},
    chaos::Chaos,
    db::{Db, DbError},
    faults::Faults,
    flaws::Flaws,
    forms::Forms,
    identity::Issuer,
    journal::Journal,
    queue::Queue,
    subscribers::Subscribers,
};

pub use self::{
    service_bus::TOPIC,
    stamp::{
        BLOB_READER_ROLE, DIRECTORY_ID, PROBE_CLIENT_ID, PROBE_PRINCIPAL_ID, REGION, RESOURCE_GROUP,
        SCORER_ROLE, SUBSCRIPTION_ID, local_stamp,
    },
    subscription::Subscriber,
};

/// Where the cloud takes the time from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How fast long-running operations and replication are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Everything is done when first asked about.
    Max,
    /// Azure's usual durations, divided by this.
    Factor(f64),
}

impl Speed {
    /// How long a new object may stay unseen in Graph and to role assignments.
    pub fn replication_lag(self) -> Duration {
        Duration::try_from(self.scale(graph::LAG_SECONDS)).unwrap_or_default()
    }

    /// How long something takes here that takes Azure so many seconds.
    pub(crate) fn scale(self, seconds: u32) -> SignedDuration {
        match self {
            Self::Max => SignedDuration::ZERO,
            Self::Factor(factor) => {
                SignedDuration::try_from_secs_f64(f64::from(seconds) / factor).unwrap_or(SignedDuration::ZERO)
            }
        }
    }
}

impl FromStr for Speed {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, CloudError> {
        if text.eq_ignore_ascii_case("max") {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Self::Factor(factor)),
            Ok(_) | Err(_) => Err(CloudError::Speed(text.to_owned())),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Factor(factor) => write!(f, "{factor}"),
        }
    }
}

/// What a simulated Azure needs to start.
#[derive(Clone)]
pub struct CloudSettings {
    /// The redb file; made when absent.
    pub data: PathBuf,
    /// How fast operations are.
    pub speed: Speed,
    /// The clock.
    pub now: Now,
    /// Whether a request must carry a token that this cloud has issued for the service; else any token will do.
    pub strict: bool,
    /// How long a token is good; counted in whole seconds.
    pub token_life: Duration,
    /// The Service Bus queues; without them a message to one is refused.
    pub queue: Option<Queue>,
    /// Who may do what; without it everybody may do everything.
    pub access: Option<Access>,
}

/// How long Entra's tokens for managed identities are good.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Debug for CloudSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudSettings")
            .field("data", &self.data)
            .field("speed", &self.speed)
            .finish_non_exhaustive()
    }
}

impl CloudSettings {
    /// A cloud over this file in which nothing takes time, any token is taken, and there are no queues.
    pub fn new(data: impl Into<PathBuf>, now: Now) -> Self {
        let data = data.into();
        Self {
            data,
            speed: Speed::Max,
            now,
            strict: false,
            token_life: TOKEN_LIFE,
            queue: None,
            access: None,
        }
    }

    /// The same with another speed.
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// The same, taking only tokens that it has issued itself, or any.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// The same with tokens that are good for so long.
    #[must_use]
    pub fn token_life(mut self, life: Duration) -> Self {
        self.token_life = life;
        self
    }

    /// The same in which only what is granted is allowed.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// The same with these Service Bus queues.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = Some(queue);
        self
    }
}

/// Why the simulated Azure can't work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CloudError {
    /// The state file can't be opened, read or written.
    #[error("the simulated Azure can't use its state file")]
    Db(#[from] DbError),
    /// A record in the state file is not what this version writes; remove the file to begin anew.
    #[error("the simulated Azure can't read a record of its state file ({0}); remove the file to begin anew")]
    Record(String),
    /// Not a speed.
    #[error("{0:?} is not a speed: give \"max\", or a positive number that Azure's durations are divided by")]
    Speed(String),
    /// Not a webhook that may be delivered to.
    #[error(
        "{0:?} is no webhook of this machine: give its http address, for example http://127.0.0.1:8090/events"
    )]
    Subscriber(String),
    /// The listener failed.
    #[error("the simulated Azure can't serve: {0}")]
    Serve(String),
}

/// A running simulated Azure; cheap to clone.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) speed: Speed,
    pub(crate) now: Now,
    pub(crate) strict: bool,
    pub(crate) queue: Option<Queue>,
    pub(crate) issuer: Issuer,
    pub(crate) faults: Faults,
    pub(crate) flaws: Flaws,
    pub(crate) forms: Forms,
    pub(crate) chaos: Chaos,
    pub(crate) journal: Journal,
    pub(crate) access: Option<Access>,
    pub(crate) used: Used,
    pub(crate) subscribers: Subscribers,
    /// Changes with every request that has published events.
    pub(crate) published: watch::Sender<()>,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("speed", &self.inner.speed).finish_non_exhaustive()
    }
}

impl Cloud {
    /// Opens the state file and puts the local stamp into a new one.
    ///
    /// # Errors
    /// [`CloudError::Db`] if the file can't be opened, for example because another process holds it.
    pub async fn open(settings: CloudSettings) -> Result<Self, CloudError> {
        let db = Db::open(&settings.data)?;
        let (now, speed) = ((settings.now)(), settings.speed);
        let secret = db
            .write(move |transaction| {
                stamp::seed(&mut store::Change::new(transaction, now, speed)?)?;
                store::secret(transaction, "identity", identity::new_secret)
            })
            .await?;
        let life = SignedDuration::try_from(settings.token_life).unwrap_or(SignedDuration::MAX);
        let inner = Inner {
            db,
            speed,
            now: settings.now,
            strict: settings.strict,
            queue: settings.queue,
            issuer: Issuer::new(secret, life),
            faults: Faults::default(),
            flaws: Flaws::default(),
            forms: Forms::default(),
            chaos: Chaos::default(),
            journal: Journal::default(),
            access: settings.access,
            used: Used::default(),
            subscribers: Subscribers::default(),
            published: watch::Sender::new(()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The path of the identity endpoint: the setting `IDENTITY_ENDPOINT` is the cloud's address with it.
    pub const IDENTITY_PATH: &str = identity::PATH;

    /// What the identity endpoint wants in the header `X-IDENTITY-HEADER`; the same for as long as the file lives.
    pub fn identity_header(&self) -> &str {
        self.inner.issuer.secret()
    }

    /// The services, to be served on any loopback port.
    pub fn router(&self) -> Router {
        Router::new().fallback(http::handle).with_state(Arc::clone(&self.inner))
    }

    /// Makes the journal's lines of mere reads durable too; to be called before an orderly end.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file can't be written.
    pub async fn flush(&self) -> Result<(), CloudError> {
        answer::flush(&self.inner).await
    }

    /// Takes webhooks on: events from now on are theirs, and [`Self::is_delivered`] waits for them.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file fails.
    pub async fn subscribe(&self, subscribers: &[Subscriber]) -> Result<(), CloudError> {
        for subscriber in subscribers {
            subscription::begin(&self.inner, subscriber).await?;
        }
        Ok(())
    }

    /// Delivers events to these webhooks, as Event Grid does, until the task is dropped. With `repeat` each event is
    /// delivered a second time, behind its successor.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file fails.
    pub async fn deliver(&self, subscribers: &[Subscriber], repeat: bool) -> Result<(), CloudError> {
        let each = subscribers.iter().map(|subscriber| subscription::serve(&self.inner, subscriber, repeat));
        try_join_all(each).await.map(drop)
    }

    /// Whether every event has been delivered to every webhook, or given up.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file can't be read.
    pub fn is_delivered(&self) -> Result<bool, CloudError> {
        let last = store::Snapshot::new(self.inner.db.read()?, (self.inner.now)())?.last_event()?;
        Ok(self.inner.subscribers.are_told(last))
    }

    /// Serves until the task is dropped.
    ///
    /// # Errors
    /// [`CloudError::Serve`] when the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), CloudError> {
        axum::serve(listener, self.router()).await.map_err(|e| CloudError::Serve(e.to_string()))
    }
}
