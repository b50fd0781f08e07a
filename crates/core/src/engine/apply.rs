//! Applies one event to one step of the document.

use jiff::Timestamp;

use super::{
    Change, Discrepancies, Event, IllegalEvent, Observation, Policy, StepEvent, cut, transitions::At,
};
use crate::{
    ids::StepName,
    tenant::{Cause, EntryContent, OutboxEntry, RawAnswer, StepState, Tenant},
};

/// How many of Azure's answers wait in the document for the history; bounded, so that the document can't grow forever.
const PENDING_ANSWERS: usize = 16;

/// Applies one event; `generation` is the step's generation at the time of the request.
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
    // A discrepancy found earlier is void once something has happened.
    let finding = discrepancies.remove(name);
    let mut at = At { tenant, discrepancies, name, policy, now, reported: None };
    let change = match event {
        Event::Observed(Observation::Compared(comparison, resource)) if !deleting => {
            at.observed(comparison, resource)
        }
        Event::Observed(Observation::Searched(state)) if deleting => at.searched(state),
        Event::Proved(proven) if !deleting => at.proved(*proven),
        // A read for the other goal says nothing here.
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

/// Which events are legal in which state. A finished step does not change until its desired state changes.
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

/// Records a code that the table of errors does not know, whatever the event leads to.
fn note_unknown_code(tenant: &mut Tenant, name: &StepName, event: &Event, now: Timestamp) {
    if let Event::Failed(failure) | Event::Unanswered(failure) = event
        && failure.unlisted
    {
        let status = failure.raw.as_ref().map_or(0, |raw| raw.status);
        tenant.unknown_codes.note(&failure.cause.code, status, name, now);
    }
}

/// Writes a history row for states that mean something to a person, with Azure's answer.
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
