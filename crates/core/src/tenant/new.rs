//! A tenant that is signed up, for the first time or again.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{Channel, Goal, Placement, Spec, Status, StepRecord, Tenant, UnknownCodes, UnknownFields};
use crate::{
    blueprint::{Plan, PlannedStep},
    ids::{StepName, TenantId},
};

impl Tenant {
    /// A tenant in its first incarnation, with nothing done yet.
    pub fn new(id: TenantId, spec: Spec, placement: Placement, plan: Plan, now: Timestamp) -> Self {
        let steps = unbegun(&plan, now);
        Self {
            schema: Self::SCHEMA.to_owned(),
            id,
            incarnation: 1,
            version: 0,
            generation: 1,
            status: Status::Requested,
            goal: Goal::Present,
            spec,
            channel: Channel::default(),
            placement,
            plan: plan.into(),
            former: Vec::new(),
            cut: None,
            steps,
            exports: BTreeMap::new(),
            operations: Vec::new(),
            blocked: None,
            concluded: None,
            proof: None,
            requests: VecDeque::new(),
            lease: None,
            epoch: 0,
            unsure_until: None,
            outbox: Vec::new(),
            numbered: 0,
            sequence: 0,
            drift: None,
            unknown_codes: UnknownCodes::default(),
            retained: Vec::new(),
            due_at: None,
            created_at: now,
            updated_at: now,
            unknown: serde_json::Map::new(),
            nested_unknown: UnknownFields::default(),
        }
    }

    /// The next incarnation of a deprovisioned tenant. The version, the epoch and the numbers of events continue, so
    /// that no event or request of the previous incarnation is mistaken for one of the new incarnation.
    #[must_use]
    pub fn again(self, spec: Spec, placement: Placement, plan: Plan, now: Timestamp) -> Self {
        // An object that Azure has purged since then no longer holds its name.
        let retained = self.retained.iter().filter(|kept| kept.is_held(now)).cloned().collect();
        Self {
            incarnation: self.incarnation + 1,
            generation: self.generation + 1,
            status: Status::Requested,
            goal: Goal::Present,
            spec,
            placement,
            steps: unbegun(&plan, now),
            plan: plan.into(),
            former: Vec::new(),
            cut: None,
            drift: None,
            unknown_codes: UnknownCodes::default(),
            created_at: now,
            proof: None,
            retained,
            ..self
        }
    }
}

fn unbegun(plan: &Plan, now: Timestamp) -> BTreeMap<StepName, StepRecord> {
    let record =
        |step: &PlannedStep| StepRecord::new(step.kind(), step.needs.clone(), step.digest.clone(), now);
    plan.steps.iter().map(|(name, step)| (name.clone(), record(step))).collect()
}
