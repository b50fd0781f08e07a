//! A step that did not come about: what is tried again and when, and when a person is asked.

use std::time::Duration;

use super::{Change, apply::At, removal, waits};
use crate::{
    steps::Failure,
    tenant::{Cause, FailureClass, StepRecord, StepState},
    time::later,
};

/// How often is looked for something just written before it is written again.
const LOOKS_PER_WRITE: u32 = 5;
/// How often an operation is asked about in vain before the resource is looked at instead.
const QUESTIONS_PER_OPERATION: u32 = 5;
/// How often the first back-off is doubled for a turn that nobody foretells: half a minute in Azure.
const TURN_WAITS: u32 = 4;
/// How many more writes lag is worth than other trouble, where each write is taken on before it turns out to lag.
const LAG_PATIENCE: u32 = 4;
/// How often an undo is tried, and the removal of what it was to prepare for, where both go anyway with what they are a part
/// of.
const TRIES_OF_A_PART: u32 = 4;

impl At<'_> {
    /// A write or delete was answered with success, yet a look does not show it: the look is behind. After some looks
    /// it is sent again, for somebody else may have undone it.
    pub(super) fn behind(&mut self, what: &str) -> Change {
        let lag = Cause::ours(FailureClass::ReplicationLag, "not-visible-yet", what);
        self.failed(lag.into());
        self.record(|record| record.written &= record.failures % LOOKS_PER_WRITE != 0)
    }

    /// The operation goes on, as far as is known; so it is asked about again, and then the resource is looked at.
    pub(super) fn unanswered(&mut self, failure: &Failure) -> Change {
        let (name, now, policy) = (self.name.clone(), self.now, self.policy);
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let failures = past.failures + 1;
        let operation = past.state.operation().filter(|_| failures < QUESTIONS_PER_OPERATION).cloned();
        let seed = format!("{}/{name}/{}/asked/{failures}", self.tenant.id, past.turn);
        let check_at = policy.retry_at(past.failures, failure.retry_after, &seed, now);
        self.record(|record| {
            record.failures = if operation.is_some() { failures } else { 0 };
            record.state = StepState::Settling { operation, check_at };
        });
        Change::Minor
    }

    pub(super) fn failed(&mut self, failure: Failure) -> Change {
        let last_class = failure.last_class();
        let Failure { cause, retry_after, .. } = failure;
        let (name, now, policy) = (self.name.clone(), self.now, self.policy);
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let StepRecord { failures, turn, unknown, .. } = *past;
        let lagging = cause.class == FailureClass::ReplicationLag;
        let (settling, asked) = match &past.state {
            StepState::Settling { operation, .. } => (true, operation.is_some()),
            StepState::Waiting | StepState::Writing | StepState::Backoff { .. } => (false, false),
            StepState::Ready | StepState::Halted { .. } | StepState::Gone => (false, false),
        };
        // The deadline of work that Azure has taken on goes on through its failures; lag has a budget of its own.
        let fresh = failures == 0 && (lagging || !settling);
        let since = if fresh { now } else { past.since };
        let tried = waits::tried(Some(past).filter(|_| !fresh), policy, now);
        let age = Duration::try_from(tried.spent).unwrap_or_default();
        // Work that is taken on and then fails, again and again, is as good as refused each time.
        let tries = failures.max(past.attempts.saturating_sub(1));
        let often = past.attempts > LAG_PATIENCE * policy.max_failures;
        let of_others = cause.is_turn_of_others();
        let exhausted = match cause.class {
            // Others are served first. That says nothing about this step, however long the line is.
            _ if of_others => false,
            FailureClass::ReplicationLag => often || age > policy.lag_budget,
            // Being told to wait says nothing about the step: others are served before it.
            FailureClass::Throttled => often || age > policy.operation_deadline,
            FailureClass::Unknown => unknown.saturating_add(1) >= policy.unknown_tries,
            FailureClass::Transient
            | FailureClass::Ambiguous
            | FailureClass::Wait
            | FailureClass::NeedsProvider
            | FailureClass::NameHeld
            | FailureClass::Foreign
            | FailureClass::Quota
            | FailureClass::Denied
            | FailureClass::NeedsConsent
            | FailureClass::Permanent => tries >= policy.max_failures,
        };
        let is_part = tries >= TRIES_OF_A_PART && removal::carrier(self.tenant, self.name).is_some();
        if !cause.class.retryable() || exhausted || is_part {
            // Whoever goes on with the same resource asks at the same address.
            if let Some(after) = retry_after {
                waits::leave_alone(self.tenant, self.name, later(now, after.min(policy.operation_deadline)));
            }
            return self.halt(self.telling(Cause { class: last_class, ..cause }));
        }
        // A place in a line is no failure in a row, and who waits longest must not stay away longest.
        let (in_line, waits) = match (of_others, retry_after) {
            (true, Some(_)) => (true, 0),
            (true, None) => (true, TURN_WAITS),
            (false, _) => (false, tries),
        };
        let seed = format!("{}/{name}/{turn}/{tries}/{failures}", self.tenant.id);
        let seed = if in_line { format!("{seed}/{now}") } else { seed };
        let is_unknown = cause.class == FailureClass::Unknown;
        let until = match is_unknown {
            true => policy.unknown_at(unknown, retry_after, &seed, now),
            false => policy.retry_at(waits, retry_after, &seed, now),
        };
        let cause = self.explained(cause);
        self.record(|record| {
            (record.since, record.tried) = (since, Some(tried));
            // Whoever is told that it is others' turn has been answered: what failed before is over.
            if in_line {
                record.attempts = record.attempts.saturating_sub(std::mem::take(&mut record.unknown));
                record.failures = 0;
            } else {
                record.failures += 1;
                record.unknown += u32::from(is_unknown);
            }
            // An operation that ended badly has made nothing.
            record.written &= !asked;
            record.state = StepState::Backoff { until, cause };
        });
        Change::Minor
    }

    /// What a streak of failures is about: that a question was not answered says nothing of the step, and what was answered
    /// before it does.
    fn telling(&self, cause: Cause) -> Cause {
        let before = match self.tenant.steps.get(self.name).map(|record| &record.state) {
            Some(StepState::Backoff { cause, .. }) => Some(cause),
            Some(
                StepState::Waiting
                | StepState::Writing
                | StepState::Settling { .. }
                | StepState::Ready
                | StepState::Halted { .. }
                | StepState::Gone,
            )
            | None => None,
        };
        let before = before.filter(|before| before.class != FailureClass::Ambiguous);
        before.filter(|_| cause.class == FailureClass::Ambiguous).cloned().unwrap_or(cause)
    }

    pub(super) fn halt(&mut self, cause: Cause) -> Change {
        let cause = self.explained(cause);
        if let Some(carrier) = removal::carrier(self.tenant, self.name) {
            return self.leave(carrier, cause);
        }
        self.record(|record| record.state = StepState::Halted { cause })
    }
}
