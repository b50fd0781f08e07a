//! The document itself.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    AccessCut, Action, Channel, DriftTold, External, Later, Lease, Notice, PinnedPlan, Placement, Proof,
    Retained, Spec, StepRecord, UnknownCodes,
};
use crate::{
    blueprint::{BlueprintRef, Outputs, RenderError, Rendered},
    ids::{StepName, TenantId},
};

/// What the engine works towards. A suspended tenant is as present as its plan says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Everything that the plan says is there.
    Present,
    /// Nothing that was ever recorded is there.
    Absent,
}

/// Where a tenant stands, as people and subscribers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Accepted; nothing done yet.
    Requested,
    /// Being made.
    Provisioning,
    /// Ready for its owner.
    Active,
    /// As its owner may not use it until it is resumed.
    Suspended,
    /// Being changed.
    Updating,
    /// Stopped until a person has acted; a retry goes on.
    Waiting,
    /// The last operation failed for good; retry, update and deprovision are possible.
    Failed,
    /// Being removed.
    Deprovisioning,
    /// Removed; the document stays as a tombstone.
    Deleted,
}

impl Status {
    /// The word in events, views and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Updating => "updating",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Deprovisioning => "deprovisioning",
            Self::Deleted => "deleted",
        }
    }

    /// Whether nothing more happens without a new request.
    pub fn settled(self) -> bool {
        match self {
            Self::Active | Self::Suspended | Self::Waiting | Self::Failed | Self::Deleted => true,
            Self::Requested | Self::Provisioning | Self::Updating | Self::Deprovisioning => false,
        }
    }
}

/// A request that was accepted and has no outcome yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Derived from the request's id, so that the same request is the same operation.
    pub id: String,
    /// What was asked.
    pub action: Action,
    /// The request's id.
    pub request_id: String,
    /// The generation that it asked for.
    pub generation: u64,
    /// 1, and one more with every retry.
    pub attempt: u32,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// Whether work on it has begun.
    #[serde(default)]
    pub started: bool,
    /// The tenant's status before.
    pub previous_status: Status,
    /// Copied through to events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// Where in a trace it was accepted, as a `traceparent`: all that is done for it is told as a part of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conclusion {
    /// The operation.
    pub operation_id: String,
    /// What was asked.
    pub action: Action,
    /// The attempt that ended.
    pub attempt: u32,
    /// The tenant's status then.
    pub status: Status,
    /// When.
    pub finished_at: Timestamp,
    /// How long it took since it was accepted, in milliseconds.
    pub duration_ms: i64,
    /// What a reconciliation has put right; empty for other actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Repaired>,
}

/// A step that was put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    /// The step.
    pub step: StepName,
    /// What a look had found: JSON pointers to what differed, or `absent`, or `deleted` for what could be brought back.
    pub what: Vec<String>,
}

/// A request seen lately, so that a repeat changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastRequest {
    /// Its id.
    pub request_id: String,
    /// The operation that it became.
    pub operation_id: String,
    /// The publisher of events that sent it; none for requests of the queue and over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// The key of the other system's operation that it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
}

/// How many past requests the document itself remembers; older ones are in the request records.
const REMEMBERED: usize = 32;

