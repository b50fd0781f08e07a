//! Which objects may be deleted, and why. Only this module marks steps for deletion.
//!
//! An object that was in use is deleted only if the tenant is deprovisioned, if its step has left the plan, or if a
//! request has given consent for this step. `decide` checks this again, whichever code marked the step.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    blueprint::{Kind, Plan, ResourceType},
    ids::StepName,
    pointer::is_within,
    tenant::{Consent, FailureClass, Goal, Ground, Removal, StepRecord, StepState, Tenant},
};

/// The reason why a step's object may be deleted under `plan`; `None` if it may not be deleted.
pub(super) fn ground(tenant: &Tenant, plan: &Plan, name: &StepName) -> Option<Ground> {
    let record = tenant.steps.get(name)?;
    if tenant.goal == Goal::Absent {
        return Some(Ground::TenantGoes);
    }
    if !plan.steps.contains_key(name) {
        return Some(Ground::LeftPlan);
    }
    if !(record.in_use || record.state.is_ready()) {
        return Some(Ground::NeverReady);
    }
    record.consent.clone().map(Ground::Consent)
}

/// Whether the object of a step that is marked for deletion may be deleted.
pub(super) fn may_delete(tenant: &Tenant, name: &StepName, record: &StepRecord) -> bool {
    record.is_marked_for_deletion()
        && (record.ground().is_some() || ground(tenant, &tenant.plan, name).is_some())
}

/// Marks steps and all their dependents for deletion. A step without a recorded object is only restarted, or counts as
/// deleted at once if the whole tenant is removed.
///
/// If none of the objects of `names` is in use, dependents whose objects are in use are not marked: those objects can't
/// depend on them yet.
///
/// # Errors
/// The steps whose objects may not be deleted. Nothing is changed.
pub(super) fn mark(
    tenant: &mut Tenant,
    plan: &Plan,
    names: &BTreeSet<StepName>,
    now: Timestamp,
) -> Result<(), BTreeSet<StepName>> {
    let all = standing_on(tenant, names);
    let kept = withheld(tenant, plan, &all);
    let used = |name: &StepName| tenant.steps.get(name).is_some_and(|record| record.in_use);
    if !kept.is_empty() && names.iter().any(|name| kept.contains(name) || used(name)) {
        return Err(kept);
    }
    for name in all.difference(&kept) {
        let ground = ground(tenant, plan, name);
        let absent = tenant.goal == Goal::Absent;
        let Some(record) = tenant.steps.get_mut(name).filter(|record| !record.is_marked_for_deletion())
        else {
            continue;
        };
        record.restart(now);
        match record.target {
            Some(_) => record.removal = Some(Removal { ground, left_to: None }),
            None if absent => record.enter(StepState::Deleted),
            None => {}
        }
    }
    Ok(())
}

/// The steps among `names` whose objects exist and may not be deleted.
fn withheld(tenant: &Tenant, plan: &Plan, names: &BTreeSet<StepName>) -> BTreeSet<StepName> {
    let made = |name: &&StepName| {
        tenant
            .steps
            .get(*name)
            .is_some_and(|record| record.target.is_some() && !record.is_marked_for_deletion())
    };
    names.iter().filter(made).filter(|name| ground(tenant, plan, name).is_none()).cloned().collect()
}

/// The steps in `names` and all steps that depend on them, directly or indirectly.
pub(super) fn standing_on(tenant: &Tenant, names: &BTreeSet<StepName>) -> BTreeSet<StepName> {
    let mut all = names.clone();
    loop {
        let above = tenant.steps.iter().filter(|(_, record)| !record.needs.is_disjoint(&all));
        let above: Vec<StepName> =
            above.map(|(name, _)| name.clone()).filter(|name| !all.contains(name)).collect();
        if above.is_empty() {
            return all;
        }
        all.extend(above);
    }
}

/// The steps that a retry with consent would recreate: every step whose object is blocked as `needs-consent`, and its
/// dependents. The retry gives its consent to these steps and no others.
pub fn replaceable(tenant: &Tenant) -> BTreeSet<StepName> {
    let blocked = tenant.steps.iter().filter(|(_, record)| {
        !record.is_marked_for_deletion()
            && record.state.blocked().is_some_and(|cause| cause.class == FailureClass::NeedsConsent)
    });
    let roots = blocked.filter_map(|(name, _)| object_of(tenant, name)).collect();
    replaced_with(tenant, &roots)
}

