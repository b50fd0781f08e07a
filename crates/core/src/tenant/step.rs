//! What is durably known of one step.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cause, Consent, Ground};
use crate::{
    blueprint::{Kind, Outputs},
    ids::StepName,
};

/// How the answers of a poll URL are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollStyle {
    /// `Azure-AsyncOperation`: 200 with a `status`.
    AsyncOperation,
    /// `Location`: 202 while running, 200 or 204 when done.
    Location,
}

/// The durable handle of a long-running operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// Where to ask; up to 4 KB long.
    pub url: String,
    /// How to read the answer.
    pub style: PollStyle,
    /// How long the service gives the operation, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<SignedDuration>,
}

/// Where a step stands. The direction (make it so, or remove it) is [`StepRecord::doomed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// A write or delete was about to go out: it may or may not have happened, so look first.
    Writing,
    /// Azure is working on it.
    #[serde(rename_all = "camelCase")]
    Settling {
        /// The operation to ask about; without one the resource itself is looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Poll>,
        /// When to ask next.
        check_at: Timestamp,
    },
    /// Failed in a way that may pass.
    Backoff {
        /// When to try again.
        until: Timestamp,
        /// Why it failed.
        cause: Cause,
    },
    /// As wanted when last seen.
    Ready,
    /// Needs a person; a retry moves it back to `Waiting`.
    Halted {
        /// Why.
        cause: Cause,
    },
    /// Looked for after removal, and not there.
    Gone,
}

impl StepState {
    /// The word for views, history and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Writing => "writing",
            Self::Settling { .. } => "settling",
            Self::Backoff { .. } => "backoff",
            Self::Ready => "ready",
            Self::Halted { .. } => "halted",
            Self::Gone => "gone",
        }
    }

    /// Why a person is needed, if one is.
    pub fn halted(&self) -> Option<&Cause> {
        if let Self::Halted { cause } = self { Some(cause) } else { None }
    }

    /// The operation to ask about, if Azure gave one.
    pub fn operation(&self) -> Option<&Poll> {
        if let Self::Settling { operation, .. } = self { operation.as_ref() } else { None }
    }
}

/// One step of one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Where it stands.
    pub state: StepState,
    /// What kind of step it is; kept here because a later plan may no longer have it.
    pub kind: Kind,
    /// The steps it stands on, for removal in reverse order.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<StepName>,
    /// Enough to find and remove what was made; set together with the first intent, `None` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Value>,
    /// What it told when last seen ready.
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    pub outputs: Outputs,
    /// The digest of the planned step that this state is about.
    pub digest: String,
    /// Whether what is here has to go (before it may be made anew, if the plan still has it).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doomed: bool,
    /// Why it may go; set together with [`Self::doomed`], by `engine::removal` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// Whether its object was ready in this incarnation, or was there before the first write: somebody may be using it, so
    /// it is not deleted to mend it. Forgotten when the object is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_use: bool,
    /// Who has allowed to delete it and make it anew, until it is ready again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// The step whose deletion takes this one's object along, as it could not be removed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_to: Option<StepName>,
    /// Rises whenever the step begins anew, so that a late answer to an earlier question is not taken for a new one.
    #[serde(default)]
    pub turn: u32,
    /// When the last write was about to go out, in whatever turn: until long after, not to see it proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote_at: Option<Timestamp>,
    /// Writes and deletes of this turn that Azure took.
    #[serde(default)]
    pub attempts: u32,
    /// Whether a write of this turn was answered with success: if a look then shows nothing, the look is behind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub written: bool,
    /// What was found otherwise than wanted before this turn's last write: JSON pointers, `absent` or `deleted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<String>,
    /// How often it was removed and made anew because Azure had given up on it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub recreated: u32,
    /// Failures in a row; sets the back-off.
    #[serde(default)]
    pub failures: u32,
    /// Answers of this turn that nobody knows the meaning of; only so many are tried again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u32,
    /// Nobody asks about it before: a service wanted to be left alone for so long, and the answer that said so came to a turn
    /// that was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When this turn began, or its current failure streak.
    pub since: Timestamp,
    /// How long has been tried since then: what budgets count. Absent as long as nothing was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
}

/// Time in which something was tried. Time in which nobody was there, and a clock that jumps, do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// How long, so far.
    pub spent: SignedDuration,
    /// When it was last counted.
    pub at: Timestamp,
}

impl StepRecord {
    /// Whether nothing is left to be done about it: ready and wanted, or gone.
    pub fn is_at_rest(&self) -> bool {
        match self.state {
            StepState::Ready => !self.doomed,
            StepState::Gone => true,
            StepState::Waiting
            | StepState::Writing
            | StepState::Settling { .. }
            | StepState::Backoff { .. }
            | StepState::Halted { .. } => false,
        }
    }

    /// A step that has not begun.
    pub fn new(kind: Kind, needs: BTreeSet<StepName>, digest: String, now: Timestamp) -> Self {
        Self {
            state: StepState::Waiting,
            kind,
            needs,
            target: None,
            outputs: Outputs::new(),
            digest,
            doomed: false,
            ground: None,
            in_use: false,
            consent: None,
            left_to: None,
            turn: 0,
            wrote_at: None,
            attempts: 0,
            written: false,
            found: Vec::new(),
            recreated: 0,
            failures: 0,
            unknown: 0,
            not_before: None,
            since: now,
            tried: None,
        }
    }

    /// Begins anew: what was known about progress is forgotten, what was made is not.
    pub fn begin_anew(&mut self, now: Timestamp) {
        self.in_use |= self.state == StepState::Ready;
        self.left_to = None;
        self.state = StepState::Waiting;
        self.turn += 1;
        self.attempts = 0;
        self.written = false;
        self.found.clear();
        self.failures = 0;
        self.unknown = 0;
        self.since = now;
        self.tried = None;
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
