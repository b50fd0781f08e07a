//! Transitions after Azure has carried out a write or delete.

use super::At;
use crate::{blueprint::Outputs, engine::Change, tenant::StepState};

impl At<'_> {
    /// Azure has carried out the write or delete; the resource has to be read.
    pub(in crate::engine) fn written(&mut self) -> Change {
        self.carried_out();
        self.record(|record| {
            // Failed polls no longer count once the operation has ended.
            if record.state.operation().is_some() {
                record.state.effort_mut().failures = 0;
            }
            record.enter(StepState::Writing);
        });
        Change::Minor
    }

    /// Azure has carried out the write, and its answer shows the resource as desired, which counts as a read.
    pub(in crate::engine) fn answered(&mut self, outputs: Outputs) -> Change {
        self.written();
        self.ready(outputs)
    }

    /// Records that Azure accepted the write or delete that was last sent.
    pub(super) fn carried_out(&mut self) {
        self.record(|record| record.state.effort_mut().carry_out());
    }
}
