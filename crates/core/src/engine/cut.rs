//! Suspension: which steps cut access, and when access is cut. Also remembers the blueprints that a tenant was moved
//! from.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    blueprint::Plan,
    ids::StepName,
    tenant::{AccessCut, StepRecord, Tenant},
};

/// Records the start of a suspension in which `steps` cut access. If all of them have done so already, access counts as
/// cut at once.
pub fn begin(tenant: &mut Tenant, steps: BTreeSet<StepName>, now: Timestamp) {
    tenant.cut = (!steps.is_empty()).then_some(AccessCut { steps, at: None });
    note(tenant, now);
}

/// Records `now` as the time of the cut once every step that cuts access has done so. A time that is already recorded
/// stays.
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

/// Remembers the tenant's current blueprint if `plan` has another one: objects of the current one may still have to be
/// deleted.
pub(super) fn remember_former(tenant: &mut Tenant, plan: &Plan) {
    let old = &tenant.plan.blueprint;
    if old.digest != plan.blueprint.digest && !tenant.former.iter().any(|past| past.digest == old.digest) {
        tenant.former.push(old.clone());
    }
    tenant.former.retain(|past| past.digest != plan.blueprint.digest);
}
