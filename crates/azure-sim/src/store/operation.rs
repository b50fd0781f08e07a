//! The record of a long-running operation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest pause between two polls that a service asks for.
const LONGEST_PAUSE_SECONDS: i64 = 15;

/// What a long-running operation does to its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Creates or updates the resource.
    Write,
    /// Deletes the resource; soft-deletes it if its type supports that.
    Delete,
    /// Deletes the resource permanently.
    Purge,
}

/// The durable record of a long-running operation, running or ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// The id of the resource.
    pub(crate) target: String,
    pub(crate) work: Work,
    pub(crate) started: Timestamp,
    pub(crate) ends: Timestamp,
    /// The failure with which the operation will end or has ended; `None` if it succeeds.
    pub(crate) failure: Option<Failure>,
    /// Whether the operation has ended.
    pub(crate) done: bool,
    pub(crate) tenant: Option<String>,
    /// The object id of the caller that started the operation, if known. Only that caller may poll it.
    #[serde(default)]
    pub(crate) caller: Option<String>,
}

/// The failure of an operation: an error code with its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The provisioning state of the resource after the failure: `Failed` unless given.
    #[serde(default = "failed")]
    pub(crate) state: String,
}

fn failed() -> String {
    "Failed".to_owned()
}

impl Operation {
    /// How many seconds a caller should wait before the next poll; `None` if the operation ends within a second.
    pub(crate) fn pause(&self, now: Timestamp) -> Option<i64> {
        let left = self.ends.duration_since(now).as_secs();
        (left >= 1).then(|| left.min(LONGEST_PAUSE_SECONDS))
    }
}
