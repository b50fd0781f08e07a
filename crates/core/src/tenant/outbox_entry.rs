//! The entries of the outbox.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cause, RawAnswer};
use crate::ids::StepName;

/// What an entry contains.
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
        /// The operation that it belongs to.
        operation_id: String,
        /// The request that asked for it.
        correlation_id: String,
        /// Where in a trace that request was accepted, as a `traceparent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
        /// The event's `data`.
        data: Value,
    },
    /// A step's change of state; a history row only.
    Step {
        /// The step.
        step: StepName,
        /// The name of the state.
        state: String,
        /// The cause, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
        /// What the service answered then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<RawAnswer>,
    },
}

/// One entry of the outbox, published at least once. A repeat has the same number and the same content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Rises by one with every entry of the tenant; the key of the history row.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub content: EntryContent,
}
