//! The durable record of one step.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Consent, Effort, Ground, StepState, stored_step::StoredStep};
use crate::{
    blueprint::{Kind, Outputs},
    ids::StepName,
};

/// One step of one tenant. Fields that outlast a step generation are here; those of a single state are in
/// [`StepState`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredStep", into = "StoredStep")]
pub struct StepRecord {
    /// The step's state.
    pub state: StepState,
    /// What kind of step it is; kept in the record because a later plan may no longer have the step.
    pub kind: Kind,
    /// The steps that this step depends on, for deletion in reverse order.
    pub needs: BTreeSet<StepName>,
    /// The deletion record: what is needed to find and delete the object. Set together with the first intent to write;
    /// `None` before, and once the object is deleted.
    pub target: Option<Value>,
    /// The step's outputs when the step was last ready.
    pub outputs: Outputs,
    /// The digest of the planned step that the state is about.
    pub digest: String,
    /// Marks the object for deletion (and for being recreated, if the plan still has the step); `None` if it is not
    /// marked.
    pub removal: Option<Removal>,
    /// Whether the step's object was ready in this incarnation, or existed before the first write: it may be in use, so
    /// it is not deleted to repair it. Reset when the object is deleted.
    pub in_use: bool,
    /// The consent of a request to recreate the object; removed when the step is ready again.
    pub consent: Option<Consent>,
    /// The step generation: rises with every restart, so that a late answer to an earlier request is not mistaken for a
    /// new one.
    pub generation: u32,
    /// When the last write of any step generation was about to be sent. For some time afterwards, a read that does not
    /// show the write may be stale.
    pub wrote_at: Option<Timestamp>,
    /// How often the object was recreated because no write repaired it.
    pub recreated: u32,
    /// No request about the step is sent before this instant: a service asked for a pause, in an answer to an earlier
    /// step generation or to another step that calls the same address.
    pub not_before: Option<Timestamp>,
}

/// Marks a step's object for deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Why the object may be deleted, as `engine::removal` has found; `None` in documents of versions that did not
    /// record it.
    pub ground: Option<Ground>,
    /// The step whose deletion also deletes this step's object, because the object could not be deleted by itself.
    pub left_to: Option<StepName>,
}

impl StepRecord {
    /// The record of a step that has not begun.
    pub fn new(kind: Kind, needs: BTreeSet<StepName>, digest: String, now: Timestamp) -> Self {
        Self {
            state: StepState::Waiting(Effort::none(now)),
            kind,
            needs,
            target: None,
            outputs: Outputs::new(),
            digest,
            removal: None,
            in_use: false,
            consent: None,
            generation: 0,
            wrote_at: None,
            recreated: 0,
            not_before: None,
        }
    }

    /// Moves the step to another state, which keeps the effort of this step generation.
    pub fn enter(&mut self, state: impl FnOnce(Effort) -> StepState) {
        self.state = state(self.state.effort().clone());
    }

    /// The effort of this step generation.
    pub fn effort(&self) -> &Effort {
        self.state.effort()
    }

    /// Whether the step's object is marked for deletion.
    pub fn is_marked_for_deletion(&self) -> bool {
        self.removal.is_some()
    }

    /// Whether the step's object is marked for deletion and not yet known to be deleted.
    pub fn is_deleting(&self) -> bool {
        self.is_marked_for_deletion() && !self.state.is_deleted()
    }

    /// Whether the step is ready and not marked for deletion.
    pub fn stands(&self) -> bool {
        self.state.is_ready() && !self.is_marked_for_deletion()
    }

    /// Why the step's object may be deleted; `None` if it is not marked for deletion, or if the reason was not
    /// recorded.
    pub fn ground(&self) -> Option<&Ground> {
        self.removal.as_ref()?.ground.as_ref()
    }

    /// The step whose deletion also deletes this step's object; `None` if this step deletes its object itself.
    pub fn left_to(&self) -> Option<&StepName> {
        self.removal.as_ref()?.left_to.as_ref()
    }

    /// Whether nothing is left to do about the step: it is ready and not marked for deletion, or it is deleted.
    pub fn is_at_rest(&self) -> bool {
        self.stands() || self.state.is_deleted()
    }

    /// Records that no request about the step is sent before `until`; a longer pause that is recorded already stays.
    pub(crate) fn leave_alone_until(&mut self, until: Timestamp) {
        self.not_before = self.not_before.max(Some(until));
    }

    /// For a step that leaves the plan before anything was created: whether a service's pause is still running. If so,
    /// this marks the step as deleted, and the record has to stay, so that a later plan that has the step again keeps
    /// the pause.
    pub(crate) fn leaves_a_pause(&mut self, now: Timestamp) -> bool {
        let is_held = self.target.is_none() && self.not_before.is_some_and(|until| until > now);
        if is_held {
            self.removal = Some(Removal::default());
            self.enter(StepState::Deleted);
        }
        is_held
    }

    /// Restarts the step: its progress is reset, what is known about its object is kept.
    pub fn restart(&mut self, now: Timestamp) {
        self.in_use |= self.state.is_ready();
        if let Some(removal) = &mut self.removal {
            removal.left_to = None;
        }
        self.state = StepState::Waiting(Effort::none(now));
        self.generation += 1;
    }

    /// Resets what is known about the object, after a read has shown that it does not exist.
    pub fn forget_object(&mut self) {
        self.target = None;
        self.outputs = Outputs::new();
        self.in_use = false;
    }
}
