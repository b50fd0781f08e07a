//! The record of a long-running operation, and of how one fails.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// No service asks for longer pauses between polls than this.
const LONGEST_PAUSE_SECONDS: i64 = 15;

/// What an operation does to its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Makes or changes it.
    Write,
    /// Removes it; if it can be soft-deleted, it is.
    Delete,
    /// Removes it for good.
    Purge,
}

/// A durable record of a long-running operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// The resource's id.
    pub(crate) target: String,
    pub(crate) work: Work,
    pub(crate) started: Timestamp,
    pub(crate) ends: Timestamp,
    /// How it is going to end, or has ended, if not well.
    pub(crate) failure: Option<Failure>,
    /// Whether it has ended.
    pub(crate) done: bool,
    pub(crate) tenant: Option<String>,
    /// The object id of whoever has started it, where that is known; only that one may ask about it.
    #[serde(default)]
    pub(crate) caller: Option<String>,
}

/// Why an operation ends badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    /// In which state it ends.
    #[serde(default = "failed")]
    pub(crate) state: String,
}

fn failed() -> String {
    "Failed".to_owned()
}

impl Operation {
    /// How many seconds a caller should wait before it asks again; none if that is less than one.
    pub(crate) fn pause(&self, now: Timestamp) -> Option<i64> {
        let left = self.ends.duration_since(now).as_secs();
        (left >= 1).then(|| left.min(LONGEST_PAUSE_SECONDS))
    }
}
