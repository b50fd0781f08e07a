//! The tenant document.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    AccessCut, Action, Channel, DriftReported, External, Lease, OutboxEntry, PinnedPlan, Placement, Proof,
    Retained, Spec, StepRecord, UnknownCodes, UnknownFields,
};
use crate::{
    blueprint::{BlueprintRef, Outputs, RenderError, Rendered},
    ids::{StepName, TenantId},
};

/// What the engine works towards. A suspended tenant is `Present` too: its plan says what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Everything in the plan exists.
    Present,
    /// No object that was ever recorded for the tenant exists.
    Absent,
}

/// The status of a tenant, as people and subscribers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Accepted; nothing done yet.
    Requested,
    /// Being provisioned.
    Provisioning,
    /// Ready for its owner.
    Active,
    /// Without access for its owner until it is resumed.
    Suspended,
    /// Being changed.
    Updating,
    /// Blocked until a person has acted; a retry continues.
    Waiting,
    /// The last operation failed permanently; retry, update and deprovision are possible.
    Failed,
    /// Being deleted.
    Deprovisioning,
    /// Deleted; the document stays as a tombstone.
    Deleted,
}

impl Status {
    /// The name in events, views and logs.
    pub fn as_str(self) -> &'static str {
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

/// An accepted request that has no outcome yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The operation's id, derived from the request's id, so that a repeated request has the same operation id.
    pub id: String,
    /// What was requested.
    pub action: Action,
    /// The request's id.
    pub request_id: String,
    /// The generation of the tenant with the desired state that was requested.
    pub generation: u64,
    /// The number of the attempt: 1, plus one for every retry.
    pub attempt: u32,
    /// When the request was accepted.
    pub started_at: Timestamp,
    /// Whether work on the operation has begun.
    #[serde(default)]
    pub started: bool,
    /// The tenant's status before the request was accepted.
    pub previous_status: Status,
    /// The ids of the request in an external system, copied to events; `None` if the request has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The `traceparent` under which the request was accepted: the spans of all its work belong to that trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conclusion {
    /// The operation's id.
    pub operation_id: String,
    /// What was requested.
    pub action: Action,
    /// The attempt that ended.
    pub attempt: u32,
    /// The tenant's status when the operation ended.
    pub status: Status,
    /// When the operation ended.
    pub finished_at: Timestamp,
    /// The time from the acceptance of the request to the end of the operation, in milliseconds.
    pub duration_ms: i64,
    /// The steps that a reconcile request has repaired; empty for other actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Repaired>,
}

/// A step that was repaired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    /// The step's name.
    pub step: StepName,
    /// What a read had found: JSON pointers to the differences, `absent`, or `deleted` for an object that could be
    /// restored.
    pub what: Vec<String>,
}

/// A recent request, recorded so that a repeat changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastRequest {
    /// The request's id.
    pub request_id: String,
    /// The id of the operation that the request started.
    pub operation_id: String,
    /// The publisher of events that sent the request; `None` for requests from the queue and over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// The key of the external system's operation that the request belongs to; `None` if it belongs to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
}

/// How many recent requests the document holds; older ones are in the request records.
const REMEMBERED: usize = 32;

/// The whole durable state of one tenant. The lease, the version and the outbox are changed only by methods, which keep
/// their invariants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// The name of the document's schema: [`Self::SCHEMA`].
    pub schema: String,
    /// The tenant's id.
    pub id: TenantId,
    /// How many times the tenant's id was signed up; part of every derived name.
    pub incarnation: u32,
    /// Rises with every accepted request and every outcome.
    pub(super) version: u64,
    /// Rises with every change of the desired state.
    pub generation: u64,
    /// The status that people and subscribers see.
    pub status: Status,
    /// What the engine works towards.
    pub goal: Goal,
    /// The desired state, as requested.
    pub spec: Spec,
    /// The channel on which the tenant was signed up.
    #[serde(default, skip_serializing_if = "Channel::is_operator")]
    pub channel: Channel,
    /// The stamp in which the tenant is provisioned.
    pub placement: Placement,
    /// The plan: what the tenant consists of. It is pinned, and all copies of a document share it.
    pub plan: PinnedPlan,
    /// The blueprints that the tenant was moved away from, as long as an object of theirs may still exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<BlueprintRef>,
    /// How far the suspension has cut the tenant's access; `None` if the tenant is not suspended or no step cuts
    /// access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<AccessCut>,
    /// The record of each step.
    pub(crate) steps: BTreeMap<StepName, StepRecord>,
    /// The exports that were published when the tenant was last ready.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exports: BTreeMap<String, Value>,
    /// Accepted requests without an outcome, oldest first.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// The operation that a retry continues; `None` if nothing is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Operation>,
    /// How the last operation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concluded: Option<Conclusion>,
    /// The last recorded proof of the tenant's isolation; `None` before the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The last accepted requests, oldest first, so that a repeated request is recognized.
    #[serde(default)]
    pub requests: VecDeque<PastRequest>,
    /// The lease that was given last; `None` if it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<Lease>,
    /// The highest lease epoch given so far.
    #[serde(default)]
    pub(super) epoch: u64,
    /// The lease is not given up before this instant: an unanswered request may still take effect until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unsure_until: Option<Timestamp>,
    /// Events and history rows that have yet to be published, oldest first.
    #[serde(default)]
    pub(super) outbox: Vec<OutboxEntry>,
    /// The number of the last outbox entry.
    #[serde(default)]
    pub(super) numbered: u64,
    /// The sequence of the last event.
    #[serde(default)]
    pub(super) sequence: u64,
    /// The drift that was last reported; `None` if there never was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftReported>,
    /// Error codes that the table of errors does not know, with how often this tenant's steps received them.
    #[serde(default, skip_serializing_if = "UnknownCodes::is_empty")]
    pub unknown_codes: UnknownCodes,
    /// The objects of this and earlier incarnations that Azure retains after their deletion, so that their names are
    /// held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retained: Vec<Retained>,
    /// When the next reconcile pass is due; `None` when nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// When the current incarnation of the tenant was signed up.
    pub created_at: Timestamp,
    /// When the document was last changed.
    pub updated_at: Timestamp,
    /// Top-level members that a later version wrote; kept as they are.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
    /// Members of nested objects that a later version wrote, with the path to where they belong.
    #[serde(skip)]
    pub nested_unknown: UnknownFields,
}

