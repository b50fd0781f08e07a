//! A broker in the state file, with what the product relies on in Service Bus.
//!
//! Peek-lock, sessions in order with one message in flight each, delivery counts, dead-lettering, scheduled messages,
//! lock renewal and expiry, detection of duplicates. Left out, because nothing here uses them: topics, deferral,
//! transactions, time to live, and dead-lettering by hand (a custom handler can't do it either).
//!
//! # Guarantees
//! - [`Queue::send`] returns once the message is durable; so do [`Queue::complete`] and [`Queue::abandon`].
//! - A message is delivered until it is completed or dead-lettered: at least once, never lost.
//! - Within a session messages come in the order in which they became visible, and none overtakes an abandoned one.
//!
//! # Caveats
//! - Locks live in memory, since only one process can hold the file. A lock that died with its process is void, and is
//!   not counted as a delivery: ten crashes of a laptop's process must not dead-letter a sign-up.
//! - A session is locked for one message, not held for a while; the order that a receiver sees is the same.
//! - Time comes in with every call; nothing happens by itself. Who waits for work asks [`Queue::next_due`] and
//!   [`Queue::changes`].

mod broker;
mod store;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use crate::db::{Db, DbError};
use broker::{Broker, Settled};

/// What follows a queue's name in the name of its dead-letter queue.
pub const DEAD_LETTER_SUFFIX: &str = "/$deadletterqueue";

/// How one queue behaves; the defaults are those of Service Bus, Standard tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Whether every message must have a session.
    pub sessions: bool,
    /// How long a delivery is locked, until it is renewed.
    pub lock: Duration,
    /// After how many failed deliveries a message is dead-lettered.
    pub max_delivery_count: u32,
    /// For how long a message id is remembered; none: duplicates are not looked for.
    pub duplicate_window: Option<Duration>,
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self {
            sessions: false,
            lock: Duration::from_secs(60),
            max_delivery_count: 10,
            duplicate_window: Some(Duration::from_secs(600)),
            max_body_bytes: 256 << 10,
        }
    }
}

/// The queues of a broker, by name. Each has a dead-letter queue of its own, which need not be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerSettings {
    /// The queues.
    pub queues: BTreeMap<String, QueueSettings>,
}

impl Default for BrokerSettings {
    /// The two queues of tenantry: requests with sessions, wake-ups without.
    fn default() -> Self {
        let requests = QueueSettings { sessions: true, ..QueueSettings::default() };
        Self {
            queues: BTreeMap::from([
                ("tenant-requests".to_owned(), requests),
                ("tenant-wakeups".to_owned(), QueueSettings::default()),
            ]),
        }
    }
}

/// A message as a sender writes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewMessage {
    /// The id by which duplicates are detected, at most 128 characters; none: the broker makes one.
    pub message_id: Option<String>,
    /// The session, at most 128 characters; required by a queue with sessions, ignored by one without.
    pub session_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The sender's own properties.
    pub properties: BTreeMap<String, Value>,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// An id that the sender relates answers by.
    pub correlation_id: Option<String>,
    /// Until when the message stays invisible; none: it is visible at once.
    pub enqueue_at: Option<Timestamp>,
}

/// A message as the broker holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMessage {
    /// The broker's number, unique and rising within a queue.
    pub sequence: u64,
    /// The id by which duplicates are detected.
    pub message_id: String,
    /// The session.
    pub session_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The sender's properties; on a dead-lettered message also `DeadLetterReason` and `DeadLetterErrorDescription`.
    pub properties: BTreeMap<String, Value>,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// The sender's correlation id.
    pub correlation_id: Option<String>,
    /// When it was taken in.
    pub enqueued_at: Timestamp,
    /// When it becomes or became visible.
    pub visible_at: Timestamp,
    /// How many deliveries have failed so far.
    pub failures: u32,
}

/// The right to settle one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockToken(u64);

