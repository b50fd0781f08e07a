//! The message that schedules the next reconcile pass of a tenant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenantry_core::ids::TenantId;

use crate::telemetry::Trace;

/// The body of a wake-up message, as JSON: `{"tenantId": "acme", "traceparent": "00-..."}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WakeUp {
    /// The tenant to reconcile.
    pub tenant_id: TenantId,
    /// The trace context of the sender, as W3C's `traceparent`; `None` if there was no span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl WakeUp {
    /// Creates a wake-up for a tenant, with the trace context of the current span.
    pub fn new(tenant: &TenantId) -> Self {
        Self { tenant_id: tenant.clone(), traceparent: Trace::current_header() }
    }

    /// The message's body, as JSON.
    pub fn body(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The id of the message that wakes a tenant at an instant. The queue's duplicate detection drops a message whose
    /// id it has seen, so several sweeps that find a tenant overdue enqueue one wake-up. A wake-up for another instant
    /// has another id.
    pub fn message_id(tenant: &TenantId, at: Timestamp) -> String {
        format!("{tenant}@{at}")
    }
}
