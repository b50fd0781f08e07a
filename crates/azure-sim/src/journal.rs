//! The request journal. A change's line is durable with the change; lines of mere reads wait in memory for the next
//! write and can be lost with the process.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use crate::store::Entry;

/// How many lines may wait before they are worth a write of their own.
const MOST_WAITING: usize = 256;

/// Lines on their way to the file.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<Entry>>);

impl Journal {
    /// Keeps a line for later; says whether enough wait to be written now.
    pub(crate) fn hold(&self, entry: Entry) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(entry);
        waiting.len() >= MOST_WAITING
    }

    /// Takes the waiting lines, to be written before anything that comes after them.
    pub(crate) fn take(&self) -> Vec<Entry> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
