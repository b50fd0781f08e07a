//! What is durably known of one step.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Consent, Effort, Ground, StepState, stored_step::StoredStep};
use crate::{
    blueprint::{Kind, Outputs},
    ids::StepName,
};

/// One step of one tenant. What lasts from turn to turn stands here; what is so in one state alone is in [`StepState`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredStep", into = "StoredStep")]
pub struct StepRecord {
    /// Where it stands.
    pub state: StepState,
    /// What kind of step it is; kept here because a later plan may no longer have it.
    pub kind: Kind,
    /// The steps it stands on, for removal in reverse order.
    pub needs: BTreeSet<StepName>,
    /// Enough to find and remove what was made; set together with the first intent, `None` before.
    pub target: Option<Value>,
    /// What it told when last seen ready.
    pub outputs: Outputs,
    /// The digest of the planned step that this state is about.
    pub digest: String,
    /// That what is here has to go (before it may be made anew, if the plan still has it).
    pub removal: Option<Removal>,
    /// Whether its object was ready in this incarnation, or was there before the first write: somebody may be using it, so
    /// it is not deleted to mend it. Forgotten when the object is gone.
    pub in_use: bool,
    /// Who has allowed to delete it and make it anew, until it is ready again.
    pub consent: Option<Consent>,
    /// Rises whenever the step begins anew, so that a late answer to an earlier question is not taken for a new one.
    pub turn: u32,
    /// When the last write was about to go out, in whatever turn: until long after, not to see it proves nothing.
    pub wrote_at: Option<Timestamp>,
    /// How often it was removed and made anew because Azure had given up on it.
    pub recreated: u32,
    /// Nobody asks about it before: a service wanted to be left alone for so long, and the answer that said so came to a turn
    /// that was over.
    pub not_before: Option<Timestamp>,
}

/// That a step's object has to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removal {
    /// Why it may go, as `engine::removal` has found it; none in documents of before it was kept.
    pub ground: Option<Ground>,
    /// The step whose deletion takes this one's object along, as it could not be removed by itself.
    pub left_to: Option<StepName>,
}

impl StepRecord {
    /// A step that has not begun.
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
            turn: 0,
            wrote_at: None,
            recreated: 0,
            not_before: None,
        }
    }

    /// Moves it to another state, which goes on with what the turn has taken so far.
    pub fn enter(&mut self, state: impl FnOnce(Effort) -> StepState) {
        self.state = state(self.state.effort().clone());
    }

    /// What its turn has taken so far.
    pub fn effort(&self) -> &Effort {
        self.state.effort()
    }

    /// Whether what is here has to go.
    pub fn is_doomed(&self) -> bool {
        self.removal.is_some()
    }

    /// Whether what is here has to go, and is not known to be gone.
    pub fn is_going(&self) -> bool {
        self.is_doomed() && !self.state.is_gone()
    }

    /// Whether it is ready, and is to stay so.
    pub fn stands(&self) -> bool {
        self.state.is_ready() && !self.is_doomed()
    }

    /// Why it may go, if it has to and that is known.
    pub fn ground(&self) -> Option<&Ground> {
        self.removal.as_ref()?.ground.as_ref()
    }

    /// The step to whose deletion its own removal is left.
    pub fn left_to(&self) -> Option<&StepName> {
        self.removal.as_ref()?.left_to.as_ref()
    }

    /// Whether nothing is left to be done about it: ready and wanted, or gone.
    pub fn is_at_rest(&self) -> bool {
        self.stands() || self.state.is_gone()
    }

    /// Nobody asks about it before that instant, nor before one that was told earlier.
    pub(crate) fn leave_alone_until(&mut self, until: Timestamp) {
        self.not_before = self.not_before.max(Some(until));
    }

    /// Leaves the plan before anything was made: whether a service still wants to be left alone. Then the record stays, as that
    /// of a step that is gone, so that a later wish which has the step again does not ask too early.
    pub(crate) fn leaves_a_pause(&mut self, now: Timestamp) -> bool {
        let is_held = self.target.is_none() && self.not_before.is_some_and(|until| until > now);
        if is_held {
            self.removal = Some(Removal::default());
            self.enter(StepState::Gone);
        }
        is_held
    }

    /// Begins anew: what was known about progress is forgotten, what was made is not.
    pub fn begin_anew(&mut self, now: Timestamp) {
        self.in_use |= self.state.is_ready();
        if let Some(removal) = &mut self.removal {
            removal.left_to = None;
        }
        self.state = StepState::Waiting(Effort::none(now));
        self.turn += 1;
    }

    /// It was looked for and is not there: nothing is known of what was made any more.
    pub fn forget_object(&mut self) {
        self.target = None;
        self.outputs = Outputs::new();
        self.in_use = false;
    }
}
