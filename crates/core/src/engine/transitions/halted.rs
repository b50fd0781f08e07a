//! A person is needed, unless what the step stands for goes with something else.

use super::At;
use crate::{
    engine::{Change, removal},
    tenant::{Cause, FailureClass, StepState},
};

impl At<'_> {
    pub(super) fn halt(&mut self, cause: Cause) -> Change {
        let cause = self.explained(cause);
        if let Some(carrier) = removal::carrier(self.tenant, self.name) {
            return self.leave(carrier, cause);
        }
        self.enter(|effort| StepState::Halted { effort, cause })
    }

    /// What a streak of failures is about: that a question was not answered says nothing of the step, and what was answered
    /// before it does.
    pub(super) fn telling(&self, cause: Cause) -> Cause {
        let before = self.tenant.steps.get(self.name).and_then(|record| record.state.failing());
        let before = before.filter(|before| before.class != FailureClass::Ambiguous);
        before.filter(|_| cause.class == FailureClass::Ambiguous).cloned().unwrap_or(cause)
    }
}
