//! Messages of the broker: new, stored and delivered ones.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

/// A message that is to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewMessage {
    /// The id by which duplicates are detected, at most 128 characters. If `None`, the broker generates an id, and the
    /// message is never a duplicate.
    pub message_id: Option<String>,
    /// The id of the session, at most 128 characters. A queue with sessions requires one; a queue without sessions
    /// keeps it but does not use it.
    pub session_id: Option<String>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// The sender's own properties of the message, by name.
    pub properties: BTreeMap<String, Value>,
    /// The media type of the body, if the sender set one.
    pub content_type: Option<String>,
    /// An id by which the sender relates answers to the message; the broker does not use it.
    pub correlation_id: Option<String>,
    /// When the message becomes visible to receivers. If `None`, it is visible at once.
    pub enqueue_at: Option<Timestamp>,
}

/// A message that the broker stores.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMessage {
    /// The number of the message, unique and rising within a queue. A dead-lettered message keeps its number.
    pub sequence: u64,
    /// The id by which duplicates are detected: the sender's, or one that the broker has generated.
    pub message_id: String,
    /// The id of the session, if the sender set one.
    pub session_id: Option<String>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// The sender's own properties, by name. A dead-lettered message also has `DeadLetterReason` and
    /// `DeadLetterErrorDescription`.
    pub properties: BTreeMap<String, Value>,
    /// The media type of the body, if the sender set one.
    pub content_type: Option<String>,
    /// The id by which the sender relates answers to the message.
    pub correlation_id: Option<String>,
    /// When the broker accepted the message.
    pub enqueued_at: Timestamp,
    /// From when on receivers can get the message.
    pub visible_at: Timestamp,
    /// How many deliveries have failed so far: they were abandoned, or their lock expired.
    pub failures: u32,
}

/// Identifies the lock of one delivery. Whoever has the token can complete, abandon or renew it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockToken(pub(super) u64);

impl LockToken {
    /// The number of the token, unique within a [`Queue`](crate::queue::Queue).
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A message that a receiver has got under a lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The token with which the receiver completes or abandons the delivery, or renews its lock.
    pub token: LockToken,
    /// The received message.
    pub message: Arc<StoredMessage>,
    /// Which delivery of the message this is: 1 for the first.
    pub delivery_count: u32,
    /// When the lock expires unless it is renewed.
    pub locked_until: Timestamp,
}

/// How many messages a queue has, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that are visible and not locked.
    pub ready: usize,
    /// Messages that are not visible yet.
    pub scheduled: usize,
    /// Messages that a receiver has, or whose outcome is being saved.
    pub in_flight: usize,
    /// Messages in the dead-letter queue of the queue.
    pub dead_lettered: usize,
}
