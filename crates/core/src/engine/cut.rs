//! Suspension: which steps cut access and when it is cut. Also remembers the blueprints that a tenant was moved from.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    blueprint::Plan,
    ids::StepName,
    tenant::{AccessCut, StepRecord, Tenant},
};

/// Begins a suspension: `steps` cut access. Steps that have done so already count at once.
pub fn begin(tenant: &mut Tenant, steps: BTreeSet<StepName>, now: Timestamp) {
    tenant.cut = (!steps.is_empty()).then_some(AccessCut { steps, at: None });
    note(tenant, now);
}

/// Records the time at which the last step that cuts access has done so.
pub(super) fn note(tenant: &mut Tenant, now: Timestamp) {
    let Some(cut) = &tenant.cut else { return };
    let done = |name: &StepName| tenant.steps.get(name).is_none_or(StepRecord::is_at_rest);
    if cut.at.is_none()
        && cut.steps.iter().all(done)
        && let Some(cut) = &mut tenant.cut
    {
        cut.at = Some(now);
    }
}

/// Remembers the current blueprint when another one replaces it: objects of the old one may still have to be deleted.
pub(super) fn remember_former(tenant: &mut Tenant, plan: &Plan) {
    let old = &tenant.plan.blueprint;
    if old.digest != plan.blueprint.digest && !tenant.former.iter().any(|past| past.digest == old.digest) {
        tenant.former.push(old.clone());
    }
    tenant.former.retain(|past| past.digest != plan.blueprint.digest);
}
