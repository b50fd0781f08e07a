//! The broker's tables in its redb file.
//!
//! From the end of its lock to the end of the write that saves its outcome, a message is not delivered. So no two
//! changes of one message run at a time, and the order in which tasks reach the writer does not matter.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable as _, TableDefinition, TableError, WriteTransaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    db::{Db, DbError},
    queue::{
        broker::{Fate, Settled},
        error::QueueError,
        message::{NewMessage, StoredMessage},
    },
};

/// A stored message: the number of failed deliveries, the [`Header`] as JSON, and the body.
type Row = (u32, &'static [u8], &'static [u8]);
/// The stored messages, by queue and number.
const MESSAGES: TableDefinition<'_, (&str, u64), Row> = TableDefinition::new("queue_messages");
/// The number of the next message, by queue.
const SEQUENCES: TableDefinition<'_, &str, u64> = TableDefinition::new("queue_sequences");
/// The message ids that are remembered to detect duplicates: queue and message id, to the time at which the message was
/// accepted (in milliseconds since 1970) and its number.
const SEEN: TableDefinition<'_, (&str, &str), (i64, u64)> = TableDefinition::new("queue_seen");
/// The message ids of `SEEN` ordered by time, to find expired ones: queue, milliseconds since 1970 and number, to
/// message id.
const SEEN_AT: TableDefinition<'_, (&str, i64, u64), &str> = TableDefinition::new("queue_seen_at");

/// How many expired message ids one send removes. It is more than the one that a send adds, so that the tables shrink.
const PRUNE: usize = 8;

#[derive(Serialize, Deserialize)]
struct Header {
    message_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    properties: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    enqueued_at: Timestamp,
    visible_at: Timestamp,
}

/// The result of sending a message.
pub(super) struct Sent {
    pub(super) sequence: u64,
    /// The stored message; `None` if it was a duplicate, which is not stored.
    pub(super) fresh: Option<StoredMessage>,
}

/// Calls `each` with the queue and the content of every stored message.
pub(super) fn load(db: &Db, mut each: impl FnMut(&str, StoredMessage)) -> Result<(), DbError> {
    let transaction = db.read()?;
    let table = match transaction.open_table(MESSAGES) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for row in table.iter()? {
        let (key, value) = row?;
        let (queue, sequence) = key.value();
        let (failures, header, body) = value.value();
        match serde_json::from_slice::<Header>(header) {
            Ok(header) => each(queue, message(sequence, failures, header, body.to_vec())),
            // The message stays in the file, for a version that can read it. The other messages are delivered.
            Err(error) => {
                tracing::error!(queue.name = queue, message.sequence = sequence, %error, "a stored message can't be read");
            }
        }
    }
    Ok(())
}

/// Stores a new message, unless a message with the same id was sent within the duplicate window.
pub(super) fn send(
    tx: &WriteTransaction,
    queue: &str,
    new: NewMessage,
    window: Option<Duration>,
    now: Timestamp,
) -> Result<Sent, QueueError> {
    if let (Some(window), Some(id)) = (window, &new.message_id)
        && let Some(sequence) = seen(tx, queue, id, oldest(window, now))?
    {
        return Ok(Sent { sequence, fresh: None });
    }
    let sequence = next_sequence(tx, queue)?;
    if let (Some(window), Some(id)) = (window, &new.message_id) {
        remember(tx, queue, id, sequence, now)?;
        forget(tx, queue, oldest(window, now))?;
    }
    let header = Header {
        message_id: new.message_id.unwrap_or_else(|| format!("{queue}-{sequence}")),
        session_id: new.session_id,
        properties: new.properties,
        content_type: new.content_type,
        correlation_id: new.correlation_id,
        enqueued_at: now,
        visible_at: new.enqueue_at.map_or(now, |at| at.max(now)),
    };
    let message = message(sequence, 0, header, new.body);
    put(tx, queue, &message)?;
    Ok(Sent { sequence, fresh: Some(message) })
}

