//! The telemetry of the reconciler: spans of a pass and of its acts, and metrics of steps and operations.

use jiff::Timestamp;
use serde::Serialize;
use tenantry_core::{
    engine::{Event, Observation, Outcome},
    ids::StepName,
    steps::Comparison,
    tenant::{Action, Status, StepRecord, StepState, Tenant},
};

use super::{Progress, pass::Pass};
use crate::{
    ports::StoreError,
    telemetry::{KeyValue, Span, SpanKind, Trace, label, metrics},
};

/// The trace of the request that the work is done for, whatever started the pass. That trace may have been started by
/// another process, long ago.
pub(super) fn home(tenant: &Tenant) -> Option<Trace> {
    Trace::parse(tenant.operation()?.traceparent.as_deref()?)
}

/// The span of a pass: a child of the current span if that belongs to the same trace; otherwise a child of the
/// request's span, with a link to the current one.
pub(super) fn pass(tenant: &Tenant, home: Option<Trace>) -> Span {
    let attributes = || {
        let mut attributes = vec![KeyValue::new("tenant.id", tenant.id.to_string())];
        if let Some(operation) = tenant.operation() {
            attributes.push(KeyValue::new("tenantry.operation.id", operation.id.clone()));
            attributes.push(KeyValue::new("tenantry.action", operation.action.as_str()));
        }
        attributes
    };
    let here = Trace::current();
    match home.filter(|home| here.is_none_or(|here| here.id() != home.id())) {
        Some(home) => Span::under(Some(home), here, SpanKind::Internal, || "reconcile", attributes),
        None => Span::begin(SpanKind::Internal, || "reconcile", attributes),
    }
}

/// Records in a pass's span how the pass ended.
pub(super) fn reconciled(span: &mut Span, ended: Result<&Progress, &StoreError>) {
    match ended {
        Ok(Progress::Settled(status)) => span.set("tenantry.outcome", status.as_str()),
        Ok(Progress::Requeued(_)) => span.set("tenantry.outcome", "requeued"),
        Ok(Progress::Held(_)) => span.set("tenantry.outcome", "held"),
        Ok(Progress::Unknown) => span.set("tenantry.outcome", "unknown"),
        Err(_) => span.fail("not-saved"),
    }
}

/// The span of one act, such as a read or a write of a step.
pub(super) fn act(does: &'static str, name: &StepName, record: &StepRecord) -> Span {
    Span::begin(
        SpanKind::Internal,
        || format!("{does} {name}"),
        || {
            vec![
                KeyValue::new("tenantry.act", does),
                KeyValue::new("tenantry.step", name.to_string()),
                KeyValue::new("tenantry.step.kind", serialized_name(record.kind)),
            ]
        },
    )
}

/// Records the outcome of an act.
pub(super) fn acted(span: &mut Span, event: &Event) {
    match event {
        Event::Failed(failure) | Event::Unanswered(failure) => span.fail(failure.cause.code.clone()),
        Event::Observed(Observation::Compared(comparison, _)) => {
            span.set("tenantry.outcome", seen(comparison));
        }
        Event::Answered(_) => span.set("tenantry.outcome", "matches"),
        Event::Observed(_)
        | Event::Proved(_)
        | Event::Began { .. }
        | Event::Found { .. }
        | Event::Written
        | Event::Unaskable
        | Event::Running { .. } => span.set("tenantry.outcome", event.as_str()),
    }
}

fn seen(comparison: &Comparison) -> &'static str {
    match comparison {
        Comparison::Absent => "absent",
        Comparison::Matches(_) => "matches",
        Comparison::Drifted(_) => "drifted",
        Comparison::Immutable { .. } => "immutable",
        Comparison::InProgress => "in-progress",
        Comparison::Foreign(_) => "foreign",
        Comparison::SoftDeleted(_) => "soft-deleted",
        Comparison::Failed(_) => "failed",
    }
}

impl Pass<'_> {
    /// Records the metrics of a step that an event has changed.
    pub(super) fn count_step(&self, name: &StepName, before: Option<StepState>, now: Timestamp) {
        let Some((before, record)) = before.zip(self.tenant.steps().get(name)) else { return };
        match (&before, &record.state) {
            (StepState::Writing(_) | StepState::InProgress { .. }, StepState::Ready(_)) => {
                let Some(wrote_at) = record.wrote_at else { return };
                let took = now.duration_since(wrote_at).as_secs_f64().max(0.0);
                metrics::record(&metrics::STEP_DURATION, took, || {
                    [blueprint(&self.tenant), name.to_string(), serialized_name(record.kind)]
                });
            }
            (before, StepState::Backoff { cause, .. }) if *before != record.state => {
                metrics::record(&metrics::RETRIES, 1.0, || {
                    [label(&cause.code), serialized_name(cause.class)]
                });
            }
            _ => {}
        }
    }

    /// Counts an answer whose code the table of errors does not know.
    pub(super) fn count_unknown(event: &Event) {
        if let Event::Failed(failure) | Event::Unanswered(failure) = event
            && failure.unlisted
        {
            let code = &failure.cause.code;
            tracing::warn!(why = code, "a service gave a code that the table of errors does not know");
            metrics::record(&metrics::UNKNOWN_CODES, 1.0, || [label(code)]);
        }
    }

    /// Records the metrics of the operations that an outcome has ended; `ended` is their state before it.
    pub(super) fn count_operations(&self, ended: &[(Action, Timestamp)], outcome: &Outcome, now: Timestamp) {
        let serialized_name = match (outcome, self.tenant.status) {
            (Outcome::Ready | Outcome::Removed, _) => "succeeded",
            (Outcome::Blocked(_), Status::Failed) => "failed",
            (Outcome::Blocked(_), _) => "waiting",
        };
        for (action, started_at) in ended {
            metrics::record(&metrics::OPERATIONS, 1.0, || {
                [action.as_str().to_owned(), serialized_name.to_owned()]
            });
            if *action == Action::Signup && matches!(outcome, Outcome::Ready) {
                let took = now.duration_since(*started_at).as_secs_f64().max(0.0);
                metrics::record(&metrics::TIME_TO_READY, took, || [blueprint(&self.tenant)]);
            }
            let cut = self.tenant.cut.as_ref().and_then(|cut| cut.at);
            if let Some(at) = cut.filter(|_| *action == Action::Suspend && matches!(outcome, Outcome::Ready))
            {
                let took = at.duration_since(*started_at).as_secs_f64().max(0.0);
                metrics::record(&metrics::ACCESS_CUT, took, || [blueprint(&self.tenant)]);
            }
        }
    }
}

fn blueprint(tenant: &Tenant) -> String {
    tenant.plan.blueprint.name.clone()
}

/// The name with which a step's kind or a failure class is serialized.
fn serialized_name(of: impl Serialize) -> String {
    serde_json::to_value(of)
        .ok()
        .and_then(|serialized_name| Some(serialized_name.as_str()?.to_owned()))
        .unwrap_or_default()
}
