//! How a request changes what is wanted. The loop that brings it about is the same for every wish.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{cut, outcome::common_data, removal, repair};
use crate::{
    blueprint::{Kind, Plan},
    ids::StepName,
    tenant::{Consent, Goal, Ground, Operation, Spec, StepRecord, StepState, Tenant},
};

/// The tenant as it is, with another wish. What is alike stays as it is; what changed is looked at again; what is no
/// longer wanted goes; what can't be changed in place is removed and made anew, with `consent` alone.
///
/// # Errors
/// The steps that would be made anew, when nobody has consented; nothing is changed then.
pub fn update(
    tenant: &mut Tenant,
    spec: Spec,
    plan: Plan,
    consent: Option<&Consent>,
    now: Timestamp,
) -> Result<(), Vec<StepName>> {
    let anew = made_anew(tenant, &plan);
    match consent {
        None if !anew.is_empty() => return Err(anew),
        None => removal::withdraw(tenant),
        Some(consent) => removal::consent(tenant, &anew.into_iter().collect(), consent),
    }
    let kept = kept_after_all(tenant, &plan);
    let doomed = going(tenant, &plan);
    let nothing_new = doomed.is_empty() && repair::asks_for_nothing_new(tenant, &plan);
    tenant.goal = Goal::Present;
    removal::mark(tenant, &plan, &doomed, now).map_err(|kept| kept.into_iter().collect::<Vec<_>>())?;
    tenant.spec = spec;
    tenant.generation += 1;
    tenant.steps.retain(|name, record| {
        record.is_doomed() || plan.steps.contains_key(name) || record.leaves_a_pause(now)
    });
    for (name, step) in &plan.steps {
        // An earlier wish may just have removed it, and a replica that is behind would still show it.
        let wrote_at = step.kind().is_replicated().then_some(now);
        match tenant.steps.get_mut(name) {
            None => {
                let record = StepRecord::new(step.kind(), step.needs.clone(), step.digest.clone(), now);
                tenant.steps.insert(name.clone(), StepRecord { wrote_at, ..record });
            }
            // It was removed, and is wanted again.
            Some(record) if record.state.is_gone() => {
                let fresh = StepRecord::new(step.kind(), step.needs.clone(), step.digest.clone(), now);
                // What a service has asked for holds for whoever comes back to it.
                let not_before = record.not_before;
                *record = StepRecord { turn: record.turn + 1, wrote_at, not_before, ..fresh };
            }
            Some(record) if kept.contains(name) => {
                record.begin_anew(now);
                record.removal = None;
                record.needs.clone_from(&step.needs);
            }
            // Removal works on what was recorded; afterwards it begins anew from the plan.
            Some(record) if record.is_doomed() => {}
            Some(record) => {
                let same =
                    record.digest == step.digest && record.state.is_ready() && !always_looked_at(step.kind());
                record.kind = step.kind();
                record.needs.clone_from(&step.needs);
                record.digest.clone_from(&step.digest);
                if !same {
                    record.begin_anew(now);
                }
            }
        }
    }
    look_again_downstream(tenant, &plan, now);
    if nothing_new {
        // Whoever asks for what should be there already wants it to be there.
        repair::look_at_all(tenant, now);
    }
    cut::remember_former(tenant, &plan);
    tenant.plan = plan.into();
    Ok(())
}

/// The steps that an earlier update dropped and this one wants again just as they were, when nothing was sent to remove
/// them nor what they stand on: they stay.
fn kept_after_all(tenant: &Tenant, plan: &Plan) -> BTreeSet<StepName> {
    let untouched = |(name, record): &(&StepName, &StepRecord)| {
        record.ground() == Some(&Ground::LeftPlan)
            && record.state.is_waiting()
            && record.effort().attempts == 0
            && record.left_to().is_none()
            && plan.steps.get(*name).is_some_and(|step| step.digest == record.digest)
    };
    let mut kept: BTreeSet<StepName> =
        tenant.steps.iter().filter(untouched).map(|(name, _)| name.clone()).collect();
    loop {
        let goes = |need: &StepName| removal::goes(tenant, need) && !kept.contains(need);
        let lost = kept
            .iter()
            .find(|name| tenant.steps.get(*name).is_some_and(|record| record.needs.iter().any(goes)));
        let Some(lost) = lost.cloned() else { return kept };
        kept.remove(&lost);
    }
}

/// The steps whose new wish can't be reached by changing what is there.
fn replacements(tenant: &Tenant, plan: &Plan) -> Vec<StepName> {
    let made = tenant.steps.iter().filter(|(_, record)| record.target.is_some() && !record.state.is_gone());
    made.filter_map(|(name, record)| {
        let (old, new) = (tenant.plan.steps.get(name)?, plan.steps.get(name)?);
        let goes = record.is_doomed() && record.ground() != Some(&Ground::NeverReady);
        let changed = goes || old.kind() != new.kind() || !Plan::immutable_changes(old, new).is_empty();
        changed.then(|| name.clone())
    })
    .collect()
}

