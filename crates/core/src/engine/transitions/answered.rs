//! A write or delete was carried out.

use super::At;
use crate::{blueprint::Outputs, engine::Change, tenant::StepState};

impl At<'_> {
    /// Azure has carried it out; the resource has to be read.
    pub(in crate::engine) fn written(&mut self) -> Change {
        self.carried_out();
        self.record(|record| {
            // Failed polls are void once the operation has ended.
            if record.state.operation().is_some() {
                record.state.effort_mut().failures = 0;
            }
            record.enter(StepState::Writing);
        });
        Change::Minor
    }

    /// Azure has carried it out and its answer shows the result, which counts as a read.
    pub(in crate::engine) fn answered(&mut self, outputs: Outputs) -> Change {
        self.written();
        self.ready(outputs)
    }

    /// Azure accepted the write or delete that was last sent.
    pub(super) fn carried_out(&mut self) {
        self.record(|record| record.state.effort_mut().carry_out());
    }
}
