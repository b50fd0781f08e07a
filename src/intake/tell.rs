//! What the intake tells of a message: how its span ended, and one more answer in the count.

use tenantry_core::tenant::Action;

use super::{IntakeDecision, RequestAnswer};
use crate::{
    ports::StoreError,
    telemetry::{Span, metrics},
};

/// Takes down how a message was answered.
pub(super) fn answered(span: &mut Span, action: Option<Action>, answer: Result<&RequestAnswer, &StoreError>) {
    let action = action.map_or("unknown", Action::as_str);
    span.set("tenantry.action", action);
    let Ok(answer) = answer else { return span.fail("not-saved") };
    let verdict = match answer.verdict {
        IntakeDecision::Accepted => "accepted",
        IntakeDecision::Rejected => "rejected",
        IntakeDecision::Planned => "planned",
    };
    span.set("tenantry.outcome", verdict);
    if let Some(tenant) = &answer.tenant_id {
        span.set("tenant.id", tenant.to_string());
    }
    if let Some(operation) = &answer.operation_id {
        span.set("tenantry.operation.id", operation.clone());
    }
    metrics::record(&metrics::REQUESTS, 1.0, || [action.to_owned(), verdict.to_owned()]);
}
