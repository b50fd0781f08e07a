//! The transition of a step whose object matches its desired state.

use super::At;
use crate::{blueprint::Outputs, engine::Change, tenant::StepState};

impl At<'_> {
    pub(super) fn ready(&mut self, outputs: Outputs) -> Change {
        self.enter(StepState::Ready);
        self.record(|record| {
            record.state.effort_mut().succeed();
            record.in_use = true;
            record.consent = None;
            record.outputs = outputs;
        })
    }
}
