//! The public interface of the broker. It keeps the broker's memory and the file consistent.

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

/// A message broker with its queues; cheap to clone. All clones share the queues.
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
    /// Opens the broker that is stored in a redb file, or a new one. No message is locked at first. A stored message
    /// that can't be parsed is logged and stays in the file.
    ///
    /// # Errors
    /// [`DbError`] when the file can't be read.
    pub fn open(db: Db, settings: BrokerSettings) -> Result<Self, DbError> {
        let mut broker = Broker::new(&settings);
        store::load(&db, |queue, message| broker.insert(queue, message))?;
        let changed = watch::Sender::new(0);
        Ok(Self { db, settings: Arc::new(settings), broker: Arc::new(Mutex::new(broker)), changed })
    }

    /// Waits until messages can be sent, completed and abandoned: returns at once, unless the file has failed.
    pub async fn usable(&self) {
        self.db.usable().await;
    }

    /// Sends a message. Returns its number once the message is durable.
    ///
    /// A message whose id was already sent within the queue's duplicate window is dropped, as in Service Bus, and the
    /// number of the first message is returned.
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
        // In a task of its own: if the caller stops waiting, the memory must still be updated as the file is.
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

    /// Delivers the next visible message of a queue under a lock; `None` if there is none.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], or [`QueueError::Storage`] when the failed delivery of an expired lock could not be
    /// saved.
    pub async fn receive(&self, queue: &str, now: Timestamp) -> Result<Option<Delivery>, QueueError> {
        self.expire(now).await?;
        self.memory().receive(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Completes a delivery: removes its message.
    ///
    /// # Errors
    /// [`QueueError::LockLost`] when the lock has expired or the delivery is already completed or abandoned,
    /// [`QueueError::Storage`] when the file failed. A message that is not completed is delivered again.
    pub async fn complete(&self, token: LockToken, now: Timestamp) -> Result<(), QueueError> {
        let taken = self.memory().take(token, now).ok_or(QueueError::LockLost)?;
        self.settle(vec![Settled::done(taken)]).await
    }

    /// Abandons a delivery: it counts as failed, and the message is visible again at once, or dead-lettered after too
    /// many failed deliveries.
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

    /// Renews a lock for the queue's lock duration, counted from now. Returns its new end.
    ///
    /// # Errors
    /// [`QueueError::LockLost`] when the lock has expired.
    pub fn renew(&self, token: LockToken, now: Timestamp) -> Result<Timestamp, QueueError> {
        self.memory().renew(token, now).ok_or(QueueError::LockLost)
    }

    /// Counts the messages of a queue by state.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn counts(&self, queue: &str, now: Timestamp) -> Result<Counts, QueueError> {
        self.memory().counts(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// The first `limit` messages of a queue in the order of their numbers, including locked and scheduled ones. They
    /// are not locked by this call.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn peek(&self, queue: &str, limit: usize) -> Result<Vec<Arc<StoredMessage>>, QueueError> {
        self.memory().peek(queue, limit).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// Whether any of these queues has a message that is visible or locked. All queues are read at the same moment.
    pub fn has_due<'a>(&self, queues: impl IntoIterator<Item = &'a str>, now: Timestamp) -> bool {
        let broker = self.memory();
        let mut counts = queues.into_iter().filter_map(|queue| broker.counts(queue, now));
        counts.any(|counts| counts.ready + counts.in_flight > 0)
    }

    /// When a queue may next have a message to receive although nothing is sent: a scheduled message becomes visible,
    /// or a lock expires. `None` if there is neither.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn next_due(&self, queue: &str, now: Timestamp) -> Result<Option<Timestamp>, QueueError> {
        self.memory().next_due(queue, now).ok_or_else(|| QueueError::NoSuchQueue(queue.to_owned()))
    }

    /// A counter that changes whenever a message was sent, completed, abandoned or put back. To wait for a message,
    /// mark the value as seen, read the queue, and then wait for a change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Ends the expired locks of all queues: each counts as a failed delivery.
    async fn expire(&self, now: Timestamp) -> Result<(), QueueError> {
        let expired = self.memory().expire(now);
        if expired.is_empty() { Ok(()) } else { self.settle(expired).await }
    }

    /// Saves the outcomes of deliveries in the file, and then applies them in memory. If the file fails, the messages
    /// are put back.
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
        // After a panic the memory can still be used: the broker's methods leave it consistent wherever they could
        // panic.
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a task that must run to its end even if its caller stops waiting.
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