/// The steps whose objects have to be deleted if those of `roots` are recreated: `roots` and their dependents, without
/// steps that have no object or are marked for deletion already.
pub(super) fn replaced_with(tenant: &Tenant, roots: &BTreeSet<StepName>) -> BTreeSet<StepName> {
    let mut all = standing_on(tenant, roots);
    all.retain(|name| {
        tenant
            .steps
            .get(name)
            .is_some_and(|record| record.target.is_some() && !record.is_marked_for_deletion())
    });
    all
}

/// The step that creates the object which the step `name` writes: for an update step, the step of the resource that it
/// updates; otherwise `name` itself. `None` if no step creates the object.
pub(super) fn object_of(tenant: &Tenant, name: &StepName) -> Option<StepName> {
    let record = tenant.steps.get(name)?;
    if record.kind != Kind::ArmUpdate {
        return Some(name.clone());
    }
    let id = target_id(record)?;
    let makes = |other: &StepRecord| {
        other.kind == Kind::Arm && target_id(other).is_some_and(|other| other.eq_ignore_ascii_case(id))
    };
    tenant.steps.iter().find(|(_, other)| makes(other)).map(|(name, _)| name.clone())
}

/// Records consent for the steps in `names` and withdraws all earlier consent.
pub fn consent(tenant: &mut Tenant, names: &BTreeSet<StepName>, consent: &Consent) {
    withdraw(tenant);
    for name in names {
        if let Some(record) = tenant.steps.get_mut(name).filter(|record| !record.is_marked_for_deletion()) {
            record.consent = Some(consent.clone());
        }
    }
}

/// Whether the request `request_id` has given consent to delete a step's object.
pub fn has_consent_of(tenant: &Tenant, name: &StepName, request_id: &str) -> bool {
    let given = tenant.steps.get(name).and_then(|record| record.consent.as_ref());
    given.is_some_and(|consent| consent.request_id == request_id)
}

/// Withdraws all consent that is not used yet: it was given for the work of an earlier request.
pub(super) fn withdraw(tenant: &mut Tenant) {
    tenant
        .steps
        .values_mut()
        .filter(|record| !record.is_marked_for_deletion())
        .for_each(|record| record.consent = None);
}

/// The step whose deletion also deletes the object of step `name`, so that a refused deletion may be left to it. There
/// is one only for an undo on a resource that is deleted anyway, and for an object that can't be deleted because such
/// an undo was refused. `None` in all other cases: a person has to decide, because somebody may have locked the object.
pub(super) fn carrier(tenant: &Tenant, name: &StepName) -> Option<StepName> {
    let is_undo = tenant.steps.get(name)?.kind == Kind::ArmUpdate;
    let after_undo =
        || tenant.steps.values().any(|other| other.needs.contains(name) && is_carried(tenant, other));
    (is_undo || after_undo()).then(|| around(tenant, name)).flatten()
}

/// The step of the nearest enclosing resource whose deletion also deletes the object of step `name`; `None` if no such
/// resource is being deleted.
///
/// `None` also for an object that is purged only by its own delete request: deleted together with the enclosing
/// resource, it would stay soft-deleted.
fn around(tenant: &Tenant, name: &StepName) -> Option<StepName> {
    let record = tenant.steps.get(name).filter(|record| record.is_marked_for_deletion())?;
    let kind = record.target.as_ref()?.get("type").and_then(Value::as_str).and_then(ResourceType::find);
    let goes_along = match record.kind {
        Kind::Arm => kind.is_none_or(|kind| kind.purge_query.is_none()),
        Kind::ArmUpdate => true,
        Kind::RoleAssignment
        | Kind::EntraApplication
        | Kind::ServicePrincipal
        | Kind::FederatedCredential
        | Kind::Check
        | Kind::Isolation => false,
    };
    let id = target_id(record).filter(|_| goes_along)?;
    let around = tenant.steps.iter().filter_map(|(other, around)| {
        let theirs = target_id(around).filter(|_| around.kind == Kind::Arm && other != name)?;
        let holds = is_within(id, theirs.trim_end_matches('/')) && goes(tenant, other);
        holds.then(|| (theirs.len(), other.clone()))
    });
    around.max().map(|(_, other)| other)
}

/// Whether a step is marked for deletion and its object is not yet known to be deleted.
pub(super) fn goes(tenant: &Tenant, name: &StepName) -> bool {
    tenant.steps.get(name).is_some_and(StepRecord::is_deleting)
}

/// Whether the deletion of a step's object is left to another step whose own deletion has not finished.
pub(super) fn is_carried(tenant: &Tenant, record: &StepRecord) -> bool {
    record.left_to().is_some_and(|carrier| goes(tenant, carrier))
}

pub(super) fn target_id(record: &StepRecord) -> Option<&str> {
    record.target.as_ref()?.get("id")?.as_str()
}
