//! The broker's memory: the messages of all queues, and their locks. It has no I/O and no clock.
//!
//! A message is in exactly one state: waiting, locked, or being settled (its lock has ended, and its outcome is not yet
//! durable). The outcome is saved between [`Broker::take`] and [`Broker::apply`], so a message is not delivered again
//! before its outcome is durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::queue::{
    message::{Counts, Delivery, LockToken, StoredMessage},
    settings::{BrokerSettings, DEAD_LETTER_SUFFIX, QueueSettings},
};

/// A message whose lock has ended and whose outcome is being saved.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) queue: String,
    pub(super) message: Arc<StoredMessage>,
}

/// The outcome of a delivery.
#[derive(Debug, Clone)]
pub(super) struct Settled {
    pub(super) taken: Taken,
    pub(super) fate: Fate,
}

#[derive(Debug, Clone)]
pub(super) enum Fate {
    Done,
    Again(Arc<StoredMessage>),
    DeadLetter { queue: String, message: Arc<StoredMessage> },
}

impl Settled {
    pub(super) const fn done(taken: Taken) -> Self {
        Self { taken, fate: Fate::Done }
    }
}

struct Lock {
    sequence: u64,
    until: Timestamp,
}

struct Entity {
    sessions: bool,
    lock: SignedDuration,
    /// After how many failed deliveries a message is dead-lettered; `None` for a dead-letter queue, which keeps its
    /// messages.
    max_delivery_count: Option<u32>,
    messages: BTreeMap<u64, Arc<StoredMessage>>,
    /// The unlocked messages, as the time from which they are visible and their number.
    waiting: BTreeSet<(Timestamp, u64)>,
    locks: BTreeMap<LockToken, Lock>,
    /// The ids of sessions with a message that is locked or being settled.
    busy: BTreeSet<String>,
}

impl Entity {
    fn new(settings: &QueueSettings) -> Self {
        Self {
            sessions: settings.sessions,
            lock: SignedDuration::try_from(settings.lock).unwrap_or(SignedDuration::MAX),
            max_delivery_count: Some(settings.max_delivery_count),
            messages: BTreeMap::new(),
            waiting: BTreeSet::new(),
            locks: BTreeMap::new(),
            busy: BTreeSet::new(),
        }
    }

    fn dead_letter(settings: &QueueSettings) -> Self {
        Self { sessions: false, max_delivery_count: None, ..Self::new(settings) }
    }

    fn session_of(&self, message: &StoredMessage) -> Option<String> {
        message.session_id.clone().filter(|_| self.sessions)
    }

    fn lock_end(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.lock).unwrap_or(Timestamp::MAX)
    }

    fn next(&self, now: Timestamp) -> Option<(Timestamp, u64)> {
        self.waiting.range(..=(now, u64::MAX)).copied().find(|(_, sequence)| {
            self.messages.get(sequence).is_some_and(|message| {
                !self.session_of(message).is_some_and(|session| self.busy.contains(&session))
            })
        })
    }

    fn counts(&self, now: Timestamp) -> Counts {
        let ready = self.waiting.range(..=(now, u64::MAX)).count();
        Counts {
            ready,
            scheduled: self.waiting.len() - ready,
            in_flight: self.messages.len() - self.waiting.len(),
            dead_lettered: 0,
        }
    }
}

/// The messages and locks of all queues and their dead-letter queues.
pub(super) struct Broker {
    entities: BTreeMap<String, Entity>,
    tokens: u64,
}

impl Broker {
    pub(super) fn new(settings: &BrokerSettings) -> Self {
        let mut entities = BTreeMap::new();
        for (name, queue) in &settings.queues {
            entities.insert(name.clone(), Entity::new(queue));
            entities.insert(format!("{name}{DEAD_LETTER_SUFFIX}"), Entity::dead_letter(queue));
        }
        Self { entities, tokens: 0 }
    }

    /// Adds a message that is already in the file. A message of a queue that is not configured any more is ignored: it
    /// stays in the file, but can't be received.
    pub(super) fn insert(&mut self, queue: &str, message: StoredMessage) {
        if let Some(entity) = self.entities.get_mut(queue) {
            entity.waiting.insert((message.visible_at, message.sequence));
            entity.messages.insert(message.sequence, Arc::new(message));
        }
    }

    /// Locks and returns the next visible message of a queue. The outer `None` means that there is no such queue, the
    /// inner one that there is no message.
    #[expect(clippy::option_option, reason = "two questions, and the caller makes an error of the outer one")]
    pub(super) fn receive(&mut self, queue: &str, now: Timestamp) -> Option<Option<Delivery>> {
        let entity = self.entities.get_mut(queue)?;
        let Some(next) = entity.next(now) else { return Some(None) };
        let Some(message) = entity.messages.get(&next.1).cloned() else { return Some(None) };
        entity.waiting.remove(&next);
        entity.busy.extend(entity.session_of(&message));
        self.tokens += 1;
        let (token, locked_until) = (LockToken(self.tokens), entity.lock_end(now));
        entity.locks.insert(token, Lock { sequence: message.sequence, until: locked_until });
        let delivery_count = message.failures.saturating_add(1);
        Some(Some(Delivery { token, message, delivery_count, locked_until }))
    }

