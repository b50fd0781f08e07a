//! How a request changes the desired state. The reconcile loop is the same for every request.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{cut, outcome::common_data, removal, repair};
use crate::{
    blueprint::{Kind, Plan},
    ids::StepName,
    tenant::{Consent, Goal, Ground, Operation, Spec, StepRecord, StepState, Tenant},
};

/// Gives the tenant another desired state. Unchanged steps stay, changed steps are read again, and steps that the plan
/// no longer has are deleted. A step that can't be changed in place is recreated, which needs `consent`.
///
/// # Errors
/// The steps that would be recreated, if there is no consent. The tenant is unchanged.
pub fn update(
    tenant: &mut Tenant,
    spec: Spec,
    plan: Plan,
    consent: Option<&Consent>,
    now: Timestamp,
) -> Result<(), Vec<StepName>> {
    let recreated = recreations(tenant, &plan);
    match consent {
        None if !recreated.is_empty() => return Err(recreated),
        None => removal::withdraw(tenant),
        Some(consent) => removal::consent(tenant, &recreated.into_iter().collect(), consent),
    }
    let kept = kept_after_all(tenant, &plan);
    let deleting = going(tenant, &plan);
    let nothing_new = deleting.is_empty() && repair::asks_for_nothing_new(tenant, &plan);
    tenant.goal = Goal::Present;
    removal::mark(tenant, &plan, &deleting, now).map_err(|kept| kept.into_iter().collect::<Vec<_>>())?;
    tenant.spec = spec;
    tenant.generation += 1;
    tenant.steps.retain(|name, record| {
        record.is_marked_for_deletion() || plan.steps.contains_key(name) || record.leaves_a_pause(now)
    });
    for (name, step) in &plan.steps {
        // An earlier update may just have deleted the object, and a stale replica could still show it.
        let wrote_at = step.kind().is_replicated().then_some(now);
        match tenant.steps.get_mut(name) {
            None => {
                let record = StepRecord::new(step.kind(), step.needs.clone(), step.digest.clone(), now);
                tenant.steps.insert(name.clone(), StepRecord { wrote_at, ..record });
            }
            // The object was deleted and is desired again.
            Some(record) if record.state.is_deleted() => {
                let fresh = StepRecord::new(step.kind(), step.needs.clone(), step.digest.clone(), now);
                // A service's pause also holds for the recreated step.
                let not_before = record.not_before;
                *record = StepRecord { generation: record.generation + 1, wrote_at, not_before, ..fresh };
            }
            Some(record) if kept.contains(name) => {
                record.restart(now);
                record.removal = None;
                record.needs.clone_from(&step.needs);
            }
            // The deletion uses what was recorded; afterwards the step restarts from the new plan.
            Some(record) if record.is_marked_for_deletion() => {}
            Some(record) => {
                let same = record.digest == step.digest
                    && record.state.is_ready()
                    && !always_read_again(step.kind());
                record.kind = step.kind();
                record.needs.clone_from(&step.needs);
                record.digest.clone_from(&step.digest);
                if !same {
                    record.restart(now);
                }
            }
        }
    }
    restart_downstream(tenant, &plan, now);
    if nothing_new {
        // An update that changes nothing still expects all objects to exist: read them all again.
        repair::read_all_again(tenant, now);
    }
    cut::remember_former(tenant, &plan);
    tenant.plan = plan.into();
    Ok(())
}

/// The steps that an earlier update dropped and `plan` has again unchanged, if neither they nor their dependencies have
/// begun to be deleted. Their objects stay.
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

/// The steps whose new desired state can't be reached by changing the object, or whose object is already being deleted.
fn replacements(tenant: &Tenant, plan: &Plan) -> Vec<StepName> {
    let made =
        tenant.steps.iter().filter(|(_, record)| record.target.is_some() && !record.state.is_deleted());
    made.filter_map(|(name, record)| {
        let (old, new) = (tenant.plan.steps.get(name)?, plan.steps.get(name)?);
        let goes = record.is_marked_for_deletion() && record.ground() != Some(&Ground::NeverReady);
        let changed = goes || old.kind() != new.kind() || !Plan::immutable_changes(old, new).is_empty();
        changed.then(|| name.clone())
    })
    .collect()
}

