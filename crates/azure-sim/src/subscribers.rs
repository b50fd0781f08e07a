//! How far the deliveries to each webhook have come, for the simulator's window. Kept in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::{Value, json};

/// How far one has come since the cloud was started.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// Whether the handshake was granted.
    pub(crate) granted: bool,
    /// How many deliveries were taken, repeats among them.
    pub(crate) taken: u64,
    /// How many were not.
    pub(crate) missed: u64,
    /// The ids of events that will not be tried again.
    pub(crate) given_up: Vec<String>,
    /// The number of the last event that is done with.
    #[serde(skip)]
    pub(crate) told: u64,
}

/// The progress of all, by address.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<BTreeMap<String, Progress>>);

impl Subscribers {
    /// Notes what has happened to one.
    pub(crate) fn note(&self, name: &str, what: impl FnOnce(&mut Progress)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        what(all.entry(name.to_owned()).or_default());
    }

    /// Whether all have been told up to this event.
    pub(crate) fn are_told(&self, last: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().all(|progress| progress.told >= last)
    }

    /// All, as a test looks at them.
    pub(crate) fn show(&self) -> Value {
        json!(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
