//! A write or delete is about to go out, or something is found that needs none.

use serde_json::Value;

use super::At;
use crate::{
    engine::{Change, Discrepancy, repair},
    tenant::StepState,
};

impl At<'_> {
    /// The intent, to be saved before anything is sent; with what a look has found that calls for it.
    pub(in crate::engine) fn began(
        &mut self,
        target: Option<Value>,
        finding: Option<&Discrepancy>,
    ) -> Change {
        let (now, found) = (self.now, finding.map(repair::found).unwrap_or_default());
        self.enter(StepState::Writing);
        self.record(|record| {
            record.state.effort_mut().send(found);
            record.not_before = None;
            if target.is_some() {
                record.target = target;
                record.wrote_at = Some(now);
            }
        })
    }

    /// It is there without a write on record: what removes it is remembered all the same.
    pub(in crate::engine) fn found(&mut self, target: Value) -> Change {
        self.record(|record| {
            // Whoever made it did so before this document's first write: somebody may be using it.
            record.in_use |= record.target.is_none();
            record.target.get_or_insert(target);
        })
    }
}
