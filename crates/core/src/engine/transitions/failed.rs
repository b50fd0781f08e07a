//! A step that did not come about: it is tried again, or a person is asked.

use super::At;
use crate::{
    engine::{Change, patience::Streak, removal, waits},
    steps::Failure,
    tenant::{Cause, Effort, FailureClass, StepState},
};

/// How often is looked for something just written before it is written again.
const LOOKS_PER_WRITE: u32 = 5;
/// How often an undo is tried, and the removal of what it was to prepare for, where both go anyway with what they are a part
/// of.
const TRIES_OF_A_PART: u32 = 4;

impl At<'_> {
    pub(in crate::engine) fn failed(&mut self, failure: Failure) -> Change {
        let last_class = failure.last_class();
        let Failure { cause, retry_after, .. } = failure;
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let streak = Streak::of(past, &cause, self.policy, self.now);
        let seed = format!("{}/{}/{}", self.tenant.id, self.name, past.turn);
        let of_operation = past.state.operation().is_some();
        let is_part =
            || streak.tries() >= TRIES_OF_A_PART && removal::carrier(self.tenant, self.name).is_some();
        if !cause.class.retryable() || streak.is_exhausted(self.policy) || is_part() {
            // Whoever goes on with the same resource asks at the same address.
            if let Some(until) = self.policy.pause_until(retry_after, self.now) {
                waits::leave_alone(self.tenant, self.name, until);
            }
            return self.halt(self.telling(Cause { class: last_class, ..cause }));
        }
        let until = streak.next(self.policy, retry_after, &seed, self.now);
        let cause = self.explained(cause);
        let effort = streak.counted();
        // An operation that ended badly has made nothing.
        let effort = Effort { written: effort.written && !of_operation, ..effort };
        self.record(|record| record.state = StepState::Backoff { effort, until, cause });
        Change::Minor
    }

    /// A write or delete was answered with success, yet a look does not show it: the look is behind. After some looks
    /// it is sent again, for somebody else may have undone it.
    pub(super) fn behind(&mut self, what: &str) -> Change {
        let lag = Cause::ours(FailureClass::ReplicationLag, "not-visible-yet", what);
        self.failed(lag.into());
        self.record(|record| {
            let effort = record.state.effort_mut();
            effort.written &= effort.failures % LOOKS_PER_WRITE != 0;
        })
    }
}
