//! Applies one event to one step of the document.

use jiff::Timestamp;

use super::{
    Change, Discrepancies, Event, IllegalEvent, Observation, Policy, StepEvent, cut, transitions::At,
};
use crate::{
    ids::StepName,
    tenant::{Cause, EntryContent, OutboxEntry, RawAnswer, StepState, Tenant},
};

/// How many answers of services the outbox holds at most. Further answers are not recorded until entries are published,
/// so that the document can't grow without bound.
const PENDING_ANSWERS: usize = 16;

/// Applies one event to the tenant's document, and returns what has to be saved. The event's `generation` is the
/// generation of the step when the request was sent.
///
/// # Errors
/// [`IllegalEvent`] if the event can't happen in the step's state, or belongs to an earlier generation. The document is
/// unchanged.
pub fn apply(
    tenant: &mut Tenant,
    discrepancies: &mut Discrepancies,
    happened: StepEvent<'_>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Change, IllegalEvent> {
    let StepEvent { step: name, generation, event } = happened;
    let record = tenant.steps.get(name);
    let legal = record.filter(|record| record.generation == generation && is_legal(&record.state, &event));
    let Some(record) = legal else {
        let state = record.map_or("unknown", |record| record.state.as_str());
        return Err(IllegalEvent { step: name.to_string(), state, event: event.as_str() });
    };
    let (before, deleting) = (record.state.as_str(), record.is_marked_for_deletion());
    note_unknown_code(tenant, name, &event, now);
    let raw = if let Event::Failed(failure) = &event { failure.raw.as_deref().cloned() } else { None };
    // An earlier discrepancy of the step no longer holds once an event has happened to the step.
    let finding = discrepancies.remove(name);
    let mut at = At { tenant, discrepancies, name, policy, now, reported: None };
    let change = match event {
        Event::Observed(Observation::Compared(comparison, resource)) if !deleting => {
            at.observed(comparison, resource)
        }
        Event::Observed(Observation::Searched(state)) if deleting => at.searched(state),
        Event::Proved(proven) if !deleting => at.proved(*proven),
        // The read was for the other goal: for the existence of an object that is now marked for deletion, or the
        // reverse.
        Event::Observed(_) | Event::Proved(_) => Change::None,
        Event::Began { target } => at.began(target, finding.as_ref()),
        Event::Found { target } => at.found(target),
        Event::Answered(outputs) if !deleting => at.answered(outputs),
        Event::Answered(_) | Event::Written => at.written(),
        Event::Unaskable => at.unaskable(),
        Event::Running { operation, after } => at.running(operation, after),
        Event::Unanswered(failure) => at.unanswered(&failure),
        Event::Failed(failure) => at.failed(failure),
    };
    let reported = at.reported.take();
    note_change(tenant, name, before, (reported, raw), now);
    cut::note(tenant, now);
    Ok(change)
}

/// Whether an event can happen in a state. A step that is ready, blocked or deleted takes no event until it is
/// restarted.
fn is_legal(state: &StepState, event: &Event) -> bool {
    match (state, event) {
        (StepState::Ready(_) | StepState::Blocked { .. } | StepState::Deleted(_), _) => false,
        (_, Event::Unanswered(_)) => state.operation().is_some(),
        (
            StepState::Waiting(_),
            Event::Written | Event::Answered(_) | Event::Unaskable | Event::Running { .. },
        ) => false,
        (
            StepState::Waiting(_)
            | StepState::Writing(_)
            | StepState::InProgress { .. }
            | StepState::Backoff { .. },
            Event::Observed(_)
            | Event::Proved(_)
            | Event::Began { .. }
            | Event::Found { .. }
            | Event::Written
            | Event::Answered(_)
            | Event::Unaskable
            | Event::Running { .. }
            | Event::Failed(_),
        ) => true,
    }
}

/// Counts an error code that is not in the table of errors, whatever state the event leads to.
fn note_unknown_code(tenant: &mut Tenant, name: &StepName, event: &Event, now: Timestamp) {
    if let Event::Failed(failure) | Event::Unanswered(failure) = event
        && failure.unlisted
    {
        let status = failure.raw.as_ref().map_or(0, |raw| raw.status);
        tenant.unknown_codes.note(&failure.cause.code, status, name, now);
    }
}

/// Adds a history row to the outbox, with the service's answer, if the step became ready, blocked or deleted, if it
/// waits for a retry, or if the transition reported a cause.
fn note_change(
    tenant: &mut Tenant,
    name: &StepName,
    before: &str,
    (reported, raw): (Option<Cause>, Option<RawAnswer>),
    now: Timestamp,
) {
    let Some(record) = tenant.steps.get(name) else { return };
    let state = record.state.as_str();
    let cause = match &record.state {
        StepState::Waiting(_) | StepState::Ready(_) | StepState::Deleted(_) if reported.is_some() => reported,
        StepState::Blocked { cause, .. } | StepState::Backoff { cause, .. } => Some(cause.clone()),
        StepState::Waiting(_) | StepState::Writing(_) | StepState::InProgress { .. } => return,
        StepState::Ready(_) | StepState::Deleted(_) => None,
    };
    if state != before || cause.is_some() {
        let has_answer =
            |entry: &&OutboxEntry| matches!(entry.content, EntryContent::Step { raw: Some(_), .. });
        let raw = raw.filter(|_| tenant.outbox().iter().filter(has_answer).count() < PENDING_ANSWERS);
        tenant.note(EntryContent::Step { step: name.clone(), state: state.to_owned(), cause, raw }, now);
    }
}
