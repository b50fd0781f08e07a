//! The state of the simulated Azure: objects by lower-cased id, reserved names, operations, scheduled items, the
//! journal, events, and messages of the Service Bus topic.
//!
//! This is the lowest layer above the file itself ([`crate::db`]): it does not depend on HTTP, services or resource
//! types. [`Change`] writes and [`Snapshot`] reads; the queries of both are in the trait [`StoreQuery`].

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
