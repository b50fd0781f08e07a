//! The request journal. The entry of a change is saved together with the change. The entries of reads wait in memory
//! for the next write, and are lost if the process is killed before it.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use crate::store::Entry;

/// How many entries may wait in memory before they are written without waiting for a change.
const MOST_WAITING: usize = 256;

/// The journal entries that are not in the state file yet, in order.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

impl Journal {
    /// Adds an entry. Returns whether so many entries wait that they should be written now.
    pub(crate) fn hold(&self, entry: Entry) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(entry);
        waiting.len() >= MOST_WAITING
    }

    /// Takes all waiting entries. The caller writes them to the state file before any later entry.
    pub(crate) fn take(&self) -> Vec<Entry> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
