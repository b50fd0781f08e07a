//! The record of a long-running operation, and of its failure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest pause between polls that any service asks for.
const LONGEST_PAUSE_SECONDS: i64 = 15;

/// What an operation does to its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Creates or updates it.
    Write,
    /// Deletes it, softly where the type supports it.
    Delete,
    /// Purges it.
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
    /// The failure with which it ends or has ended, if any.
    pub(crate) failure: Option<Failure>,
    /// Whether it has ended.
    pub(crate) done: bool,
    pub(crate) tenant: Option<String>,
    /// The object id of the caller that started it, if known; only that caller may poll it.
    #[serde(default)]
    pub(crate) caller: Option<String>,
}

/// The failure of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The provisioning state afterwards.
    #[serde(default = "failed")]
    pub(crate) state: String,
}

fn failed() -> String {
    "Failed".to_owned()
}

impl Operation {
    /// How many seconds a caller should wait before the next poll; none if that is less than one.
    pub(crate) fn pause(&self, now: Timestamp) -> Option<i64> {
        let left = self.ends.duration_since(now).as_secs();
        (left >= 1).then(|| left.min(LONGEST_PAUSE_SECONDS))
    }
}