impl LockToken {
    /// The token's number, unique within this process.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A message handed out under a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The right to settle it.
    pub token: LockToken,
    /// The message.
    pub message: Arc<StoredMessage>,
    /// Which delivery this is, from 1.
    pub delivery_count: u32,
    /// When the lock ends unless it is renewed.
    pub locked_until: Timestamp,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Visible and not locked.
    pub ready: usize,
    /// Not visible yet.
    pub scheduled: usize,
    /// Handed out and locked.
    pub in_flight: usize,
    /// In its dead-letter queue.
    pub dead_lettered: usize,
}

/// Why the broker refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// No such queue.
    #[error("there is no queue `{0}`")]
    NoSuchQueue(String),
    /// A message for a queue with sessions has none.
    #[error("the queue `{0}` wants a session id on every message")]
    SessionRequired(String),
    /// The message breaks a limit of the broker.
    #[error("the message for `{queue}` was refused: {why}")]
    Refused {
        /// The queue.
        queue: String,
        /// Which limit.
        why: String,
    },
    /// The lock has expired or was settled; another receiver may have the message by now.
    #[error("the lock on the message is lost")]
    LockLost,
    /// The state file failed; nothing was changed.
    #[error("the queue could not be saved")]
    Storage(#[from] DbError),
}