/// Saves the outcome of a delivery: removes the message, updates it, or moves it to the dead-letter queue.
pub(super) fn settle(tx: &WriteTransaction, settled: &Settled) -> Result<(), DbError> {
    let (queue, sequence) = (settled.taken.queue.as_str(), settled.taken.message.sequence);
    match &settled.fate {
        Fate::Done => {
            tx.open_table(MESSAGES)?.remove((queue, sequence))?;
        }
        Fate::Again(message) => {
            let there = tx.open_table(MESSAGES)?.get((queue, sequence))?.is_some();
            if there {
                put(tx, queue, message)?;
            }
        }
        Fate::DeadLetter { queue: dead_letters, message } => {
            tx.open_table(MESSAGES)?.remove((queue, sequence))?;
            put(tx, dead_letters, message)?;
        }
    }
    Ok(())
}

fn put(tx: &WriteTransaction, queue: &str, message: &StoredMessage) -> Result<(), DbError> {
    let header = Header {
        message_id: message.message_id.clone(),
        session_id: message.session_id.clone(),
        properties: message.properties.clone(),
        content_type: message.content_type.clone(),
        correlation_id: message.correlation_id.clone(),
        enqueued_at: message.enqueued_at,
        visible_at: message.visible_at,
    };
    let header = serde_json::to_vec(&header).map_err(|error| DbError::Storage(error.to_string()))?;
    let value = (message.failures, header.as_slice(), message.body.as_slice());
    tx.open_table(MESSAGES)?.insert((queue, message.sequence), value)?;
    Ok(())
}

fn message(sequence: u64, failures: u32, header: Header, body: Vec<u8>) -> StoredMessage {
    StoredMessage {
        sequence,
        message_id: header.message_id,
        session_id: header.session_id,
        body,
        properties: header.properties,
        content_type: header.content_type,
        correlation_id: header.correlation_id,
        enqueued_at: header.enqueued_at,
        visible_at: header.visible_at,
        failures,
    }
}

fn next_sequence(tx: &WriteTransaction, queue: &str) -> Result<u64, DbError> {
    let mut table = tx.open_table(SEQUENCES)?;
    let next = table.get(queue)?.map_or(1, |next| next.value());
    table.insert(queue, next.saturating_add(1))?;
    Ok(next)
}

fn oldest(window: Duration, now: Timestamp) -> i64 {
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    now.checked_sub(window).unwrap_or(Timestamp::MIN).as_millisecond()
}

fn seen(tx: &WriteTransaction, queue: &str, id: &str, oldest: i64) -> Result<Option<u64>, DbError> {
    let table = tx.open_table(SEEN)?;
    let found = table.get((queue, id))?.map(|row| row.value());
    Ok(found.filter(|(at, _)| *at > oldest).map(|(_, sequence)| sequence))
}

fn remember(
    tx: &WriteTransaction,
    queue: &str,
    id: &str,
    sequence: u64,
    now: Timestamp,
) -> Result<(), DbError> {
    let at = now.as_millisecond();
    tx.open_table(SEEN)?.insert((queue, id), (at, sequence))?;
    tx.open_table(SEEN_AT)?.insert((queue, at, sequence), id)?;
    Ok(())
}

fn forget(tx: &WriteTransaction, queue: &str, oldest: i64) -> Result<(), DbError> {
    let mut by_time = tx.open_table(SEEN_AT)?;
    let mut by_id = tx.open_table(SEEN)?;
    let mut old = Vec::new();
    for row in by_time.range((queue, i64::MIN, 0)..=(queue, oldest, u64::MAX))?.take(PRUNE) {
        let (key, id) = row?;
        let (_, at, sequence) = key.value();
        old.push((at, sequence, id.value().to_owned()));
    }
    for (at, sequence, id) in old {
        by_time.remove((queue, at, sequence))?;
        // If the id was sent again after its window, the newer row stays.
        let same = by_id.get((queue, id.as_str()))?.is_some_and(|row| row.value() == (at, sequence));
        if same {
            by_id.remove((queue, id.as_str()))?;
        }
    }
    Ok(())
}
