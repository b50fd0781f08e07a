//! A step is blocked, unless its object is deleted together with another one.

use super::At;
use crate::{
    engine::{Change, removal},
    tenant::{Cause, FailureClass, StepState},
};

impl At<'_> {
    pub(super) fn block(&mut self, cause: Cause) -> Change {
        let cause = self.explained(cause);
        if let Some(carrier) = removal::carrier(self.tenant, self.name) {
            return self.leave(carrier, cause);
        }
        self.enter(|effort| StepState::Blocked { effort, cause })
    }

    /// The cause to report for a streak of failures: a poll that failed says nothing about the step, so the failure
    /// before it is reported.
    pub(super) fn reportable(&self, cause: Cause) -> Cause {
        let before = self.tenant.steps.get(self.name).and_then(|record| record.state.failing());
        let before = before.filter(|before| before.class != FailureClass::Ambiguous);
        before.filter(|_| cause.class == FailureClass::Ambiguous).cloned().unwrap_or(cause)
    }
}
