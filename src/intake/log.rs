//! The telemetry of the intake: the result of a message in its span, and the number of answers.

use tenantry_core::tenant::Action;

use super::{IntakeDecision, RequestAnswer};
use crate::{
    ports::StoreError,
    telemetry::{Span, metrics},
};

/// Records the answer to a message in its span and in a metric.
pub(super) fn answered(span: &mut Span, action: Option<Action>, answer: Result<&RequestAnswer, &StoreError>) {
    let action = action.map_or("unknown", Action::as_str);
    span.set("tenantry.action", action);
    let Ok(answer) = answer else { return span.fail("not-saved") };
    let decision = match answer.decision {
        IntakeDecision::Accepted => "accepted",
        IntakeDecision::Rejected => "rejected",
        IntakeDecision::Planned => "planned",
    };
    span.set("tenantry.outcome", decision);
    if let Some(tenant) = &answer.tenant_id {
        span.set("tenant.id", tenant.to_string());
    }
    if let Some(operation) = &answer.operation_id {
        span.set("tenantry.operation.id", operation.clone());
    }
    metrics::record(&metrics::REQUESTS, 1.0, || [action.to_owned(), decision.to_owned()]);
}
