//! Azure works on it: the operation goes on, can't be asked about, or was asked about in vain.

use std::time::Duration;

use super::At;
use crate::{
    engine::{Change, waits},
    steps::Failure,
    tenant::{Cause, Effort, FailureClass, Poll, StepState},
};

/// How often an operation is asked about in vain before the resource is looked at instead.
const QUESTIONS_PER_OPERATION: u32 = 5;

impl At<'_> {
    /// It goes on; `operation` keeps the one that is known if it is none, and `after` is when the service wants to be asked.
    pub(in crate::engine) fn running(&mut self, operation: Option<Poll>, after: Option<Duration>) -> Change {
        let (now, policy, was_known) = (self.now, self.policy, operation.is_none());
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let goes_on = match &past.state {
            // A question that failed in between does not give the same work another deadline.
            StepState::Settling { .. } | StepState::Backoff { .. } => true,
            StepState::Waiting(_) | StepState::Writing(_) => false,
            StepState::Ready(_) | StepState::Halted { .. } | StepState::Gone(_) => false,
        };
        let since = if goes_on { past.effort().since } else { now };
        // Taken on is as good as done: if a look shows nothing afterwards, the look is behind.
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
        self.enter(|effort| StepState::Settling { effort, operation, check_at });
        let change = self.record(|record| {
            let effort = record.state.effort_mut();
            (effort.since, effort.tried, effort.failures) = (since, Some(tried), 0);
        });
        if was_known { Change::Minor } else { change }
    }

    fn stuck(&mut self, age: Duration, limit: Duration) -> Change {
        let message = format!(
            "Azure has been working on it for {} minutes, and {} are the limit",
            age.as_secs() / 60,
            limit.as_secs() / 60
        );
        self.halt(Cause::ours(FailureClass::Wait, "operation-stuck", message))
    }

    /// Nobody can tell of the operation itself. Azure has taken it, so from here on the resource is looked at, as after a write.
    pub(in crate::engine) fn unaskable(&mut self) -> Change {
        self.written()
    }

    /// The operation goes on, as far as is known; so it is asked about again, and then the resource is looked at.
    pub(in crate::engine) fn unanswered(&mut self, failure: &Failure) -> Change {
        let Some(past) = self.tenant.steps.get(self.name) else { return Change::None };
        let before = past.effort().failures;
        let failures = before.saturating_add(1);
        let operation = past.state.operation().filter(|_| failures < QUESTIONS_PER_OPERATION).cloned();
        let seed = format!("{}/{}/{}/asked/{failures}", self.tenant.id, self.name, past.turn);
        let check_at = self.policy.retry_at(before, failure.retry_after, &seed, self.now);
        let failures = if operation.is_some() { failures } else { 0 };
        self.enter(|effort| StepState::Settling {
            effort: Effort { failures, ..effort },
            operation,
            check_at,
        });
        Change::Minor
    }
}
