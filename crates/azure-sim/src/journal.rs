//! The request journal. The line of a change is durable with the change. Lines of reads wait in memory for the next
//! write and can be lost with the process.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use crate::store::Entry;

/// How many lines may wait before they are written on their own.
const MOST_WAITING: usize = 256;

/// Lines that are not in the file yet.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

impl Journal {
    /// Keeps a line. Returns whether enough lines wait to be written now.
    pub(crate) fn hold(&self, entry: Entry) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(entry);
        waiting.len() >= MOST_WAITING
    }

    /// Takes the waiting lines, to be written before any later one.
    pub(crate) fn take(&self) -> Vec<Entry> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
