//! What a tenant's plan is made with: at sign-up, what the deployment offers today; afterwards what the tenant is pinned to,
//! until an update names another version.

use std::sync::Arc;

use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef, Plan},
    ids::TenantId,
    tenant::{Goal, Spec, Tenant},
};

use super::{Fault, Intake, Request, Stamp, Wish, accept::subject, catalogue};
use crate::ports::StoreError;

/// A blueprint, and the values of the stamp.
pub(super) struct Base {
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) stamp: Stamp,
}

/// What was found of the blueprint that a tenant is pinned to; nothing where none is needed.
pub(super) type Pinned = Option<Result<Arc<Blueprint>, Fault>>;

/// Which blueprint and version an update moves to, if it names another than the tenant has. The version that the tenant
/// has is no move, whatever the folder holds under it today.
fn moves<'a>(request: &'a Request, tenant: &Tenant) -> Option<(&'a str, Option<&'a str>)> {
    let Wish::Update(changes) = &request.wish else { return None };
    let BlueprintRef { name, version, .. } = &tenant.plan.blueprint;
    let (named, wanted) = (changes.blueprint.as_deref()?, request.blueprint_version.as_deref());
    let stays = named == name && wanted.is_none_or(|wanted| wanted == version);
    (!stays).then_some((named, wanted))
}

impl Intake {
    /// The blueprint that a request needs of those that a tenant is pinned to.
    pub(super) async fn pinned_for(
        &self,
        request: &Request,
        tenant: Option<&Tenant>,
    ) -> Result<Pinned, StoreError> {
        let Some(tenant) = tenant.filter(|tenant| tenant.goal == Goal::Present) else { return Ok(None) };
        match &request.wish {
            Wish::Update(_) | Wish::Suspend(..) | Wish::Resume if moves(request, tenant).is_none() => {
                let reference = &tenant.plan.blueprint;
                let found = self.catalogue.pinned(self.world.store.as_ref(), &reference.digest).await?;
                Ok(Some(found.map_err(|why| catalogue::unreadable(reference, &why))))
            }
            Wish::Signup(_)
            | Wish::Update(_)
            | Wish::Suspend(..)
            | Wish::Resume
            | Wish::Deprovision
            | Wish::Retry { .. }
            | Wish::Reconcile => Ok(None),
        }
    }

    /// What a change of a tenant is planned with.
    ///
    /// # Errors
    /// The move is to what the deployment does not offer, or what the tenant is pinned to can't be had.
    pub(super) fn base_of(
        &self,
        request: &Request,
        tenant: &Tenant,
        pinned: Pinned,
    ) -> Result<Base, Vec<Fault>> {
        if let Some((name, version)) = moves(request, tenant) {
            let blueprint = self.catalogue.choose(Some(name), version)?;
            // A stamp that is no longer configured is as it was when the tenant was planned last.
            let configured = self.stamps.iter().find(|stamp| stamp.text("name") == tenant.placement.stamp);
            return Ok(Base { blueprint, stamp: configured.cloned().unwrap_or_else(|| stamp_of(tenant)) });
        }
        match pinned {
            Some(Ok(blueprint)) => Ok(Base { blueprint, stamp: stamp_of(tenant) }),
            Some(Err(fault)) => Err(vec![fault]),
            None => Err(vec![catalogue::unreadable(&tenant.plan.blueprint, "it was not looked for")]),
        }
    }

    pub(super) fn plan_with(
        &self,
        base: &Base,
        id: &TenantId,
        incarnation: u32,
        spec: &Spec,
    ) -> Result<Plan, Vec<Fault>> {
        let subject = subject(&self.deployment, id, incarnation, spec, &base.stamp);
        let own =
            |fault: tenantry_core::blueprint::Fault| Fault::new(fault.pointer, fault.code, fault.message);
        base.blueprint.plan(&subject).map_err(|faults| faults.into_iter().map(own).collect())
    }
}

/// The stamp with the values that the tenant was planned with.
fn stamp_of(tenant: &Tenant) -> Stamp {
    Stamp { value: tenant.plan.context.get("stamp").cloned().unwrap_or_default() }
}
