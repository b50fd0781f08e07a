//! A message broker in a redb file, with the features of Service Bus that the product uses.
//!
//! The features are peek-lock, sessions in order with one message in flight each, delivery counts, dead-lettering,
//! scheduled messages, lock renewal and expiry, and duplicate detection. Not included, because the product does not use
//! them, are topics, deferral, transactions, time to live, and explicit dead-lettering (a custom handler of Azure
//! Functions can't do that either).
//!
//! # Guarantees
//! - [`Queue::send`], [`Queue::complete`] and [`Queue::abandon`] return once their effect is durable.
//! - A message is delivered until it is completed or dead-lettered: at least once, never lost.
//! - Within a session, messages are delivered in the order in which they became visible. An abandoned message is
//!   delivered again before the messages behind it.
//!
//! # Caveats
//! - Locks are kept in memory, since only one process can open the file. After a crash there are no locks, and the
//!   deliveries of the crashed process are not counted: ten crashes of a local process must not dead-letter a sign-up.
//! - A session is locked for one message, not for a while; the order that a receiver gets is the same.
//! - The time is an argument of every call, and nothing happens between calls. To wait for work, use
//!   [`Queue::next_due`] and [`Queue::changes`].

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
