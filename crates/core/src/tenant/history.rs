//! An outbox entry as a row of the tenant's history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::TenantId,
    tenant::{Cause, EntryContent, FailureClass, OutboxEntry, RawAnswer},
};

/// One row of a tenant's history. Its key is (tenant, number), so that a repeat overwrites the same row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRow {
    /// The tenant's id.
    pub tenant_id: TenantId,
    /// Rises by one with every row.
    pub number: u64,
    /// When the event or the step's change happened.
    pub at: Timestamp,
    /// What happened: an event's type, or `step`.
    pub what: String,
    /// The step's name; `None` for rows about the tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The step's state; for rows about the tenant, the tenant's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The operation's id, for rows that are events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// The cause of a failure, or the reasons of an isolation verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The service's answer that the failure comes from, redacted and truncated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawAnswer>,
}

/// Makes the row of an outbox entry.
pub fn row_of(tenant: &TenantId, entry: &OutboxEntry) -> HistoryRow {
    let row = HistoryRow {
        tenant_id: tenant.clone(),
        number: entry.number,
        at: entry.at,
        what: "step".to_owned(),
        step: None,
        state: None,
        operation_id: None,
        cause: None,
        raw: None,
    };
    match &entry.content {
        EntryContent::Event { kind, operation_id, data, .. } => HistoryRow {
            what: kind.clone(),
            operation_id: Some(operation_id.clone()),
            state: data.get("status").and_then(|status| status.as_str()).map(str::to_owned),
            cause: reasons(kind, data),
            ..row
        },
        EntryContent::Step { step, state, cause, raw } => HistoryRow {
            step: Some(step.to_string()),
            state: Some(state.clone()),
            cause: cause.clone(),
            raw: raw.clone(),
            ..row
        },
    }
}

/// The `reasons` of an isolation verdict as a cause; `None` for events that have none.
fn reasons(kind: &str, data: &Value) -> Option<Cause> {
    let reasons: Vec<&str> = data.get("reasons")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let (_, verdict) = kind.rsplit_once('.')?;
    let cause = || Cause::ours(FailureClass::Wait, &format!("isolation-{verdict}"), reasons.join("; "));
    (!reasons.is_empty()).then(cause)
}
