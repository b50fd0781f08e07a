//! What the simulated Azure remembers: objects by lower-cased id, taken names, operations, what falls due, the journal,
//! events, and messages of the topic.
//!
//! The lowest floor but for the file itself ([`crate::db`]): it knows nothing of HTTP, of services or of resource types.
//! [`Change`] writes and [`Snapshot`] reads; what both can read is in the trait [`Look`].

mod change;
mod due;
mod journal_entry;
mod look;
mod object;
mod operation;
mod snapshot;
mod tables;

pub(crate) use self::{
    change::Change,
    due::Due,
    journal_entry::Entry,
    look::Look,
    object::Object,
    operation::{Failure, Operation, Work},
    snapshot::Snapshot,
    tables::{OBJECTS, decode, encode, fault, secret},
};
