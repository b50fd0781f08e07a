//! The progress of the deliveries to each webhook, as `/_sim/subscribers` shows it. Kept in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::{Value, json};

/// The progress of the deliveries to one webhook since the process has started.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// Whether the webhook has granted the handshake.
    pub(crate) granted: bool,
    /// How many deliveries the webhook has accepted, including repeated ones.
    pub(crate) taken: u64,
    /// How many deliveries the webhook has not accepted.
    pub(crate) missed: u64,
    /// The ids of events that were not accepted and will not be retried.
    pub(crate) given_up: Vec<String>,
    /// The number of the last event that is accepted or will not be retried.
    #[serde(skip)]
    pub(crate) done: u64,
}

/// The progress of all webhooks, by URL without query.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<BTreeMap<String, Progress>>);

impl Subscribers {
    /// Updates the progress of the webhook with this name (URL without query).
    pub(crate) fn note(&self, name: &str, what: impl FnOnce(&mut Progress)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        what(all.entry(name.to_owned()).or_default());
    }

    /// Whether all events up to the one with this number are accepted by every webhook, or will not be retried.
    pub(crate) fn are_done(&self, last: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().all(|progress| progress.done >= last)
    }

    /// The progress of all webhooks, as JSON.
    pub(crate) fn show(&self) -> Value {
        json!(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
