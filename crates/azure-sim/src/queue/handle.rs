//! The broker as its users see it. It keeps memory and file consistent.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    db::{Db, DbError},
    queue::{
        broker::{Broker, Settled},
        error::QueueError,
        message::{Counts, Delivery, LockToken, NewMessage, StoredMessage},
        settings::{BrokerSettings, QueueSettings},
        store,
    },
};

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
    /// Opens the broker in a state file. Every message in it can be received.
    ///
    /// # Errors
    /// [`DbError`] when the file fails, or has content that this version can't read.
    pub fn open(db: Db, settings: BrokerSettings) -> Result<Self, DbError> {
        let mut broker = Broker::new(&settings);
        store::load(&db, |queue, message| broker.insert(queue, message))?;
        let changed = watch::Sender::new(0);
        Ok(Self { db, settings: Arc::new(settings), broker: Arc::new(Mutex::new(broker)), changed })
    }

    /// Returns when messages can be accepted or settled: at once, unless the state file has failed.
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
                this.notify();
            }
            Ok(sent.sequence)
        }))
        .await
    }

    /// Hands out the next visible message under a lock, or none.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], or [`QueueError::Storage`] when an expired lock could not be accounted for.
    pub async fn receive(&self, queue: &str, now: Timestamp) -> Result<Option<Delivery>, QueueError> {
        self.expire(now).await?;
        self.memory().receive(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Completes a delivery: the message is removed.
    ///
    /// # Errors
    /// [`QueueError::LockLost`] when the lock has expired, [`QueueError::Storage`] when the file failed; the message
    /// is delivered again in either case.
    pub async fn complete(&self, token: LockToken, now: Timestamp) -> Result<(), QueueError> {
        let taken = self.memory().take(token, now).ok_or(QueueError::LockLost)?;
        self.settle(vec![Settled::done(taken)]).await
    }

    /// Abandons a delivery: the message is visible again at once, or dead-lettered after too many failures.
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

    /// The first messages of a queue in the order of their numbers, including locked and scheduled ones. Changes
    /// nothing.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn peek(&self, queue: &str, limit: usize) -> Result<Vec<Arc<StoredMessage>>, QueueError> {
        self.memory().peek(queue, limit).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Whether any of these queues has a message that is visible or locked, all read at the same moment.
    pub fn has_due<'a>(&self, queues: impl IntoIterator<Item = &'a str>, now: Timestamp) -> bool {
        let broker = self.memory();
        let mut counts = queues.into_iter().filter_map(|queue| broker.counts(queue, now));
        counts.any(|counts| counts.ready + counts.in_flight > 0)
    }

    /// When a queue may have work without a new request: a scheduled message or the end of a lock.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn next_due(&self, queue: &str, now: Timestamp) -> Result<Option<Timestamp>, QueueError> {
        self.memory().next_due(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Ticks whenever a message was sent, settled or given back. Mark it as seen before reading a queue, then wait.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Accounts for expired locks.
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
            this.notify();
            Ok(saved?)
        }))
        .await
    }

    fn notify(&self) {
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn memory(&self) -> MutexGuard<'_, Broker> {
        // The broker's methods leave it consistent at every point where they could panic.
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a task that must run to its end even if its caller does not.
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
