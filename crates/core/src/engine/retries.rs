//! How long a failing step is retried: its streak of consecutive failures, and the budget for it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Policy, waits};
use crate::tenant::{Cause, Effort, FailureClass, StepRecord, StepState};

/// How often the first back-off is doubled while Azure serves other changes first: with the policy for Azure, to half a
/// minute.
const QUEUE_WAITS: u32 = 4;
/// How many times more writes than `max_failures` may be accepted while replication lags or calls are throttled: each
/// write is accepted before the lag shows.
const LAG_WRITE_FACTOR: u32 = 4;

/// Which budget a failure counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Azure serves other changes first. This says nothing about the step, so it is retried however long the queue is.
    Queued,
    /// An accepted write is not visible everywhere yet.
    Lag,
    /// The service asked for a pause because it receives too many calls. This says nothing about the step.
    Throttled,
    /// The error code is not in the table of errors.
    Unknown,
    /// Any other failure: the request was refused or the operation failed.
    Refused,
}

impl FailureKind {
    pub(super) fn of(cause: &Cause) -> Self {
        if cause.is_queued_behind_others() {
            return Self::Queued;
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

/// The streak of consecutive failures that a new failure of a step continues or begins.
pub(super) struct Streak {
    kind: FailureKind,
    /// The effort of this step generation, without the new failure.
    effort: Effort,
    /// How long the step has been tried since the streak began.
    age: Duration,
}

impl Streak {
    /// The streak that a new failure with this cause continues or begins; `past` is the step's record before the
    /// failure.
    pub(super) fn of(past: &StepRecord, cause: &Cause, policy: &Policy, now: Timestamp) -> Self {
        let effort = past.effort();
        let has_own_budget = cause.class == FailureClass::ReplicationLag;
        let is_in_progress = matches!(past.state, StepState::InProgress { .. });
        // A failure of an operation in progress continues the operation's time budget; lag has a budget of its own.
        let is_first = effort.failures == 0 && (has_own_budget || !is_in_progress);
        let since = if is_first { now } else { effort.since };
        let tried = waits::tried(Some(past).filter(|_| !is_first), policy, now);
        let effort = Effort { since, tried: Some(tried), ..effort.clone() };
        Self { kind: FailureKind::of(cause), effort, age: tried.time() }
    }

    /// Whether the budget of this kind of failure, in time or in attempts, is used up.
    pub(super) fn is_exhausted(&self, policy: &Policy) -> bool {
        let is_often = self.effort.attempts > LAG_WRITE_FACTOR * policy.max_failures;
        match self.kind {
            FailureKind::Queued => false,
            FailureKind::Lag => is_often || self.age > policy.lag_budget,
            FailureKind::Throttled => is_often || self.age > policy.operation_deadline,
            FailureKind::Unknown => self.effort.unknown.saturating_add(1) >= policy.unknown_tries,
            FailureKind::Refused => self.tries() >= policy.max_failures,
        }
    }

    /// How many attempts failed before the new failure.
    pub(super) fn tries(&self) -> u32 {
        self.effort.tries()
    }

    /// When the step is tried again. `seed` identifies the step and its generation.
    pub(super) fn next(
        &self,
        policy: &Policy,
        retry_after: Option<Duration>,
        seed: &str,
        now: Timestamp,
    ) -> Timestamp {
        let tries = self.tries();
        let seed = format!("{seed}/{tries}/{}", self.effort.failures);
        match self.kind {
            // Waiting in a queue is no consecutive failure: the back-off must not grow for the steps that wait longest.
            FailureKind::Queued => {
                let waits = if retry_after.is_some() { 0 } else { QUEUE_WAITS };
                policy.retry_at(waits, retry_after, &format!("{seed}/{now}"), now)
            }
            FailureKind::Unknown => policy.unknown_at(self.effort.unknown, retry_after, &seed, now),
            FailureKind::Lag | FailureKind::Throttled | FailureKind::Refused => {
                policy.retry_at(tries, retry_after, &seed, now)
            }
        }
    }

    /// The effort with the new failure counted.
    pub(super) fn counted(self) -> Effort {
        let mut effort = self.effort;
        match self.kind {
            FailureKind::Queued => effort.stand_in_line(),
            FailureKind::Unknown => effort.fail(true),
            FailureKind::Lag | FailureKind::Throttled | FailureKind::Refused => effort.fail(false),
        }
        effort
    }
}