/// The steps of the plan that an update deletes and recreates: those that can't be changed in place, and their
/// dependents. Steps that are being deleted already are not included.
pub fn recreations(tenant: &Tenant, plan: &Plan) -> Vec<StepName> {
    let going = removal::replaced_with(tenant, &going(tenant, plan));
    going.into_iter().filter(|name| plan.steps.contains_key(name)).collect()
}

/// The steps that a plan drops or recreates.
fn going(tenant: &Tenant, plan: &Plan) -> BTreeSet<StepName> {
    let dropped = tenant.steps.keys().filter(|name| !plan.steps.contains_key(*name)).cloned();
    dropped.chain(replacements(tenant, plan)).collect()
}

/// Restarts steps that use the outputs of a changed step: their desired state may differ although the plan's text for
/// them is the same.
fn restart_downstream(tenant: &mut Tenant, plan: &Plan, now: Timestamp) {
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
            record.restart(now);
        }
    }
}

/// Marks the whole tenant for deletion. Open operations are cancelled with the reason `superseded`.
pub fn remove(tenant: &mut Tenant, by: &Operation, now: Timestamp) {
    tenant.goal = Goal::Absent;
    tenant.generation += 1;
    let all = tenant.steps.keys().cloned().collect();
    // While the whole tenant is removed, every step may be deleted, so marking can't fail.
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
        tenant.enqueue_event(&operation, "tenant.operation.cancelled", data, now);
    }
}

/// Whether an update reads a step of this kind again even if it is unchanged. That is so for objects that can be
/// restored for a while after someone has deleted them, and for the isolation check, which depends on all other steps.
fn always_read_again(kind: Kind) -> bool {
    match kind {
        Kind::EntraApplication | Kind::ServicePrincipal | Kind::Isolation => true,
        Kind::Arm | Kind::ArmUpdate | Kind::RoleAssignment | Kind::FederatedCredential | Kind::Check => false,
    }
}

/// Restarts blocked steps, and also ready ones, which are then read again: a blocked step may depend on an object that
/// was deleted. A reconcile request does the same if nothing is blocked. If the request gives consent, call
/// [`removal::consent`] afterwards.
pub fn retry(tenant: &mut Tenant, now: Timestamp) {
    removal::withdraw(tenant);
    let present = tenant.goal == Goal::Present;
    for record in tenant.steps.values_mut() {
        match &record.state {
            StepState::Ready(_) if present && !record.is_marked_for_deletion() => record.restart(now),
            StepState::Blocked { .. } | StepState::Backoff { .. } => {
                record.restart(now);
                record.recreated = 0;
            }
            StepState::Waiting(_)
            | StepState::Writing(_)
            | StepState::InProgress { .. }
            | StepState::Ready(_)
            | StepState::Deleted(_) => {}
        }
    }
}

/// Restarts steps to repair drift that no request has asked about: `steps` alone, and `remade` with all dependents,
/// because a recreated object may have another id. Other steps stay as they are, also the isolation check, which is
/// repeated on its own schedule. The tenant's status does not change.
pub fn reconcile(
    tenant: &mut Tenant,
    steps: &BTreeSet<StepName>,
    remade: &BTreeSet<StepName>,
    now: Timestamp,
) {
    let all: Vec<StepName> = removal::standing_on(tenant, remade).union(steps).cloned().collect();
    for name in all.iter().filter(|_| tenant.goal == Goal::Present) {
        if let Some(record) = tenant.steps.get_mut(name).filter(|record| !record.is_marked_for_deletion())
            && matches!(record.state, StepState::Ready(_) | StepState::Blocked { .. })
            && record.kind != Kind::Isolation
        {
            record.restart(now);
            record.recreated = 0;
        }
    }
}
