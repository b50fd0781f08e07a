//! Chooses the blueprint and the stamp that a tenant's plan is made from: at sign-up a blueprint that the deployment
//! offers; later the one that the tenant is pinned to, until an update names another version.

use std::sync::Arc;

use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef, Plan},
    ids::TenantId,
    tenant::{Goal, Spec, Tenant},
};

use super::{Command, Fault, Intake, Request, Stamp, accept::plan_context, catalogue};
use crate::ports::StoreError;

/// What a plan is made from: a blueprint, and the values of a stamp.
pub(super) struct Base {
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) stamp: Stamp,
}

/// The blueprint that a tenant is pinned to, or the fault that it is not available; `None` if the request needs no
/// pinned blueprint.
pub(super) type Pinned = Option<Result<Arc<Blueprint>, Fault>>;

/// The blueprint and version that an update moves a tenant to; `None` if they are the tenant's own. The tenant's own
/// version is not a move, even if the folder has another text for it now.
fn moves<'a>(request: &'a Request, tenant: &Tenant) -> Option<(&'a str, Option<&'a str>)> {
    let Command::Update(changes) = &request.command else { return None };
    let BlueprintRef { name, version, .. } = &tenant.plan.blueprint;
    let (named, desired) = (changes.blueprint.as_deref()?, request.blueprint_version.as_deref());
    let stays = named == name && desired.is_none_or(|desired| desired == version);
    (!stays).then_some((named, desired))
}

impl Intake {
    /// Reads the pinned blueprint, if the request needs it.
    pub(super) async fn pinned_for(
        &self,
        request: &Request,
        tenant: Option<&Tenant>,
    ) -> Result<Pinned, StoreError> {
        let Some(tenant) = tenant.filter(|tenant| tenant.goal == Goal::Present) else { return Ok(None) };
        match &request.command {
            Command::Update(_) | Command::Suspend(..) | Command::Resume
                if moves(request, tenant).is_none() =>
            {
                let reference = &tenant.plan.blueprint;
                let found = self.catalogue.pinned(self.ports.store.as_ref(), &reference.digest).await?;
                Ok(Some(found.map_err(|why| catalogue::unreadable(reference, &why))))
            }
            Command::Signup(_)
            | Command::Update(_)
            | Command::Suspend(..)
            | Command::Resume
            | Command::Deprovision
            | Command::Retry { .. }
            | Command::Reconcile => Ok(None),
        }
    }

    /// Returns the blueprint and the stamp from which a change of a tenant is planned.
    ///
    /// # Errors
    /// A fault if the deployment does not offer what the tenant would move to, or if the pinned blueprint is not
    /// available.
    pub(super) fn base_of(
        &self,
        request: &Request,
        tenant: &Tenant,
        pinned: Pinned,
    ) -> Result<Base, Vec<Fault>> {
        if let Some((name, version)) = moves(request, tenant) {
            let blueprint = self.catalogue.choose(Some(name), version)?;
            // If the tenant's stamp is no longer configured, the values in the tenant's last plan are used.
            let configured = self.stamps.iter().find(|stamp| stamp.text("name") == tenant.placement.stamp);
            return Ok(Base { blueprint, stamp: configured.cloned().unwrap_or_else(|| stamp_of(tenant)) });
        }
        match pinned {
            Some(Ok(blueprint)) => Ok(Base { blueprint, stamp: stamp_of(tenant) }),
            Some(Err(fault)) => Err(vec![fault]),
            None => Err(vec![catalogue::unreadable(&tenant.plan.blueprint, "it was not read")]),
        }
    }

    pub(super) fn plan_with(
        &self,
        base: &Base,
        id: &TenantId,
        incarnation: u32,
        spec: &Spec,
    ) -> Result<Plan, Vec<Fault>> {
        let plan_context = plan_context(&self.deployment, id, incarnation, spec, &base.stamp);
        let own =
            |fault: tenantry_core::blueprint::Fault| Fault::new(fault.pointer, fault.code, fault.message);
        base.blueprint.plan(&plan_context).map_err(|faults| faults.into_iter().map(own).collect())
    }
}

/// The tenant's stamp, with the values that its last plan was made with.
fn stamp_of(tenant: &Tenant) -> Stamp {
    Stamp { value: tenant.plan.context.get("stamp").cloned().unwrap_or_default() }
}
