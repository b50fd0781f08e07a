//! What an event makes of one step: one file for each transition.

use jiff::Timestamp;

use super::{Change, Policy, Sight};
use crate::{
    ids::StepName,
    tenant::{Cause, Effort, StepRecord, StepState, Tenant},
    time::later,
};

mod answered;
mod began;
mod broken;
mod failed;
mod halted;
mod observed;
mod polled;
mod proved;
mod ready;
mod removed;
mod searched;

/// One step under the engine's hands.
pub(super) struct At<'a> {
    pub(super) tenant: &'a mut Tenant,
    pub(super) sight: &'a mut Sight,
    pub(super) name: &'a StepName,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    /// What history is told of a change that is no failure of the step.
    pub(super) told: Option<Cause>,
}

impl At<'_> {
    /// Changes the record.
    fn record(&mut self, change: impl FnOnce(&mut StepRecord)) -> Change {
        if let Some(record) = self.tenant.steps.get_mut(self.name) {
            change(record);
        }
        Change::Major
    }

    /// Moves the step to another state, which goes on with what the turn has taken so far.
    fn enter(&mut self, state: impl FnOnce(Effort) -> StepState) -> Change {
        self.record(|record| record.enter(state))
    }

    fn peek<T>(&self, ask: impl FnOnce(&StepRecord) -> T) -> Option<T> {
        self.tenant.steps.get(self.name).map(ask)
    }

    /// What the turn has taken so far.
    fn effort(&self) -> Effort {
        self.peek(|record| record.effort().clone()).unwrap_or_else(|| Effort::none(self.now))
    }

    /// Whether a write that was sent lately may have made what a look can't see yet.
    fn may_be_unseen(&self) -> bool {
        let visibility = self.policy.visibility;
        self.peek(|record| {
            record.kind.is_replicated() && record.wrote_at.is_some_and(|at| later(at, visibility) > self.now)
        }) == Some(true)
    }
}
