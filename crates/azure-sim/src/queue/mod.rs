//! A broker in the state file, with the features of Service Bus that the product uses.
//!
//! Peek-lock, sessions in order with one message in flight each, delivery counts, dead-lettering, scheduled messages,
//! lock renewal and expiry, detection of duplicates. Not included, because nothing here uses them: topics, deferral,
//! transactions, time to live, and explicit dead-lettering (a custom handler can't do it either).
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
//! - Time is passed in with every call; nothing happens by itself. To wait for work, use [`Queue::next_due`] and
//!   [`Queue::changes`].

mod broker;
mod error;
mod handle;
mod message;
mod settings;
mod store;

pub use self::{
    error::QueueError,
    handle::Queue,
    message::{Counts, Delivery, LockToken, NewMessage, StoredMessage},
    settings::{BrokerSettings, DEAD_LETTER_SUFFIX, QueueSettings},
};
