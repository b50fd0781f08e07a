//! How long a failing step is tried again: what its failures in a row have come to, and when they are too many.

use std::time::Duration;

use jiff::Timestamp;

use super::{Policy, waits};
use crate::tenant::{Cause, Effort, FailureClass, StepRecord, StepState};

/// How often the first back-off is doubled for a turn that nobody foretells: half a minute in Azure.
const TURN_WAITS: u32 = 4;
/// How many more writes lag is worth than other trouble, where each write is taken on before it turns out to lag.
const LAG_PATIENCE: u32 = 4;

/// What a failure is to the budgets of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Others are served first. That says nothing about this step, however long the line is.
    TurnOfOthers,
    /// What was written can't be seen everywhere yet.
    Lag,
    /// Being told to wait says nothing about the step: others are served before it.
    Throttled,
    /// Nobody knows what it means.
    Unknown,
    /// Anything else: it was refused, or did not work.
    Refused,
}

impl Trouble {
    pub(super) fn of(cause: &Cause) -> Self {
        if cause.is_turn_of_others() {
            return Self::TurnOfOthers;
        }
        match cause.class {
            FailureClass::ReplicationLag => Self::Lag,
            FailureClass::Throttled => Self::Throttled,
            FailureClass::Unknown => Self::Unknown,
            FailureClass::Transient
            | FailureClass::Ambiguous
            | FailureClass::Wait
            | FailureClass::NeedsProvider
            | FailureClass::NameHeld
            | FailureClass::Foreign
            | FailureClass::Quota
            | FailureClass::Denied
            | FailureClass::NeedsConsent
            | FailureClass::Permanent => Self::Refused,
        }
    }
}

/// The failures in a row that one more failure belongs to.
pub(super) struct Streak {
    trouble: Trouble,
    /// What the turn has taken so far, this failure not counted.
    effort: Effort,
    /// How long has been tried since the streak began.
    age: Duration,
}

impl Streak {
    /// The streak of a step that fails now.
    pub(super) fn of(past: &StepRecord, cause: &Cause, policy: &Policy, now: Timestamp) -> Self {
        let effort = past.effort();
        let has_own_budget = cause.class == FailureClass::ReplicationLag;
        let is_settling = matches!(past.state, StepState::Settling { .. });
        // The deadline of work that Azure has taken on goes on through its failures; lag has a budget of its own.
        let is_first = effort.failures == 0 && (has_own_budget || !is_settling);
        let since = if is_first { now } else { effort.since };
        let tried = waits::tried(Some(past).filter(|_| !is_first), policy, now);
        let effort = Effort { since, tried: Some(tried), ..effort.clone() };
        Self { trouble: Trouble::of(cause), effort, age: tried.time() }
    }

    /// Whether it was tried for as long, or as often, as such trouble is worth.
    pub(super) fn is_exhausted(&self, policy: &Policy) -> bool {
        let is_often = self.effort.attempts > LAG_PATIENCE * policy.max_failures;
        match self.trouble {
            Trouble::TurnOfOthers => false,
            Trouble::Lag => is_often || self.age > policy.lag_budget,
            Trouble::Throttled => is_often || self.age > policy.operation_deadline,
            Trouble::Unknown => self.effort.unknown.saturating_add(1) >= policy.unknown_tries,
            Trouble::Refused => self.tries() >= policy.max_failures,
        }
    }

    /// How often it was tried in vain before.
    pub(super) fn tries(&self) -> u32 {
        self.effort.tries()
    }

    /// When it is tried again. `seed` is of the step and its turn.
    pub(super) fn next(
        &self,
        policy: &Policy,
        retry_after: Option<Duration>,
        seed: &str,
        now: Timestamp,
    ) -> Timestamp {
        let tries = self.tries();
        let seed = format!("{seed}/{tries}/{}", self.effort.failures);
        match self.trouble {
            // A place in a line is no failure in a row, and who waits longest must not stay away longest.
            Trouble::TurnOfOthers => {
                let waits = if retry_after.is_some() { 0 } else { TURN_WAITS };
                policy.retry_at(waits, retry_after, &format!("{seed}/{now}"), now)
            }
            Trouble::Unknown => policy.unknown_at(self.effort.unknown, retry_after, &seed, now),
            Trouble::Lag | Trouble::Throttled | Trouble::Refused => {
                policy.retry_at(tries, retry_after, &seed, now)
            }
        }
    }

    /// What the turn has taken, this failure counted.
    pub(super) fn counted(self) -> Effort {
        let mut effort = self.effort;
        match self.trouble {
            Trouble::TurnOfOthers => effort.stand_in_line(),
            Trouble::Unknown => effort.fail(true),
            Trouble::Lag | Trouble::Throttled | Trouble::Refused => effort.fail(false),
        }
        effort
    }
}