/// A broker with its queues; cheap to clone.
#[derive(Clone)]
pub struct Queue {
    db: Db,
    settings: Arc<BrokerSettings>,
    broker: Arc<Mutex<Broker>>,
    changed: watch::Sender<u64>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Queue {
    /// Opens the broker in a state file; every message in it is free to be received.
    ///
    /// # Errors
    /// [`DbError`] when the file fails, or holds what this version can't read.
    pub fn open(db: Db, settings: BrokerSettings) -> Result<Self, DbError> {
        let mut broker = Broker::new(&settings);
        store::load(&db, |queue, message| broker.insert(queue, message))?;
        let changed = watch::Sender::new(0);
        Ok(Self { db, settings: Arc::new(settings), broker: Arc::new(Mutex::new(broker)), changed })
    }

    /// Returns when something can be taken in or settled: at once, but for a state file that has failed.
    pub async fn usable(&self) {
        self.db.usable().await;
    }

    /// Sends a message; returns its number once it is durable.
    ///
    /// A message whose id was sent within the duplicate window is dropped, as Service Bus drops it, and the number of
    /// the first one is returned.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], [`QueueError::SessionRequired`], [`QueueError::Refused`] or
    /// [`QueueError::Storage`].
    pub async fn send(&self, queue: &str, message: NewMessage, now: Timestamp) -> Result<u64, QueueError> {
        let settings =
            self.settings.queues.get(queue).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))?;
        check(queue, settings, &message)?;
        let window = settings.duplicate_window;
        let this = self.clone();
        let name = queue.to_owned();
        // In a task of its own: a caller that stops waiting must not leave the file and the memory different.
        finish(tokio::spawn(async move {
            let for_store = name.clone();
            let sent = this.db.write(move |tx| store::send(tx, &for_store, message, window, now)).await?;
            if let Some(message) = sent.fresh {
                this.memory().insert(&name, message);
                this.announce();
            }
            Ok(sent.sequence)
        }))
        .await
    }

    /// Hands out the next visible message under a lock, or none if there is nothing to do now.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], or [`QueueError::Storage`] when an expired lock could not be accounted for.
    pub async fn receive(&self, queue: &str, now: Timestamp) -> Result<Option<Delivery>, QueueError> {
        self.expire(now).await?;
        self.memory().receive(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Ends a delivery: the message is done and gone.
    ///
    /// # Errors
    /// [`QueueError::LockLost`] when the lock has expired, [`QueueError::Storage`] when the file failed; the message
    /// comes again in either case.
    pub async fn complete(&self, token: LockToken, now: Timestamp) -> Result<(), QueueError> {
        let taken = self.memory().take(token, now).ok_or(QueueError::LockLost)?;
        self.settle(vec![Settled::done(taken)]).await
    }

    /// Gives a delivery back: the message is visible again at once, or dead-lettered after too many failures.
    ///
    /// # Errors
    /// As for [`Queue::complete`].
    pub async fn abandon(&self, token: LockToken, now: Timestamp) -> Result<(), QueueError> {
        let settled = {
            let mut broker = self.memory();
            let taken = broker.take(token, now).ok_or(QueueError::LockLost)?;
            broker.failed(taken)
        };
        self.settle(vec![settled]).await
    }

    /// Extends a lock to the queue's lock duration from now; returns its new end.
    ///
    /// # Errors
    /// [`QueueError::LockLost`] when it has expired.
    pub fn renew(&self, token: LockToken, now: Timestamp) -> Result<Timestamp, QueueError> {
        self.memory().renew(token, now).ok_or(QueueError::LockLost)
    }

    /// How many messages a queue holds.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, QueueError> {
        self.memory().counts(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// The first messages of a queue in the order of their numbers, locked and scheduled ones among them; changes
    /// nothing.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn peek(&self, queue: &str, limit: usize) -> Result<Vec<Arc<StoredMessage>>, QueueError> {
        self.memory().peek(queue, limit).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Whether any of these queues has a message that is visible or locked, all looked at in the same moment.
    pub fn has_due<'a>(&self, queues: impl IntoIterator<Item = &'a str>, now: Timestamp) -> bool {
        let broker = self.memory();
        let mut counts = queues.into_iter().filter_map(|queue| broker.counts(queue, now));
        counts.any(|counts| counts.ready + counts.in_flight > 0)
    }

    /// When a queue may have work without anybody doing anything: a scheduled message or the end of a lock.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn next_due(&self, queue: &str, now: Timestamp) -> Result<Option<Timestamp>, QueueError> {
        self.memory().next_due(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Ticks whenever a message was sent, settled or given back. Mark it as seen before looking for work, then wait.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Accounts for locks that have ended.
    async fn expire(&self, now: Timestamp) -> Result<(), QueueError> {
        let expired = self.memory().expire(now);
        if expired.is_empty() { Ok(()) } else { self.settle(expired).await }
    }

    /// Makes outcomes durable, then visible.
    async fn settle(&self, settled: Vec<Settled>) -> Result<(), QueueError> {
        let this = self.clone();
        finish(tokio::spawn(async move {
            let for_store = settled.clone();
            let saved: Result<(), DbError> =
                this.db.write(move |tx| for_store.iter().try_for_each(|one| store::settle(tx, one))).await;
            let mut broker = this.memory();
            for one in settled {
                match &saved {
                    Ok(()) => broker.apply(one),
                    Err(_) => broker.restore(&one),
                }
            }
            drop(broker);
            this.announce();
            Ok(saved?)
        }))
        .await
    }

    fn announce(&self) {
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn memory(&self) -> MutexGuard<'_, Broker> {
        // The broker's methods leave it whole at every point where they could panic.
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a task that must run to its end even if its caller doesn't.
async fn finish<T>(task: tokio::task::JoinHandle<Result<T, QueueError>>) -> Result<T, QueueError> {
    task.await.unwrap_or_else(|error| Err(QueueError::Storage(DbError::Storage(error.to_string()))))
}

fn check(queue: &str, settings: &QueueSettings, message: &NewMessage) -> Result<(), QueueError> {
    let refused = |why: String| QueueError::Refused { queue: queue.to_owned(), why };
    for (what, id) in [("message id", &message.message_id), ("session id", &message.session_id)] {
        if let Some(id) = id
            && !(1..=128).contains(&id.chars().count())
        {
            return Err(refused(format!(
                "a {what} has 1 to 128 characters, this one {}",
                id.chars().count()
            )));
        }
    }
    if settings.sessions && message.session_id.is_none() {
        return Err(QueueError::SessionRequired(queue.to_owned()));
    }
    if message.body.len() > settings.max_body_bytes {
        let (has, limit) = (message.body.len(), settings.max_body_bytes);
        return Err(refused(format!("a body has at most {limit} bytes, this one {has}")));
    }
    Ok(())
}
