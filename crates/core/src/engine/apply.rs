//! Takes in what happened to one step.

use std::time::Duration;

use jiff::Timestamp;

use super::{Change, Event, IllegalEvent, Policy, Seen, Sight, cut, proof, repair, waits};
use crate::{
    blueprint::{Desired, Outputs},
    ids::StepName,
    steps::{Failure, Trace, Verdict},
    tenant::{
        self, Cause, FailureClass, Goal, Notice, Poll, Proof, Proven, RawAnswer, StepRecord, StepState,
        Story, Tenant,
    },
    time::later,
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
    name: &StepName,
    turn: u32,
    event: Event,
    policy: &Policy,
    now: Timestamp,
) -> Result<Change, IllegalEvent> {
    let record = tenant.steps.get(name);
    let legal = record.filter(|record| record.turn == turn && is_legal(record, &event));
    let Some(record) = legal else {
        let state = record.map_or("unknown", |record| record.state.word());
        return Err(IllegalEvent { step: name.to_string(), state, event: event.word() });
    };
    let (before, doomed) = (record.state.word(), record.doomed);
    let raw = if let Event::Failed(failure) = &event { failure.raw.as_deref().cloned() } else { None };
    if let Event::Failed(failure) | Event::Unanswered(failure) = &event
        && failure.unlisted
    {
        let status = failure.raw.as_ref().map_or(0, |raw| raw.status);
        tenant.unknown_codes.note(&failure.cause.code, status, name, now);
    }
    let seen = sight.remove(name);
    let mut at = At { tenant, sight, name, policy, now, told: None };
    let change = match event {
        Event::Seen(Seen::Wanted(verdict, resource)) if !doomed => at.wanted(verdict, resource),
        Event::Seen(Seen::Unwanted(trace)) if doomed => at.unwanted(trace),
        Event::Proved(proven) if !doomed => at.proved(*proven),
        // A look of the other direction says nothing here.
        Event::Seen(_) | Event::Proved(_) => Change::None,
        Event::Began { target } => at.began(target, seen.as_ref()),
        Event::Found { target } => at.record(|record| _ = record.target.get_or_insert(target)),
        Event::Written => at.written(),
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
fn is_legal(record: &StepRecord, event: &Event) -> bool {
    match (&record.state, event) {
        (StepState::Ready | StepState::Halted { .. } | StepState::Gone, _) => false,
        (StepState::Waiting, Event::Written | Event::Running { .. }) => false,
        (StepState::Settling { operation, .. }, Event::Unanswered(_)) => operation.is_some(),
        (_, Event::Unanswered(_)) => false,
        (
            StepState::Waiting | StepState::Writing | StepState::Settling { .. } | StepState::Backoff { .. },
            Event::Seen(_)
            | Event::Proved(_)
            | Event::Began { .. }
            | Event::Found { .. }
            | Event::Written
            | Event::Running { .. }
            | Event::Failed(_),
        ) => true,
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
        StepState::Waiting | StepState::Ready | StepState::Gone if told.is_some() => told,
        StepState::Halted { cause } | StepState::Backoff { cause, .. } => Some(cause.clone()),
        StepState::Waiting | StepState::Writing | StepState::Settling { .. } => return,
        StepState::Ready | StepState::Gone => None,
    };
    if state != before || cause.is_some() {
        let has_answer = |notice: &&Notice| matches!(notice.story, Story::Step { raw: Some(_), .. });
        let raw = raw.filter(|_| tenant.notices.iter().filter(has_answer).count() < PENDING_ANSWERS);
        tenant.note(Story::Step { step: name.clone(), state: state.to_owned(), cause, raw }, now);
    }
}

/// One step under the engine's hands.
pub(super) struct At<'a> {
    pub(super) tenant: &'a mut Tenant,
    pub(super) sight: &'a mut Sight,
    pub(super) name: &'a StepName,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    /// What history is told of a change that is no failure of the step.
    pub(super) told: Option<Cause>,
}

impl At<'_> {
    pub(super) fn record(&mut self, change: impl FnOnce(&mut StepRecord)) -> Change {
        if let Some(record) = self.tenant.steps.get_mut(self.name) {
            change(record);
        }
        Change::Major
    }

    /// How often it was written to some purpose, and whether it is written now. A write that ended in nobody knows what says
    /// nothing about what Azure keeps.
    pub(super) fn heeded(&self) -> (u32, bool) {
        self.peek(|record| (record.attempts.saturating_sub(record.unknown), record.written))
            .unwrap_or_default()
    }

    pub(super) fn peek<T>(&self, ask: impl FnOnce(&StepRecord) -> T) -> Option<T> {
        self.tenant.steps.get(self.name).map(ask)
    }

    fn wanted(&mut self, verdict: Verdict, resource: Option<serde_json::Value>) -> Change {
        let (attempts, written) = self.heeded();
        match &verdict {
            // Whoever made it did so before this document's first write: somebody may be using it.
            Verdict::Matches(_) | Verdict::Differs(_) | Verdict::Settling | Verdict::Broken(_) => {
                self.record(|record| record.in_use |= record.target.is_none());
            }
            Verdict::Absent | Verdict::Foreign(_) | Verdict::Lingering(_) => {}
        }
        match verdict {
            Verdict::Matches(_) if !written && self.may_be_unseen() => {
                // It may show what was there before the last write, or before one that was meant and never sent, for the
                // wish may have come back to what it was. Writing what is there already does no harm.
                let differs = Verdict::Differs(Vec::new());
                self.sight.insert(self.name.clone(), Seen::Wanted(differs, resource));
                Change::None
            }
            Verdict::Matches(outputs) => self.ready(outputs),
            Verdict::Settling => self.running(None, None),
            Verdict::Foreign(owner) => {
                let message = format!("an object of that name belongs to {owner}");
                self.halt(Cause::ours(FailureClass::Foreign, "foreign-object", message))
            }
            Verdict::Broken(cause) => self.broken(cause, resource),
            Verdict::Differs(fields) if attempts >= self.policy.max_writes => {
                let message = format!("Azure keeps other values than asked for at {}", fields.join(", "));
                self.halt(Cause::ours(FailureClass::Permanent, "not-converging", message))
            }
            Verdict::Absent if written => self.behind("it was made, but can't be seen yet"),
            Verdict::Lingering(_) if written => {
                self.behind("it was brought back, but is still seen among the deleted")
            }
            Verdict::Differs(fields) if written => {
                self.behind(&format!("it was changed, but is still seen as it was at {}", fields.join(", ")))
            }
            Verdict::Absent | Verdict::Lingering(_) | Verdict::Differs(_) => {
                self.sight.insert(self.name.clone(), Seen::Wanted(verdict, resource));
                Change::None
            }
        }
    }

    fn unwanted(&mut self, trace: Trace) -> Change {
        let (attempts, written) = self.peek(|record| (record.attempts, record.written)).unwrap_or_default();
        match &trace {
            Trace::Nothing if !written && self.may_be_unseen() => {
                return self.behind("it may have been made, but can't be seen yet");
            }
            Trace::Nothing | Trace::Foreign => return self.gone(),
            Trace::Settling => return self.running(None, None),
            Trace::Retained(until) => return self.retained(*until),
            Trace::Present(_) if written => return self.behind("it was deleted, but is still seen"),
            Trace::Present(told) | Trace::Lingering(told) => {
                if attempts >= 2 * self.policy.max_writes {
                    let message = "Azure keeps it although it was deleted again and again";
                    return self.halt(Cause::ours(FailureClass::Permanent, "not-removable", message));
                }
                // The id is what finds it again once it is soft-deleted.
                let told = told.clone();
                self.record(|record| record.outputs.extend(told));
            }
        }
        self.sight.insert(self.name.clone(), Seen::Unwanted(trace));
        Change::Minor
    }

    fn ready(&mut self, outputs: Outputs) -> Change {
        self.record(|record| {
            record.state = StepState::Ready;
            record.in_use = true;
            record.consent = None;
            record.outputs = outputs;
            record.failures = 0;
            record.unknown = 0;
        })
    }

    /// A pass makes the step ready. Anything else may be lag, so it is looked again some times before a person is asked;
    /// only then is it told.
    fn proved(&mut self, proven: Proven) -> Change {
        let Proof { verdict, digest, reasons, .. } = &proven.proof;
        let passes = match verdict {
            tenant::Verdict::Verified => true,
            tenant::Verdict::Inconclusive => self.accepts_a_gap(),
            tenant::Verdict::Violated => false,
        };
        if passes {
            let outputs = [("verdict", verdict.word()), ("digest", digest)];
            let outputs = outputs.map(|(name, value)| (name.to_owned(), value.into())).into();
            proof::record(self.tenant, proven, self.now);
            return self.ready(outputs);
        }
        let code = format!("isolation-{}", verdict.word());
        let cause = Cause::ours(FailureClass::Wait, &code, reasons.join("; "));
        let is_first = self.peek(|record| record.failures) == Some(0);
        let change = self.failed(Failure { retry_after: proven.retry_after, ..cause.into() });
        if is_first && *verdict == tenant::Verdict::Violated {
            // Somebody may have changed what no step has looked at since: then the steps put it right, and the next proof
            // shows it.
            repair::look_at_all(self.tenant, self.now);
            // They ask the services that the proof has asked, one of which may want to be left alone.
            let asked =
                proven.retry_after.map(|after| later(self.now, after.min(self.policy.operation_deadline)));
            for record in self.tenant.steps.values_mut().filter(|record| record.state == StepState::Waiting) {
                record.not_before = record.not_before.max(asked);
            }
        }
        if self.peek(|record| record.state.halted().is_some()) == Some(true) {
            proof::record(self.tenant, proven, self.now);
        }
        change
    }

    /// Whether the blueprint takes for granted what can't be read.
    fn accepts_a_gap(&self) -> bool {
        let planned = self.tenant.plan.steps.get(self.name);
        planned.is_some_and(
            |step| matches!(&step.desired, Desired::Isolation(proof) if proof.accepts_inconclusive),
        )
    }

    /// Gone; if the plan still wants it, it begins anew.
    pub(super) fn gone(&mut self) -> Change {
        let (name, now) = (self.name.clone(), self.now);
        let planned =
            self.tenant.plan.steps.get(&name).filter(|_| self.tenant.goal == Goal::Present).cloned();
        self.record(|record| {
            record.begin_anew(now);
            record.target = None;
            record.outputs = Outputs::new();
            record.in_use = false;
            match planned {
                Some(planned) => {
                    (record.doomed, record.ground) = (false, None);
                    record.kind = planned.kind();
                    // A replica that is behind still shows what has just gone.
                    record.wrote_at = planned.kind().is_replicated().then_some(now);
                    record.needs = planned.needs;
                    record.digest = planned.digest;
                }
                None => record.state = StepState::Gone,
            }
        })
    }

    fn began(&mut self, target: Option<serde_json::Value>, seen: Option<&Seen>) -> Change {
        let now = self.now;
        self.record(|record| {
            record.state = StepState::Writing;
            record.written = false;
            record.not_before = None;
            // What is written once more to be sure has been found before.
            let found =
                if let Some(Seen::Wanted(verdict, _)) = seen { repair::found(verdict) } else { Vec::new() };
            if !found.is_empty() {
                record.found = found;
            }
            if target.is_some() {
                record.target = target;
                record.wrote_at = Some(now);
            }
        })
    }

    fn written(&mut self) -> Change {
        self.carried_out();
        self.record(|record| {
            // Questions that were not answered are over with the operation.
            if record.state.operation().is_some() {
                record.failures = 0;
            }
            record.state = StepState::Writing;
        });
        Change::Minor
    }

    fn running(&mut self, operation: Option<Poll>, after: Option<Duration>) -> Change {
        let (now, policy) = (self.now, self.policy);
        let known = operation.is_none();
        let Some((since, past)) = self.peek(|record| match &record.state {
            StepState::Settling { operation, .. } => (record.since, operation.clone()),
            // A question that failed in between does not give the same work another deadline.
            StepState::Backoff { .. } => (record.since, None),
            StepState::Waiting | StepState::Writing => (now, None),
            StepState::Ready | StepState::Halted { .. } | StepState::Gone => (now, None),
        }) else {
            return Change::None;
        };
        let tried = waits::tried(self.tenant.steps.get(self.name).filter(|_| since != now), policy, now);
        let age = Duration::try_from(tried.spent).unwrap_or_default();
        let limit = policy.limit(operation.as_ref().or(past.as_ref()).and_then(|poll| poll.limit));
        if age > limit {
            let message = format!(
                "Azure has been working on it for {} minutes, and {} are the limit",
                age.as_secs() / 60,
                limit.as_secs() / 60
            );
            return self.halt(Cause::ours(FailureClass::Wait, "operation-stuck", message));
        }
        // Taken on is as good as done: if a look shows nothing afterwards, the look is behind.
        if operation.is_some() || self.peek(|record| record.state == StepState::Writing) == Some(true) {
            self.carried_out();
        }
        let check_at = policy.poll_at(since, after, now);
        self.record(|record| {
            (record.since, record.tried) = (since, Some(tried));
            record.failures = 0;
            record.state = StepState::Settling { operation: operation.or(past), check_at };
        });
        if known { Change::Minor } else { Change::Major }
    }

    /// Azure took the write or delete that was last sent.
    fn carried_out(&mut self) {
        self.record(|record| {
            // The trouble before the first success is over, and its time does not count against what comes.
            if record.attempts == 0 {
                record.failures = 0;
            }
            record.attempts += u32::from(!record.written);
            record.written = true;
        });
    }

    /// Whether a write that was sent lately may have made what a look can't see yet.
    fn may_be_unseen(&self) -> bool {
        let visibility = self.policy.visibility;
        self.peek(|record| {
            record.kind.is_replicated() && record.wrote_at.is_some_and(|at| later(at, visibility) > self.now)
        }) == Some(true)
    }
}
