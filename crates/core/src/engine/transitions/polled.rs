//! The transitions after a poll of a long-running operation: it continues, can't be polled, or the poll failed.

use std::time::Duration;

use super::At;
use crate::{
    engine::{Change, waits},
    steps::Failure,
    tenant::{Cause, Effort, FailureClass, Poll, StepState},
};

/// How many failed polls of an operation in a row make the engine read the resource instead.
const QUESTIONS_PER_OPERATION: u32 = 5;

impl At<'_> {
    /// The operation continues. `None` for `operation` keeps the recorded one; `after` is the service's `Retry-After`.
    pub(in crate::engine) fn running(&mut self, operation: Option<Poll>, after: Option<Duration>) -> Change {
        let (now, policy, was_known) = (self.now, self.policy, operation.is_none());
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let goes_on = match &past.state {
            // A failed poll does not restart the time limit of the same operation.
            StepState::InProgress { .. } | StepState::Backoff { .. } => true,
            StepState::Waiting(_) | StepState::Writing(_) => false,
            StepState::Ready(_) | StepState::Blocked { .. } | StepState::Deleted(_) => false,
        };
        let since = if goes_on { past.effort().since } else { now };
        // An accepted write counts as carried out: if a read shows nothing afterwards, the read is stale.
        let is_taken_on = operation.is_some() || past.state.is_writing();
        let operation = operation.or_else(|| past.state.operation().cloned());
        let tried = waits::tried(Some(past).filter(|_| since != now), policy, now);
        let limit = policy.limit(operation.as_ref().and_then(|poll| poll.limit));
        if tried.time() > limit {
            return self.stuck(tried.time(), limit);
        }
        if is_taken_on {
            self.carried_out();
        }
        let check_at = policy.poll_at(since, after, now);
        self.enter(|effort| StepState::InProgress { effort, operation, check_at });
        let change = self.record(|record| {
            let effort = record.state.effort_mut();
            (effort.since, effort.tried, effort.failures) = (since, Some(tried), 0);
            effort.progress();
        });
        if was_known { Change::Minor } else { change }
    }

    fn stuck(&mut self, age: Duration, limit: Duration) -> Change {
        let message = format!(
            "Azure has been working on it for {} minutes, and {} are the limit",
            age.as_secs() / 60,
            limit.as_secs() / 60
        );
        self.block(Cause::ours(FailureClass::Wait, "operation-stuck", message))
    }

    /// The operation can't be polled. Azure has accepted it, so from now on the resource is read, as after a write.
    pub(in crate::engine) fn unaskable(&mut self) -> Change {
        self.written()
    }

    /// A poll failed. As far as is known the operation continues, so it is polled again; after several failures the
    /// resource is read.
    pub(in crate::engine) fn unanswered(&mut self, failure: &Failure) -> Change {
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let before = past.effort().failures;
        let failures = before.saturating_add(1);
        let operation = past.state.operation().filter(|_| failures < QUESTIONS_PER_OPERATION).cloned();
        let seed = format!("{}/{}/{}/asked/{failures}", self.tenant.id, self.name, past.generation);
        let check_at = self.policy.retry_at(before, failure.retry_after, &seed, self.now);
        let failures = if operation.is_some() { failures } else { 0 };
        self.enter(|effort| StepState::InProgress {
            effort: Effort { failures, ..effort },
            operation,
            check_at,
        });
        Change::Minor
    }
}
