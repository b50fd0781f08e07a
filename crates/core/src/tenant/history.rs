//! A notice as a row of the tenant's history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::TenantId,
    tenant::{Cause, FailureClass, Notice, RawAnswer, Story},
};

/// One line of a tenant's history. Its key is (tenant, number), so that a repeat is the same row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRow {
    /// Whose.
    pub tenant_id: TenantId,
    /// Rises by one with every row.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What: an event's type, or `step`.
    pub what: String,
    /// The step, for rows about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The step's state, or the tenant's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// Why, when something failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What the service answered then, redacted and cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<RawAnswer>,
}

/// The row of a notice.
pub fn row_of(tenant: &TenantId, notice: &Notice) -> HistoryRow {
    let row = HistoryRow {
        tenant_id: tenant.clone(),
        number: notice.number,
        at: notice.at,
        what: "step".to_owned(),
        step: None,
        state: None,
        operation_id: None,
        cause: None,
        raw: None,
    };
    match &notice.story {
        Story::Event { kind, operation_id, data, .. } => HistoryRow {
            what: kind.clone(),
            operation_id: Some(operation_id.clone()),
            state: data.get("status").and_then(|status| status.as_str()).map(str::to_owned),
            cause: reasons(kind, data),
            ..row
        },
        Story::Step { step, state, cause, raw } => HistoryRow {
            step: Some(step.to_string()),
            state: Some(state.clone()),
            cause: cause.clone(),
            raw: raw.clone(),
            ..row
        },
    }
}

/// Why a verdict is what it is, for events that say so.
fn reasons(kind: &str, data: &Value) -> Option<Cause> {
    let reasons: Vec<&str> = data.get("reasons")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let (_, verdict) = kind.rsplit_once('.')?;
    let told = || Cause::ours(FailureClass::Wait, &format!("isolation-{verdict}"), reasons.join("; "));
    (!reasons.is_empty()).then(told)
}