/// Everything of the plan that an update removes and makes anew: what can't be changed in place, and what stands on
/// something that goes. What is on its way out already is not the update's doing.
pub fn made_anew(tenant: &Tenant, plan: &Plan) -> Vec<StepName> {
    let going = removal::replaced_with(tenant, &going(tenant, plan));
    going.into_iter().filter(|name| plan.steps.contains_key(name)).collect()
}

/// The steps that a plan drops or replaces.
fn going(tenant: &Tenant, plan: &Plan) -> BTreeSet<StepName> {
    let dropped = tenant.steps.keys().filter(|name| !plan.steps.contains_key(*name)).cloned();
    dropped.chain(replacements(tenant, plan)).collect()
}

/// A step whose texts use the outputs of a changed step may have another wish now, though its own text is the same.
fn look_again_downstream(tenant: &mut Tenant, plan: &Plan, now: Timestamp) {
    for name in plan.order() {
        let Some(step) = plan.steps.get(&name).filter(|step| step.desired.is_late()) else { continue };
        let unsettled = step
            .needs
            .iter()
            .any(|need| tenant.steps.get(need).is_some_and(|needed| !needed.state.is_ready()));
        if let Some(record) = tenant.steps.get_mut(&name)
            && unsettled
            && record.stands()
        {
            record.begin_anew(now);
        }
    }
}

/// Everything goes. Requests that are still open are told that they were overtaken.
pub fn remove(tenant: &mut Tenant, by: &Operation, now: Timestamp) {
    tenant.goal = Goal::Absent;
    tenant.generation += 1;
    let all = tenant.steps.keys().cloned().collect();
    // The tenant is to go, so nothing is held back.
    let _ = removal::mark(tenant, &tenant.plan.clone(), &all, now);
    let reached = |tenant: &Tenant, ready: bool| -> Vec<StepName> {
        let steps = tenant.steps.iter().filter(|(_, record)| record.state.is_ready() == ready);
        steps.map(|(name, _)| name.clone()).collect()
    };
    for operation in std::mem::take(&mut tenant.operations) {
        let mut data = common_data(tenant, &operation);
        data["reason"] = json!("superseded");
        data["supersededBy"] = json!(by.id);
        data["completedSteps"] = json!(reached(tenant, true));
        data["remaining"] = json!(reached(tenant, false));
        tenant.tell(&operation, "tenant.operation.cancelled", data, now);
    }
}

/// Whether only a look finds out how it stands, so that it is looked at again whenever somebody asks for something: what
/// can be brought back for a while after somebody has deleted it by hand, and what rests on all the others.
fn always_looked_at(kind: Kind) -> bool {
    match kind {
        Kind::EntraApplication | Kind::ServicePrincipal | Kind::Isolation => true,
        Kind::Arm | Kind::ArmUpdate | Kind::RoleAssignment | Kind::FederatedCredential | Kind::Check => false,
    }
}

/// What halted is tried again, and what is ready is looked at again: what halted may stand on something that is gone. A
/// reconciliation asks for the same where nothing has halted.
/// [`removal::consent`] comes after it, if the request gives any.
pub fn retry(tenant: &mut Tenant, now: Timestamp) {
    removal::withdraw(tenant);
    let present = tenant.goal == Goal::Present;
    for record in tenant.steps.values_mut() {
        match &record.state {
            StepState::Ready(_) if present && !record.is_doomed() => record.begin_anew(now),
            StepState::Halted { .. } | StepState::Backoff { .. } => {
                record.begin_anew(now);
                record.recreated = 0;
            }
            StepState::Waiting(_)
            | StepState::Writing(_)
            | StepState::Settling { .. }
            | StepState::Ready(_)
            | StepState::Gone(_) => {}
        }
    }
}

/// What is not as it was left is looked at again and put right by the same loop, with no request: `steps` alone, `remade`
/// with all that stand on them, for what is made anew may have another id. Other steps stay as they are, and so does the
/// proof of isolation, which is made again and again by itself; the tenant keeps its status.
pub fn reconcile(
    tenant: &mut Tenant,
    steps: &BTreeSet<StepName>,
    remade: &BTreeSet<StepName>,
    now: Timestamp,
) {
    let all: Vec<StepName> = removal::standing_on(tenant, remade).union(steps).cloned().collect();
    for name in all.iter().filter(|_| tenant.goal == Goal::Present) {
        if let Some(record) = tenant.steps.get_mut(name).filter(|record| !record.is_doomed())
            && matches!(record.state, StepState::Ready(_) | StepState::Halted { .. })
            && record.kind != Kind::Isolation
        {
            record.begin_anew(now);
            record.recreated = 0;
        }
    }
}
