//! The state of the simulated Azure: objects by lower-cased id, reserved names, operations, due items, the journal,
//! events, and messages of the topic.
//!
//! The lowest layer above the file itself ([`crate::db`]): it does not depend on HTTP, services or resource types.
//! [`Change`] writes and [`Snapshot`] reads; what both can read is in the trait [`StoreQuery`].

mod change;
mod due;
mod journal_entry;
mod object;
mod operation;
mod query;
mod snapshot;
mod tables;

pub(crate) use self::{
    change::Change,
    due::Due,
    journal_entry::Entry,
    object::Object,
    operation::{Failure, Operation, Work},
    query::StoreQuery,
    snapshot::Snapshot,
    tables::{OBJECTS, decode, encode, fault, secret},
};
