//! Transitions before a write or delete is sent, and when an object is found that no recorded write has created.

use serde_json::Value;

use super::At;
use crate::{
    engine::{Change, Discrepancy, repair},
    tenant::StepState,
};

impl At<'_> {
    /// Records the intent to write or delete, which is saved before anything is sent, and the differences that call for
    /// it.
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

    /// Records the target of an object that exists although no write of it is recorded, so that it can be deleted.
    pub(in crate::engine) fn found(&mut self, target: Value) -> Change {
        self.record(|record| {
            // The object was created before the first recorded write, so it may be in use.
            record.in_use |= record.target.is_none();
            record.target.get_or_insert(target);
        })
    }
}