impl Tenant {
    /// The schema that this program writes.
    pub const SCHEMA: &str = "tenantry.tenant/1";

    /// The record of each step. Only the engine changes it.
    pub fn steps(&self) -> &BTreeMap<StepName, StepRecord> {
        &self.steps
    }

    /// Changes the record of one step, if there is one of that name. Only for tests and for restoring a state: what
    /// happens to a step is applied by the engine as an event.
    pub fn change_step(&mut self, name: &StepName, change: impl FnOnce(&mut StepRecord)) {
        if let Some(record) = self.steps.get_mut(name) {
            change(record);
        }
    }

    /// Removes the records of all steps for which `is_kept` returns false.
    pub fn keep_steps(&mut self, is_kept: impl Fn(&StepName) -> bool) {
        self.steps.retain(|name, _| is_kept(name));
    }

    /// The outputs of all steps, as expressions see them.
    pub fn outputs(&self) -> BTreeMap<StepName, Outputs> {
        self.steps.iter().map(|(name, record)| (name.clone(), record.outputs.clone())).collect()
    }

    /// The step's desired state, evaluated with the outputs of the other steps. Reconciling, drift and isolation checks
    /// use the same function.
    ///
    /// # Errors
    /// As for [`Plan::render`](crate::blueprint::Plan::render).
    pub fn rendered(&self, step: &StepName) -> Result<Rendered, RenderError> {
        let is_late = self.plan.steps.get(step).is_some_and(|planned| planned.desired.is_late());
        // Gathering all outputs is expensive, and most steps need none.
        let outputs = if is_late { self.outputs() } else { BTreeMap::new() };
        self.plan.render(step, &outputs)
    }

    /// The blueprint of the pinned plan, and earlier blueprints of which objects may still exist: the permissions of
    /// all of them are needed. Empty for a deleted tenant.
    pub fn blueprints_in_use(&self) -> impl Iterator<Item = &BlueprintRef> {
        let alive = self.status != Status::Deleted;
        std::iter::once(&self.plan.blueprint).chain(&self.former).filter(move |_| alive)
    }

    /// The operation that the current work belongs to: the one accepted last.
    pub fn operation(&self) -> Option<&Operation> {
        self.operations.last()
    }

    /// The recent request with the same id and publisher as `request`, or for the same operation of an external system;
    /// `None` if there is none.
    pub fn remembers(&self, request: &PastRequest) -> Option<&PastRequest> {
        let same = |past: &&PastRequest| {
            (past.request_id == request.request_id && past.publisher == request.publisher)
                || (request.external.is_some() && past.external == request.external)
        };
        self.requests.iter().find(same)
    }

    /// Records an accepted request; the oldest one is dropped when there are too many.
    pub fn remember(&mut self, request: PastRequest) {
        if self.requests.len() >= REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    /// The version, which rises with every accepted request and every outcome: if it is unchanged, what was read before
    /// still holds.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Raises the version. Call it when a request is accepted and when its work has an outcome.
    pub fn raise_version(&mut self) {
        self.version += 1;
    }

    /// Makes the tenant due at `at`, unless it is due before.
    pub fn due_by(&mut self, at: Timestamp) {
        self.due_at = Some(self.due_at.map_or(at, |due| due.min(at)));
    }
}
