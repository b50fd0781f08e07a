//! The transition to blocked, unless the step's object is deleted together with another one.

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

    /// The cause to report when a step is blocked: a failure without an answer says nothing about the step, so the
    /// failure before it is reported, if there is one.
    pub(super) fn reportable(&self, cause: Cause) -> Cause {
        let before = self.tenant.steps.get(self.name).and_then(|record| record.state.failing());
        let before = before.filter(|before| before.class != FailureClass::Ambiguous);
        before.filter(|_| cause.class == FailureClass::Ambiguous).cloned().unwrap_or(cause)
    }
}
