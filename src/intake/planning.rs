//! The basis of a tenant's plan: at sign-up the blueprints that the deployment offers now; afterwards what the tenant
//! is pinned to, until an update names another version.

use std::sync::Arc;

use tenantry_core::{
    blueprint::{Blueprint, BlueprintRef, Plan},
    ids::TenantId,
    tenant::{Goal, Spec, Tenant},
};

use super::{Command, Fault, Intake, Request, Stamp, accept::plan_context, catalogue};
use crate::ports::StoreError;

/// A blueprint, and the values of the stamp.
pub(super) struct Base {
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) stamp: Stamp,
}

/// The blueprint that a tenant is pinned to, or why it is not available; `None` where the request needs none.
pub(super) type Pinned = Option<Result<Arc<Blueprint>, Fault>>;

/// The blueprint and version that an update moves to, if they differ from the tenant's. The tenant's own version is no
/// move, whatever the folder has under it now.
fn moves<'a>(request: &'a Request, tenant: &Tenant) -> Option<(&'a str, Option<&'a str>)> {
    let Command::Update(changes) = &request.command else { return None };
    let BlueprintRef { name, version, .. } = &tenant.plan.blueprint;
    let (named, desired) = (changes.blueprint.as_deref()?, request.blueprint_version.as_deref());
    let stays = named == name && desired.is_none_or(|desired| desired == version);
    (!stays).then_some((named, desired))
}

impl Intake {
    /// The pinned blueprint that a request needs.
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

    /// The blueprint and stamp that a change of a tenant is planned with.
    ///
    /// # Errors
    /// The deployment does not offer what the tenant would move to, or the pinned blueprint is not available.
    pub(super) fn base_of(
        &self,
        request: &Request,
        tenant: &Tenant,
        pinned: Pinned,
    ) -> Result<Base, Vec<Fault>> {
        if let Some((name, version)) = moves(request, tenant) {
            let blueprint = self.catalogue.choose(Some(name), version)?;
            // For a stamp that is no longer configured, the values of the tenant's last plan are used.
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

/// The stamp with the values that the tenant was planned with.
fn stamp_of(tenant: &Tenant) -> Stamp {
    Stamp { value: tenant.plan.context.get("stamp").cloned().unwrap_or_default() }
}