    pub(super) fn renew(&mut self, token: LockToken, now: Timestamp) -> Option<Timestamp> {
        let entity = self.entities.values_mut().find(|entity| entity.locks.contains_key(&token))?;
        let until = entity.lock_end(now);
        let lock = entity.locks.get_mut(&token).filter(|lock| lock.until > now)?;
        lock.until = until;
        Some(until)
    }

    /// Ends a lock and returns its message, to be settled; `None` if the lock has expired or does not exist.
    pub(super) fn take(&mut self, token: LockToken, now: Timestamp) -> Option<Taken> {
        let (name, entity) =
            self.entities.iter_mut().find(|(_, entity)| entity.locks.contains_key(&token))?;
        entity.locks.get(&token).filter(|lock| lock.until > now)?;
        let lock = entity.locks.remove(&token)?;
        let message = entity.messages.get(&lock.sequence)?.clone();
        Some(Taken { queue: name.clone(), message })
    }

    /// The outcome of a failed delivery: another delivery, or dead-lettering after too many.
    pub(super) fn failed(&self, taken: Taken) -> Settled {
        let mut message = StoredMessage::clone(&taken.message);
        message.failures = message.failures.saturating_add(1);
        let limit = self.entities.get(&taken.queue).and_then(|entity| entity.max_delivery_count);
        let Some(limit) = limit.filter(|limit| message.failures >= *limit) else {
            return Settled { fate: Fate::Again(Arc::new(message)), taken };
        };
        let why = format!("Message could not be consumed after {limit} delivery attempts.");
        message.properties.insert("DeadLetterReason".to_owned(), json!("MaxDeliveryCountExceeded"));
        message.properties.insert("DeadLetterErrorDescription".to_owned(), json!(why));
        let queue = format!("{}{DEAD_LETTER_SUFFIX}", taken.queue);
        Settled { fate: Fate::DeadLetter { queue, message: Arc::new(message) }, taken }
    }

    /// Ends every expired lock, and returns the outcomes of these deliveries, which count as failed.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Settled> {
        let mut taken = Vec::new();
        for (name, entity) in &mut self.entities {
            let ended = entity.locks.extract_if(.., |_, lock| lock.until <= now);
            let sequences: Vec<u64> = ended.map(|(_, lock)| lock.sequence).collect();
            let messages = sequences.iter().filter_map(|sequence| entity.messages.get(sequence).cloned());
            taken.extend(messages.map(|message| Taken { queue: name.clone(), message }));
        }
        taken.into_iter().map(|taken| self.failed(taken)).collect()
    }

    /// Applies an outcome that has been saved.
    pub(super) fn apply(&mut self, settled: Settled) {
        let Settled { taken, fate } = settled;
        self.free_session(&taken);
        match fate {
            Fate::Done => self.remove(&taken),
            Fate::Again(message) => self.insert(&taken.queue, StoredMessage::clone(&message)),
            Fate::DeadLetter { queue, message } => {
                self.remove(&taken);
                self.insert(&queue, StoredMessage::clone(&message));
            }
        }
    }

    /// Puts back a message whose outcome could not be saved, so that it is delivered again.
    pub(super) fn restore(&mut self, settled: &Settled) {
        self.free_session(&settled.taken);
        self.insert(&settled.taken.queue, StoredMessage::clone(&settled.taken.message));
    }

    fn free_session(&mut self, taken: &Taken) {
        if let Some(entity) = self.entities.get_mut(&taken.queue)
            && let Some(session) = entity.session_of(&taken.message)
        {
            entity.busy.remove(&session);
        }
    }

    fn remove(&mut self, taken: &Taken) {
        if let Some(entity) = self.entities.get_mut(&taken.queue) {
            entity.messages.remove(&taken.message.sequence);
        }
    }

    pub(super) fn counts(&self, queue: &str, now: Timestamp) -> Option<Counts> {
        let counts = self.entities.get(queue)?.counts(now);
        let dead = self.entities.get(&format!("{queue}{DEAD_LETTER_SUFFIX}"));
        Some(Counts { dead_lettered: dead.map_or(0, |dead| dead.messages.len()), ..counts })
    }

    pub(super) fn peek(&self, queue: &str, limit: usize) -> Option<Vec<Arc<StoredMessage>>> {
        Some(self.entities.get(queue)?.messages.values().take(limit).cloned().collect())
    }

    #[expect(clippy::option_option, reason = "two questions, and the caller makes an error of the outer one")]
    pub(super) fn next_due(&self, queue: &str, now: Timestamp) -> Option<Option<Timestamp>> {
        let entity = self.entities.get(queue)?;
        let scheduled = entity.waiting.range((now, u64::MAX)..).map(|(visible_at, _)| *visible_at).next();
        let lock_end = entity.locks.values().map(|lock| lock.until).min();
        Some(scheduled.into_iter().chain(lock_end).min())
    }
}
