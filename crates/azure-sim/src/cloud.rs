//! A running simulated Azure.

use std::{fmt, sync::Arc};

use axum::Router;
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    access::Used,
    answer,
    chaos::Chaos,
    db::Db,
    error::CloudError,
    faults::Faults,
    flaws::Flaws,
    forms::Forms,
    http,
    identity::{self, Issuer},
    inner::Inner,
    journal::Journal,
    seed,
    settings::CloudSettings,
    store::{self, Change, Snapshot},
    subscribers::Subscribers,
    subscription::{self, Subscriber},
};

/// A running simulated Azure; cheap to clone.
#[derive(Clone)]
pub struct Cloud {
    pub(crate) inner: Arc<Inner>,
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
                seed::seed(&mut Change::new(transaction, now, speed)?)?;
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

    /// The value that the identity endpoint requires in the header `X-IDENTITY-HEADER`; it stays the same with the
    /// state file.
    pub fn identity_header(&self) -> &str {
        self.inner.issuer.secret()
    }

    /// The services, to be served on any loopback port.
    pub fn router(&self) -> Router {
        Router::new().fallback(http::handle).with_state(Arc::clone(&self.inner))
    }

    /// Makes the journal's lines of reads durable too. To be called before a graceful shutdown.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file can't be written.
    pub async fn flush(&self) -> Result<(), CloudError> {
        answer::flush(&self.inner).await
    }

    /// Adds webhooks: they receive the events from now on, and [`Self::is_delivered`] waits for them.
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
    /// delivered a second time, after its successor.
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
        let last = Snapshot::new(self.inner.db.read()?, (self.inner.now)())?.last_event()?;
        Ok(self.inner.subscribers.are_done(last))
    }

    /// Serves until the task is dropped.
    ///
    /// # Errors
    /// [`CloudError::Serve`] when the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), CloudError> {
        axum::serve(listener, self.router()).await.map_err(|e| CloudError::Serve(e.to_string()))
    }
}
