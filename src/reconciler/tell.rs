//! What the reconciler tells of its work: the spans of a drive and of its acts, and the numbers of steps and operations.

use jiff::Timestamp;
use serde::Serialize;
use tenantry_core::{
    engine::{Event, Observation, Outcome},
    ids::StepName,
    steps::Comparison,
    tenant::{Action, Status, StepRecord, StepState, Tenant},
};

use super::{Progress, drive::Drive};
use crate::{
    ports::StoreError,
    telemetry::{KeyValue, Span, SpanKind, Trace, label, metrics},
};

/// Where the work on a tenant belongs: with the request that it is done for, whoever has woken it. The trace of what is
/// under way was begun by another process perhaps, long ago.
pub(super) fn home(tenant: &Tenant) -> Option<Trace> {
    Trace::parse(tenant.operation()?.traceparent.as_deref()?)
}

/// The span of a drive: a part of the present work if that belongs to the same trace, else of the request's, with the
/// present work as a link.
pub(super) fn drive(tenant: &Tenant, home: Option<Trace>) -> Span {
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
        Some(home) => Span::under(Some(home), here, SpanKind::Internal, || "drive", attributes),
        None => Span::begin(SpanKind::Internal, || "drive", attributes),
    }
}

/// Takes down how a drive ended.
pub(super) fn driven(span: &mut Span, ended: Result<&Progress, &StoreError>) {
    match ended {
        Ok(Progress::Settled(status)) => span.set("tenantry.outcome", status.word()),
        Ok(Progress::Parked(_)) => span.set("tenantry.outcome", "parked"),
        Ok(Progress::Held(_)) => span.set("tenantry.outcome", "held"),
        Ok(Progress::Unknown) => span.set("tenantry.outcome", "unknown"),
        Err(_) => span.fail("not-saved"),
    }
}

/// The span of one act.
pub(super) fn act(does: &'static str, name: &StepName, record: &StepRecord) -> Span {
    Span::begin(
        SpanKind::Internal,
        || format!("{does} {name}"),
        || {
            vec![
                KeyValue::new("tenantry.act", does),
                KeyValue::new("tenantry.step", name.to_string()),
                KeyValue::new("tenantry.step.kind", word(record.kind)),
            ]
        },
    )
}

/// Takes down what an act came to.
pub(super) fn acted(span: &mut Span, event: &Event) {
    match event {
        Event::Failed(failure) | Event::Unanswered(failure) => span.fail(failure.cause.code.clone()),
        Event::Observed(Observation::Wanted(verdict, _)) => span.set("tenantry.outcome", seen(verdict)),
        Event::Answered(_) => span.set("tenantry.outcome", "matches"),
        Event::Observed(_)
        | Event::Proved(_)
        | Event::Began { .. }
        | Event::Found { .. }
        | Event::Written
        | Event::Unaskable
        | Event::Running { .. } => span.set("tenantry.outcome", event.word()),
    }
}

fn seen(verdict: &Comparison) -> &'static str {
    match verdict {
        Comparison::Absent => "absent",
        Comparison::Matches(_) => "matches",
        Comparison::Differs(_) => "differs",
        Comparison::Immutable(_) => "immutable",
        Comparison::Settling => "settling",
        Comparison::Foreign(_) => "foreign",
        Comparison::Lingering(_) => "lingering",
        Comparison::Broken(_) => "broken",
    }
}

impl Drive<'_> {
    /// The numbers of a step that an event has moved.
    pub(super) fn count_step(&self, name: &StepName, before: Option<StepState>, now: Timestamp) {
        let Some((before, record)) = before.zip(self.tenant.steps().get(name)) else { return };
        match (&before, &record.state) {
            (StepState::Writing(_) | StepState::Settling { .. }, StepState::Ready(_)) => {
                let Some(wrote_at) = record.wrote_at else { return };
                let took = now.duration_since(wrote_at).as_secs_f64().max(0.0);
                metrics::record(&metrics::STEP_DURATION, took, || {
                    [blueprint(&self.tenant), name.to_string(), word(record.kind)]
                });
            }
            (before, StepState::Backoff { cause, .. }) if *before != record.state => {
                metrics::record(&metrics::RETRIES, 1.0, || [label(&cause.code), word(cause.class)]);
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

    /// The numbers of the operations that an outcome has ended, as they were before it.
    pub(super) fn count_operations(&self, ended: &[(Action, Timestamp)], outcome: &Outcome, now: Timestamp) {
        let word = match (outcome, self.tenant.status) {
            (Outcome::Ready | Outcome::Removed, _) => "succeeded",
            (Outcome::Halted(_), Status::Failed) => "failed",
            (Outcome::Halted(_), _) => "waiting",
        };
        for (action, started_at) in ended {
            metrics::record(&metrics::OPERATIONS, 1.0, || [action.as_str().to_owned(), word.to_owned()]);
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

/// The word of a kind or class, as it is written everywhere.
fn word(of: impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}
