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
    /// The trace context of the sender, as W3C's `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl WakeUp {
    /// A wake-up for a tenant, sent from the current span.
    pub fn new(tenant: &TenantId) -> Self {
        Self { tenant_id: tenant.clone(), traceparent: Trace::current_header() }
    }

    /// The message's body.
    pub fn body(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The message's id. A queue with duplicate detection drops repeats, so however many sweeps find a tenant overdue,
    /// only one wake-up is on its way. Another due time makes another id.
    pub fn message_id(tenant: &TenantId, at: Timestamp) -> String {
        format!("{tenant}@{at}")
    }
}
