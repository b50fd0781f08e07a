//! A tenant that is signed up, for the first time or once more.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::{Channel, Goal, Later, Placement, Spec, Status, StepRecord, Tenant, UnknownCodes};
use crate::{
    blueprint::{Plan, PlannedStep},
    ids::{StepName, TenantId},
};

impl Tenant {
    /// A tenant of its first incarnation, of which nothing is done.
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
            halted: None,
            concluded: None,
            proof: None,
            requests: VecDeque::new(),
            lease: None,
            epoch: 0,
            unsure_until: None,
            notices: Vec::new(),
            numbered: 0,
            sequence: 0,
            drift: None,
            unknown_codes: UnknownCodes::default(),
            retained: Vec::new(),
            due_at: None,
            created_at: now,
            updated_at: now,
            unknown: serde_json::Map::new(),
            later: Later::default(),
        }
    }

    /// The next incarnation of a tenant that was removed. Its numbers go on, so that nothing that was told or sent of the one
    /// before is taken for this one's.
    #[must_use]
    pub fn again(self, spec: Spec, placement: Placement, plan: Plan, now: Timestamp) -> Self {
        // What was purged since holds no name any more.
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
