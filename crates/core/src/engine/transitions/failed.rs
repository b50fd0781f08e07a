//! The transition of a step that failed: it is retried with back-off, or blocked.

use super::At;
use crate::{
    engine::{Change, removal, retries::Streak, waits},
    steps::Failure,
    tenant::{Cause, Effort, FailureClass, StepState},
};

/// After how many reads that do not show an accepted write the write is sent again.
const READS_PER_WRITE: u32 = 5;
/// How many attempts of an undo, or of the deletion that the undo prepares, may fail before it is left to the deletion
/// of the enclosing resource, if that is being deleted.
const TRIES_OF_A_PART: u32 = 4;

impl At<'_> {
    pub(in crate::engine) fn failed(&mut self, failure: Failure) -> Change {
        let last_class = failure.last_class();
        let Failure { cause, retry_after, .. } = failure;
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let streak = Streak::of(past, &cause, self.policy, self.now);
        let seed = format!("{}/{}/{}", self.tenant.id, self.name, past.generation);
        let of_operation = past.state.operation().is_some();
        let is_part =
            || streak.tries() >= TRIES_OF_A_PART && removal::carrier(self.tenant, self.name).is_some();
        if !cause.class.retryable() || streak.is_exhausted(self.policy) || is_part() {
            // Other steps of the same resource call the same address, so they wait for the `Retry-After` too.
            if let Some(until) = self.policy.pause_until(retry_after, self.now) {
                waits::leave_alone(self.tenant, self.name, until);
            }
            return self.block(self.reportable(Cause { class: last_class, ..cause }));
        }
        let until = streak.next(self.policy, retry_after, &seed, self.now);
        let cause = self.explained(cause);
        let effort = streak.counted();
        // A failed operation has created nothing, so a read that shows nothing is not stale.
        let effort = Effort { written: effort.written && !of_operation, ..effort };
        self.record(|record| record.state = StepState::Backoff { effort, until, cause });
        Change::Minor
    }

    /// Handles a read that does not show a write or delete which was answered with success: the read counts as stale
    /// and is repeated. After [`READS_PER_WRITE`] such reads the request is sent again, because somebody may have
    /// undone it.
    pub(super) fn behind(&mut self, what: &str) -> Change {
        let lag = Cause::ours(FailureClass::ReplicationLag, "not-visible-yet", what);
        self.failed(lag.into());
        self.record(|record| {
            let effort = record.state.effort_mut();
            effort.written &= effort.failures % READS_PER_WRITE != 0;
        })
    }
}