/// All that is durably known of one tenant. What has to hold of the lease, the version and the outbox is held by their methods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// [`Self::SCHEMA`].
    pub schema: String,
    /// Who it is.
    pub id: TenantId,
    /// How many times the id was signed up; part of every derived name.
    pub incarnation: u32,
    /// Rises with every accepted request and every outcome.
    pub(super) version: u64,
    /// Rises with every change of the wish.
    pub generation: u64,
    /// Where it stands.
    pub status: Status,
    /// What is worked towards.
    pub goal: Goal,
    /// What is wanted.
    pub spec: Spec,
    /// The channel that signed it up.
    #[serde(default, skip_serializing_if = "Channel::is_operator")]
    pub channel: Channel,
    /// Where it lives.
    pub placement: Placement,
    /// What it consists of; pinned, so that every copy of a document shares it.
    pub plan: PinnedPlan,
    /// The blueprints that it was moved away from, as long as something that they made may still be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<BlueprintRef>,
    /// How far the last suspension has cut its access; none once it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<AccessCut>,
    /// What is known of each step.
    pub(crate) steps: BTreeMap<StepName, StepRecord>,
    /// What its owner was told when it was last ready.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, Value>,
    /// Accepted requests without an outcome, oldest first.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// The operation that a retry would take up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halted: Option<Operation>,
    /// How the last operation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concluded: Option<Conclusion>,
    /// What the last proof of its isolation came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Requests seen lately.
    #[serde(default)]
    pub requests: VecDeque<PastRequest>,
    /// Who acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<Lease>,
    /// The highest lease epoch given.
    #[serde(default)]
    pub(super) epoch: u64,
    /// Not before this instant may a lease be given up: an unanswered request may still take effect until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unsure_until: Option<Timestamp>,
    /// What has to be told.
    #[serde(default)]
    pub(super) notices: Vec<Notice>,
    /// Notices so far.
    #[serde(default)]
    pub(super) numbered: u64,
    /// Events so far.
    #[serde(default)]
    pub(super) sequence: u64,
    /// What was last told of drift; absent as long as there never was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftTold>,
    /// Codes of services that the table of errors does not know, as this tenant's steps met them.
    #[serde(default, skip_serializing_if = "UnknownCodes::is_empty")]
    pub unknown_codes: UnknownCodes,
    /// What Azure keeps of this and earlier incarnations although it was deleted, and under which names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retained: Vec<Retained>,
    /// When somebody has to look at it again; `None` when nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When it was signed up.
    pub created_at: Timestamp,
    /// When the document was last changed.
    pub updated_at: Timestamp,
    /// Members that a later version wrote; kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
    /// The same for members further down; where they stand in what is known, so that they are no part of it.
    #[serde(skip)]
    pub later: Later,
}

impl Tenant {
    /// The schema that this program writes.
    pub const SCHEMA: &str = "tenantry.tenant/1";

    /// What is known of each step. The engine alone changes it.
    pub fn steps(&self) -> &BTreeMap<StepName, StepRecord> {
        &self.steps
    }

    /// Changes what is known of one step, if there is one of that name: for whoever restores or invents a state, such as tests.
    /// What happens to a step is told to the engine as an event.
    pub fn change_step(&mut self, name: &StepName, change: impl FnOnce(&mut StepRecord)) {
        if let Some(record) = self.steps.get_mut(name) {
            change(record);
        }
    }

    /// Forgets the steps that are not to be kept.
    pub fn keep_steps(&mut self, is_kept: impl Fn(&StepName) -> bool) {
        self.steps.retain(|name, _| is_kept(name));
    }

    /// What each ready step has told, as expressions see it.
    pub fn outputs(&self) -> BTreeMap<StepName, Outputs> {
        self.steps.iter().map(|(name, record)| (name.clone(), record.outputs.clone())).collect()
    }

    /// What a step is to bring about, with what the others have told: the same for whoever brings it about, watches over it
    /// or proves it.
    ///
    /// # Errors
    /// As for [`Plan::render`](crate::blueprint::Plan::render).
    pub fn rendered(&self, step: &StepName) -> Result<Rendered, RenderError> {
        let is_late = self.plan.steps.get(step).is_some_and(|planned| planned.desired.is_late());
        // What all steps have told is costly to gather, and most steps are known as a whole.
        let outputs = if is_late { self.outputs() } else { BTreeMap::new() };
        self.plan.render(step, &outputs)
    }

    /// The blueprint that it is pinned to, and those of which something may still be there: what it is made of needs the
    /// rights of all of them. None for one that is removed.
    pub fn blueprints_in_use(&self) -> impl Iterator<Item = &BlueprintRef> {
        let alive = self.status != Status::Deleted;
        std::iter::once(&self.plan.blueprint).chain(&self.former).filter(move |_| alive)
    }

    /// The operation that the present work belongs to: the latest accepted one.
    pub fn operation(&self) -> Option<&Operation> {
        self.operations.last()
    }

    /// Whether this request was taken lately, and as which operation: it, or another one for the same operation of another
    /// system.
    pub fn remembers(&self, request: &PastRequest) -> Option<&PastRequest> {
        let same = |past: &&PastRequest| {
            (past.request_id == request.request_id && past.publisher == request.publisher)
                || (request.external.is_some() && past.external == request.external)
        };
        self.requests.iter().find(same)
    }

    /// Remembers a request; the oldest is forgotten when there are too many.
    pub fn remember(&mut self, request: PastRequest) {
        if self.requests.len() >= REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// Rises with every accepted request and every outcome: what somebody has looked at is still so if it is the same.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A request was accepted, or its work has come to an outcome.
    pub fn raise_version(&mut self) {
        self.version += 1;
    }

    /// Is due at that instant, unless it is due before.
    pub fn due_by(&mut self, at: Timestamp) {
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }
}
