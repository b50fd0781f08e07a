//! A look for something that should be gone.

use super::At;
use crate::{
    engine::{Change, Discrepancy},
    steps::Trace,
    tenant::{Cause, FailureClass},
};

impl At<'_> {
    pub(in crate::engine) fn searched(&mut self, trace: Trace) -> Change {
        let effort = self.effort();
        match &trace {
            Trace::Nothing if !effort.written && self.may_be_unseen() => {
                return self.behind("it may have been made, but can't be seen yet");
            }
            // What belongs to somebody else is left alone.
            Trace::Nothing | Trace::Foreign => return self.gone(),
            Trace::Settling => return self.running(None, None),
            Trace::Retained(until) => return self.retained(*until),
            Trace::Present(_) if effort.written => return self.behind("it was deleted, but is still seen"),
            Trace::Present(told) | Trace::Lingering(told) => {
                if effort.attempts >= 2 * self.policy.max_writes {
                    let message = "Azure keeps it although it was deleted again and again";
                    return self.halt(Cause::ours(FailureClass::Permanent, "not-removable", message));
                }
                // The id is what finds it again once it is soft-deleted.
                let told = told.clone();
                self.record(|record| record.outputs.extend(told));
            }
        }
        self.calls_for_effect(Discrepancy::Remains(trace));
        Change::Minor
    }
}
