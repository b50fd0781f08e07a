//! A look at something that should be there.

use serde_json::Value;

use super::At;
use crate::{
    engine::{Change, Discrepancy},
    steps::Comparison,
    tenant::{Cause, FailureClass},
};

impl At<'_> {
    pub(in crate::engine) fn observed(&mut self, verdict: Comparison, resource: Option<Value>) -> Change {
        let effort = self.effort();
        match &verdict {
            // Whoever made it did so before this document's first write: somebody may be using it.
            Comparison::Matches(_)
            | Comparison::Differs(_)
            | Comparison::Immutable(_)
            | Comparison::Settling
            | Comparison::Broken(_) => {
                self.record(|record| record.in_use |= record.target.is_none());
            }
            Comparison::Absent | Comparison::Foreign(_) | Comparison::Lingering(_) => {}
        }
        match verdict {
            // It may show what was there before the last write, or before one that was meant and never sent, for the wish may
            // have come back to what it was.
            Comparison::Matches(_) if !effort.written && self.may_be_unseen() => {
                self.calls_for_effect(Discrepancy::MayBeStale(resource))
            }
            Comparison::Matches(outputs) => self.ready(outputs),
            Comparison::Settling => self.running(None, None),
            Comparison::Foreign(owner) => {
                let message = format!("an object of that name belongs to {owner}");
                self.halt(Cause::ours(FailureClass::Foreign, "foreign-object", message))
            }
            Comparison::Broken(cause) => self.broken(cause, resource),
            Comparison::Differs(fields) if effort.heeded() >= self.policy.max_writes => {
                let message = format!("Azure keeps other values than asked for at {}", fields.join(", "));
                self.halt(Cause::ours(FailureClass::Permanent, "not-converging", message))
            }
            Comparison::Absent if effort.written => self.behind("it was made, but can't be seen yet"),
            Comparison::Lingering(_) if effort.written => {
                self.behind("it was brought back, but is still seen among the deleted")
            }
            Comparison::Differs(fields) | Comparison::Immutable(fields) if effort.written => {
                self.behind(&format!("it was changed, but is still seen as it was at {}", fields.join(", ")))
            }
            Comparison::Immutable(fields) => self.immutable(&fields),
            Comparison::Absent | Comparison::Lingering(_) | Comparison::Differs(_) => {
                self.calls_for_effect(Discrepancy::Amiss(verdict, resource))
            }
        }
    }

    /// What was found is acted upon next; the document does not change by it.
    pub(super) fn calls_for_effect(&mut self, finding: Discrepancy) -> Change {
        self.sight.insert(self.name.clone(), finding);
        Change::None
    }
}
