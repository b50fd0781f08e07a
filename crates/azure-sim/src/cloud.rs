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

/// A running simulated Azure; cheap to clone. All clones share one state.
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
    /// Opens the state file, or creates it with the resources of the local stamp.
    ///
    /// # Errors
    /// [`CloudError::Db`] if the state file can't be opened, for example because another process holds it.
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

    /// The path of the managed identity endpoint. The setting `IDENTITY_ENDPOINT` of a program is the address of the
    /// simulated Azure followed by this path.
    pub const IDENTITY_PATH: &str = identity::PATH;

    /// The value that the identity endpoint requires in the header `X-IDENTITY-HEADER`. It is stored in the state file,
    /// so it is the same after a restart.
    pub fn identity_header(&self) -> &str {
        self.inner.issuer.secret()
    }

    /// All services as one router, to be served on any loopback port.
    pub fn router(&self) -> Router {
        Router::new().fallback(http::handle).with_state(Arc::clone(&self.inner))
    }

    /// Writes the journal entries that are still in memory, which are those of reads, to the state file. Call it before
    /// a graceful shutdown.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file can't be written.
    pub async fn flush(&self) -> Result<(), CloudError> {
        answer::flush(&self.inner).await
    }

    /// Registers webhooks: they receive the events that are published from now on, and [`Self::is_delivered`] is
    /// `false` until they have all events. [`Self::deliver`] sends the events.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file fails.
    pub async fn subscribe(&self, subscribers: &[Subscriber]) -> Result<(), CloudError> {
        for subscriber in subscribers {
            subscription::begin(&self.inner, subscriber).await?;
        }
        Ok(())
    }

    /// Delivers events to these webhooks as Event Grid does, until the future is dropped. With `repeat` each event is
    /// delivered a second time, after the next event.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file fails.
    pub async fn deliver(&self, subscribers: &[Subscriber], repeat: bool) -> Result<(), CloudError> {
        let each = subscribers.iter().map(|subscriber| subscription::serve(&self.inner, subscriber, repeat));
        try_join_all(each).await.map(drop)
    }

    /// Whether every event is delivered to every webhook, or will not be retried.
    ///
    /// # Errors
    /// [`CloudError::Db`] when the state file can't be read.
    pub fn is_delivered(&self) -> Result<bool, CloudError> {
        let last = Snapshot::new(self.inner.db.read()?, (self.inner.now)())?.last_event()?;
        Ok(self.inner.subscribers.are_done(last))
    }

    /// Serves requests until the future is dropped.
    ///
    /// # Errors
    /// [`CloudError::Serve`] when the listener fails.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), CloudError> {
        axum::serve(listener, self.router()).await.map_err(|e| CloudError::Serve(e.to_string()))
    }
}
