//! What a suspension cuts and when it is done, and what a tenant was moved away from.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::{
    blueprint::Plan,
    ids::StepName,
    tenant::{AccessCut, StepRecord, Tenant},
};

/// A suspension begins: these steps cut access. Those that have done so already count at once.
pub fn begin(tenant: &mut Tenant, steps: BTreeSet<StepName>, now: Timestamp) {
    tenant.cut = (!steps.is_empty()).then_some(AccessCut { steps, at: None });
    note(tenant, now);
}

/// Takes down when the last step that cuts access has done so.
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

/// Another blueprint takes over: what the one before made may outlive it, and has to be removable.
pub(super) fn remember_former(tenant: &mut Tenant, plan: &Plan) {
    let old = &tenant.plan.blueprint;
    if old.digest != plan.blueprint.digest && !tenant.former.iter().any(|past| past.digest == old.digest) {
        tenant.former.push(old.clone());
    }
    tenant.former.retain(|past| past.digest != plan.blueprint.digest);
}
