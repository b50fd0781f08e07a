//! The transitions of a step: what each event changes, one file for each transition.

use jiff::Timestamp;

use super::{Change, Discrepancies, Policy};
use crate::{
    ids::StepName,
    tenant::{Cause, Effort, StepRecord, StepState, Tenant},
    time::saturating_add,
};

mod answered;
mod began;
mod blocked;
mod failed;
mod observed;
mod polled;
mod proved;
mod ready;
mod recreate;
mod removed;
mod searched;

/// The step that an event is applied to, with its tenant and everything that decides about the transition.
pub(super) struct At<'a> {
    pub(super) tenant: &'a mut Tenant,
    pub(super) discrepancies: &'a mut Discrepancies,
    pub(super) name: &'a StepName,
    pub(super) policy: &'a Policy,
    pub(super) now: Timestamp,
    /// The cause that the history row gets for a change that is no failure of the step; `None` for other changes.
    pub(super) reported: Option<Cause>,
}

impl At<'_> {
    /// Changes the step's record, if the tenant has the step.
    fn record(&mut self, change: impl FnOnce(&mut StepRecord)) -> Change {
        if let Some(record) = self.tenant.steps.get_mut(self.name) {
            change(record);
        }
        Change::Major
    }

    /// Moves the step to another state, which keeps the effort of this step generation.
    fn enter(&mut self, state: impl FnOnce(Effort) -> StepState) -> Change {
        self.record(|record| record.enter(state))
    }

    fn peek<T>(&self, ask: impl FnOnce(&StepRecord) -> T) -> Option<T> {
        self.tenant.steps.get(self.name).map(ask)
    }

    /// The effort of this step generation.
    fn effort(&self) -> Effort {
        self.peek(|record| record.effort().clone()).unwrap_or_else(|| Effort::none(self.now))
    }

    /// Whether the step's object is replicated and was written so recently that a read may not show the write yet.
    fn may_be_unseen(&self) -> bool {
        let visibility = self.policy.visibility;
        self.peek(|record| {
            record.kind.is_replicated()
                && record.wrote_at.is_some_and(|at| saturating_add(at, visibility) > self.now)
        }) == Some(true)
    }
}
