//! The entries of the outbox.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cause, RawAnswer};
use crate::ids::StepName;

/// What an outbox entry contains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "of")]
pub enum EntryContent {
    /// An event for subscribers; a history row as well.
    #[serde(rename_all = "camelCase")]
    Event {
        /// The type without `io.tenantry.` and version, e.g. `tenant.provision.succeeded`.
        kind: String,
        /// Rises by one with every event of the tenant.
        sequence: u64,
        /// The id of the operation that the event belongs to.
        operation_id: String,
        /// The id of the request that started the operation.
        correlation_id: String,
        /// The `traceparent` of the trace in which the request was accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
        /// The event's `data`.
        data: Value,
    },
    /// A step's change of state; a history row only.
    Step {
        /// The step's name.
        step: StepName,
        /// The name of the step's new state.
        state: String,
        /// The cause, if the step failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
        /// The service's answer that the failure comes from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<RawAnswer>,
    },
}

/// One entry of the outbox, published at least once. A repeat has the same number and the same content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Rises by one with every entry of the tenant; the key of the history row.
    pub number: u64,
    /// When the change happened.
    pub at: Timestamp,
    /// The event or the step's change.
    #[serde(flatten)]
    pub content: EntryContent,
}
