//! How long a failing step is retried: its streak of consecutive failures, and the budget for it.

use std::time::Duration;

use jiff::Timestamp;

use super::{Policy, waits};
use crate::tenant::{Cause, Effort, FailureClass, StepRecord, StepState};

/// How often the first back-off is doubled while others are served first: half a minute in Azure.
const QUEUE_WAITS: u32 = 4;
/// How many times more writes lag may take than other failures: each write is accepted before the lag shows.
const LAG_WRITE_FACTOR: u32 = 4;

/// Which budget a failure counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Other requests are served first. Says nothing about this step, however long the queue is.
    Queued,
    /// What was written is not visible everywhere yet.
    Lag,
    /// The service asked to wait. Says nothing about this step: others are served before it.
    Throttled,
    /// The code is not in the table.
    Unknown,
    /// Anything else: it was refused or failed.
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

/// The consecutive failures that one more failure belongs to.
pub(super) struct Streak {
    kind: FailureKind,
    /// The effort of this step generation, without this failure.
    effort: Effort,
    /// How long it has been tried since the streak began.
    age: Duration,
}

impl Streak {
    /// The streak of a step that fails now.
    pub(super) fn of(past: &StepRecord, cause: &Cause, policy: &Policy, now: Timestamp) -> Self {
        let effort = past.effort();
        let has_own_budget = cause.class == FailureClass::ReplicationLag;
        let is_in_progress = matches!(past.state, StepState::InProgress { .. });
        // The deadline of accepted work continues through its failures; lag has a budget of its own.
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

    /// How many attempts have failed before.
    pub(super) fn tries(&self) -> u32 {
        self.effort.tries()
    }

    /// When it is tried again. `seed` identifies the step and its generation.
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
            // Waiting in a queue is no consecutive failure: the back-off must not grow for those that wait longest.
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

    /// The effort with this failure counted.
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
