//! A look at something that should be there.

use serde_json::Value;

use super::At;
use crate::{
    engine::{Change, Finding},
    steps::Verdict,
    tenant::{Cause, FailureClass},
};

impl At<'_> {
    pub(in crate::engine) fn observed(&mut self, verdict: Verdict, resource: Option<Value>) -> Change {
        let effort = self.effort();
        match &verdict {
            // Whoever made it did so before this document's first write: somebody may be using it.
            Verdict::Matches(_) | Verdict::Differs(_) | Verdict::Settling | Verdict::Broken(_) => {
                self.record(|record| record.in_use |= record.target.is_none());
            }
            Verdict::Absent | Verdict::Foreign(_) | Verdict::Lingering(_) => {}
        }
        match verdict {
            // It may show what was there before the last write, or before one that was meant and never sent, for the wish may
            // have come back to what it was.
            Verdict::Matches(_) if !effort.written && self.may_be_unseen() => {
                self.calls_for_effect(Finding::MayBeStale(resource))
            }
            Verdict::Matches(outputs) => self.ready(outputs),
            Verdict::Settling => self.running(None, None),
            Verdict::Foreign(owner) => {
                let message = format!("an object of that name belongs to {owner}");
                self.halt(Cause::ours(FailureClass::Foreign, "foreign-object", message))
            }
            Verdict::Broken(cause) => self.broken(cause, resource),
            Verdict::Differs(fields) if effort.heeded() >= self.policy.max_writes => {
                let message = format!("Azure keeps other values than asked for at {}", fields.join(", "));
                self.halt(Cause::ours(FailureClass::Permanent, "not-converging", message))
            }
            Verdict::Absent if effort.written => self.behind("it was made, but can't be seen yet"),
            Verdict::Lingering(_) if effort.written => {
                self.behind("it was brought back, but is still seen among the deleted")
            }
            Verdict::Differs(fields) if effort.written => {
                self.behind(&format!("it was changed, but is still seen as it was at {}", fields.join(", ")))
            }
            Verdict::Absent | Verdict::Lingering(_) | Verdict::Differs(_) => {
                self.calls_for_effect(Finding::Amiss(verdict, resource))
            }
        }
    }

    /// What was found is acted upon next; the document does not change by it.
    pub(super) fn calls_for_effect(&mut self, finding: Finding) -> Change {
        self.sight.insert(self.name.clone(), finding);
        Change::None
    }
}
