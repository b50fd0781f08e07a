//! The progress of the deliveries to each webhook, for the simulator's window. Kept in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::{Value, json};

/// The progress of one webhook since the start.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// Whether the handshake was granted.
    pub(crate) granted: bool,
    /// How many deliveries were accepted, including repeats.
    pub(crate) taken: u64,
    /// How many were not.
    pub(crate) missed: u64,
    /// The ids of events that will not be retried.
    pub(crate) given_up: Vec<String>,
    /// The number of the last event that is done with.
    #[serde(skip)]
    pub(crate) done: u64,
}

/// The progress of all webhooks, by address.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<BTreeMap<String, Progress>>);

impl Subscribers {
    /// Updates the progress of one webhook.
    pub(crate) fn note(&self, name: &str, what: impl FnOnce(&mut Progress)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        what(all.entry(name.to_owned()).or_default());
    }

    /// Whether all webhooks are done with this event.
    pub(crate) fn are_done(&self, last: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().all(|progress| progress.done >= last)
    }

    /// The progress of all webhooks, as JSON.
    pub(crate) fn show(&self) -> Value {
        json!(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
