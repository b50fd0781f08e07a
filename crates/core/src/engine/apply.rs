//! Takes in what happened to one step.

use jiff::Timestamp;

use super::{Change, Event, IllegalEvent, Observation, Policy, Sight, StepEvent, cut, transitions::At};
use crate::{
    ids::StepName,
    tenant::{Cause, Notice, RawAnswer, StepState, Story, Tenant},
};

/// How many of Azure's answers wait in the document for being written to history: it can't grow without end.
const PENDING_ANSWERS: usize = 16;

/// Takes in one event; `turn` is the step's turn when its question was asked.
///
/// # Errors
/// [`IllegalEvent`] when the event can't happen in the step's state, or belongs to an earlier turn; nothing is changed.
pub fn apply(
    tenant: &mut Tenant,
    sight: &mut Sight,
    happened: StepEvent<'_>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Change, IllegalEvent> {
    let StepEvent { step: name, turn, event } = happened;
    let record = tenant.steps.get(name);
    let legal = record.filter(|record| record.turn == turn && is_legal(&record.state, &event));
    let Some(record) = legal else {
        let state = record.map_or("unknown", |record| record.state.word());
        return Err(IllegalEvent { step: name.to_string(), state, event: event.word() });
    };
    let (before, doomed) = (record.state.word(), record.is_doomed());
    note_unknown_code(tenant, name, &event, now);
    let raw = if let Event::Failed(failure) = &event { failure.raw.as_deref().cloned() } else { None };
    // What was found before calls for nothing any more once something has happened.
    let finding = sight.remove(name);
    let mut at = At { tenant, sight, name, policy, now, told: None };
    let change = match event {
        Event::Observed(Observation::Wanted(verdict, resource)) if !doomed => at.observed(verdict, resource),
        Event::Observed(Observation::Unwanted(trace)) if doomed => at.searched(trace),
        Event::Proved(proven) if !doomed => at.proved(*proven),
        // A look of the other direction says nothing here.
        Event::Observed(_) | Event::Proved(_) => Change::None,
        Event::Began { target } => at.began(target, finding.as_ref()),
        Event::Found { target } => at.found(target),
        Event::Answered(outputs) if !doomed => at.answered(outputs),
        Event::Answered(_) | Event::Written => at.written(),
        Event::Unaskable => at.unaskable(),
        Event::Running { operation, after } => at.running(operation, after),
        Event::Unanswered(failure) => at.unanswered(&failure),
        Event::Failed(failure) => at.failed(failure),
    };
    let told = at.told.take();
    note_change(tenant, name, before, (told, raw), now);
    cut::note(tenant, now);
    Ok(change)
}

/// What may happen in which state. A finished step is not touched until its wish changes.
fn is_legal(state: &StepState, event: &Event) -> bool {
    match (state, event) {
        (StepState::Ready(_) | StepState::Halted { .. } | StepState::Gone(_), _) => false,
        (_, Event::Unanswered(_)) => state.operation().is_some(),
        (
            StepState::Waiting(_),
            Event::Written | Event::Answered(_) | Event::Unaskable | Event::Running { .. },
        ) => false,
        (
            StepState::Waiting(_)
            | StepState::Writing(_)
            | StepState::Settling { .. }
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

/// A code that the table of errors does not know is remembered, whatever comes of the event.
fn note_unknown_code(tenant: &mut Tenant, name: &StepName, event: &Event, now: Timestamp) {
    if let Event::Failed(failure) | Event::Unanswered(failure) = event
        && failure.unlisted
    {
        let status = failure.raw.as_ref().map_or(0, |raw| raw.status);
        tenant.unknown_codes.note(&failure.cause.code, status, name, now);
    }
}

/// History tells of states that mean something to a person, and what Azure answered.
fn note_change(
    tenant: &mut Tenant,
    name: &StepName,
    before: &str,
    (told, raw): (Option<Cause>, Option<RawAnswer>),
    now: Timestamp,
) {
    let Some(record) = tenant.steps.get(name) else { return };
    let state = record.state.word();
    let cause = match &record.state {
        StepState::Waiting(_) | StepState::Ready(_) | StepState::Gone(_) if told.is_some() => told,
        StepState::Halted { cause, .. } | StepState::Backoff { cause, .. } => Some(cause.clone()),
        StepState::Waiting(_) | StepState::Writing(_) | StepState::Settling { .. } => return,
        StepState::Ready(_) | StepState::Gone(_) => None,
    };
    if state != before || cause.is_some() {
        let has_answer = |notice: &&Notice| matches!(notice.story, Story::Step { raw: Some(_), .. });
        let raw = raw.filter(|_| tenant.notices().iter().filter(has_answer).count() < PENDING_ANSWERS);
        tenant.note(Story::Step { step: name.clone(), state: state.to_owned(), cause, raw }, now);
    }
}
