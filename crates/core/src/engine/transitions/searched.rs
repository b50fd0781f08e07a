//! The transitions after a read of an object that should not exist.

use super::At;
use crate::{
    engine::{Change, Discrepancy},
    steps::DeletionState,
    tenant::{Cause, FailureClass},
};

impl At<'_> {
    pub(in crate::engine) fn searched(&mut self, state: DeletionState) -> Change {
        let effort = self.effort();
        match &state {
            DeletionState::Nothing if !effort.written && self.may_be_unseen() => {
                return self.behind("it may have been made, but can't be seen yet");
            }
            // An object of another owner is not touched, so the step counts as deleted.
            DeletionState::Nothing | DeletionState::Foreign => return self.deleted(),
            DeletionState::InProgress => return self.running(None, None),
            DeletionState::Retained(until) => return self.retained(*until),
            DeletionState::Present(_) if effort.written => {
                return self.behind("it was deleted, but is still seen");
            }
            DeletionState::Present(outputs) | DeletionState::SoftDeleted(outputs) => {
                if effort.attempts >= 2 * self.policy.max_writes {
                    let message = "Azure keeps it although it was deleted again and again";
                    return self.block(Cause::ours(FailureClass::Permanent, "not-removable", message));
                }
                // The object's id is needed to find the object once it is soft-deleted.
                let outputs = outputs.clone();
                self.record(|record| record.outputs.extend(outputs));
            }
        }
        self.calls_for_effect(Discrepancy::StillThere(state));
        Change::Minor
    }
}
