//! Messages: as they are sent, held and handed out.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

/// A message as a sender writes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewMessage {
    /// The id by which duplicates are detected, at most 128 characters; none: the broker generates one.
    pub message_id: Option<String>,
    /// The session, at most 128 characters; required by a queue with sessions, ignored by one without.
    pub session_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The sender's own properties.
    pub properties: BTreeMap<String, Value>,
    /// The media type of the body.
    pub content_type: Option<String>,
    /// An id by which the sender correlates answers.
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
    /// When it was accepted.
    pub enqueued_at: Timestamp,
    /// When it becomes or became visible.
    pub visible_at: Timestamp,
    /// How many deliveries have failed so far.
    pub failures: u32,
}

/// The right to settle one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockToken(pub(super) u64);

impl LockToken {
    /// The token's number, unique within this process.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// A message that was handed out under a lock.
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
