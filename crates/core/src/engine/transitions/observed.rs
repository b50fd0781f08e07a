//! The transitions after a read of an object that should exist.

use serde_json::Value;

use super::At;
use crate::{
    engine::{Change, Discrepancy},
    steps::Comparison,
    tenant::{Cause, FailureClass},
};

impl At<'_> {
    pub(in crate::engine) fn observed(&mut self, comparison: Comparison, resource: Option<Value>) -> Change {
        let effort = self.effort();
        match &comparison {
            // Without a recorded target the object was created before the first recorded write, so it may be in use.
            Comparison::Matches(_)
            | Comparison::Drifted(_)
            | Comparison::Immutable { .. }
            | Comparison::InProgress
            | Comparison::Failed(_) => {
                self.record(|record| record.in_use |= record.target.is_none());
            }
            Comparison::Absent | Comparison::Foreign(_) | Comparison::SoftDeleted(_) => {}
        }
        match comparison {
            // The read may show the state before the last write, or before a write that was intended but never sent, if
            // the desired state was changed and changed back.
            Comparison::Matches(_) if !effort.written && self.may_be_unseen() => {
                self.calls_for_effect(Discrepancy::MayBeStale(resource))
            }
            Comparison::Matches(outputs) => self.ready(outputs),
            Comparison::InProgress => self.running(None, None),
            Comparison::Foreign(owner) => {
                let message = format!("an object of that name belongs to {owner}");
                self.block(Cause::ours(FailureClass::Foreign, "foreign-object", message))
            }
            Comparison::Failed(cause) => self.provisioning_failed(cause, resource),
            Comparison::Drifted(fields) if effort.heeded() >= self.policy.max_writes => {
                let message = format!("Azure keeps other values than asked for at {}", fields.join(", "));
                self.block(Cause::ours(FailureClass::Permanent, "not-converging", message))
            }
            Comparison::Absent if effort.written => self.behind("it was made, but can't be seen yet"),
            Comparison::SoftDeleted(_) if effort.written => {
                self.behind("it was brought back, but is still seen among the deleted")
            }
            Comparison::Drifted(fields) | Comparison::Immutable { fixed: fields, .. } if effort.written => {
                self.behind(&format!("it was changed, but is still seen as it was at {}", fields.join(", ")))
            }
            Comparison::Immutable { fixed, .. } => self.immutable(&fixed),
            Comparison::Absent | Comparison::SoftDeleted(_) | Comparison::Drifted(_) => {
                self.calls_for_effect(Discrepancy::Amiss(comparison, resource))
            }
        }
    }

    /// Keeps the discrepancy, which the next decision acts upon; the document does not change.
    pub(super) fn calls_for_effect(&mut self, finding: Discrepancy) -> Change {
        self.discrepancies.insert(self.name.clone(), finding);
        Change::None
    }
}
