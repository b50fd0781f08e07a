//! What a tenant must have in Azure, written independently of the product and compared with the real state.

use serde_json::{Value, json};
use tenantry_core::tenant::{Extent, Status, Tenant};

use super::azure::{Azure, Object, Replicated, is_intruders, mark, text};

/// Invariant I24: a role that a suspended tenant's identities still have; `None` if they have none.
pub(crate) fn way_in(azure: &Azure, tenant: &Tenant) -> Option<String> {
    tenant.spec.suspended.as_ref()?;
    let id = tenant.id.as_str();
    let own = |body: &&Value| mark(body).as_deref() == Some(id);
    let identities = azure.objects.values().map(|object| &object.body).filter(own);
    let identities = identities.map(|body| text(body, "/properties/principalId"));
    let principals = azure.principals.values().filter_map(Replicated::primary).filter(own);
    let holders: Vec<&str> =
        identities.chain(principals.map(|body| text(body, "/id"))).filter(|id| !id.is_empty()).collect();
    let mut grants = azure.grants.values().filter_map(Replicated::primary);
    let kept = grants.find(|grant| holders.contains(&text(grant, "/properties/principalId")))?;
    Some(format!(
        "{} still has a role at {}",
        text(kept, "/properties/principalId"),
        text(kept, "/properties/scope")
    ))
}

/// What an active or suspended tenant lacks in Azure, or has too often or with wrong content; `None` if all is right.
pub(crate) fn lacks(azure: &Azure, tenant: &Tenant) -> Option<String> {
    let id = tenant.id.as_str();
    // An object that was deleted by hand may be missing long after its step last read it, and so may its children.
    let robbed = azure.robbed.contains(id);
    let full = tenant.spec.tier == "full";
    let suspended = tenant.spec.suspended.is_some();
    if suspended != (tenant.status == Status::Suspended) {
        return Some(format!("its suspension is {:?}", tenant.spec.suspended));
    }
    let stopped = tenant.spec.suspended.is_some_and(|suspension| suspension.mode == Extent::Compute);
    let lets_in = usize::from(!suspended);
    let level = tenant.spec.parameters.get("level").cloned().unwrap_or(json!(1));
    let of_kind = |part: &str| -> Vec<&Object> {
        let own = azure.objects.iter().filter(|(path, _)| path.rsplit('/').nth(1) == Some(part));
        own.map(|(_, object)| object).filter(|object| mark(&object.body).as_deref() == Some(id)).collect()
    };
    for (part, expected) in [
        ("resourcegroups", 1),
        ("userassignedidentities", 1),
        ("vaults", 1),
        ("privateendpoints", usize::from(full && !stopped)),
    ] {
        let found = of_kind(part);
        if robbed && ["vaults", "privateendpoints"].contains(&part) {
            continue;
        }
        if let Some(lack) = count(expected, found.len(), part) {
            return Some(lack);
        }
        for object in found {
            let body = &object.body;
            let state = text(body, "/properties/provisioningState");
            // An object may start to show as failed by itself after its own step last read it, at a read for another
            // step.
            if state != "Succeeded" && !object.rotten {
                return Some(format!("its {part} is {state}"));
            }
            let incarnation = text(body, "/tags/tenantry-incarnation");
            if incarnation != tenant.incarnation.to_string() {
                return Some(format!("its {part} is of incarnation {incarnation}"));
            }
        }
    }
    let vault = of_kind("vaults").pop().map(|object| object.body.clone()).unwrap_or_default();
    if !robbed && vault.pointer("/properties/level") != Some(&level) {
        return Some(format!("its vault has not level {level}"));
    }
    let region = tenant.spec.parameters.get("region").cloned().unwrap_or(json!("westeurope"));
    if !robbed && vault.get("location") != Some(&region) {
        return Some(format!("its vault is not in {region}"));
    }
    let scope = text(&vault, "/id").to_ascii_lowercase();
    let grants: Vec<&Value> = azure.grants.values().filter_map(Replicated::primary).collect();
    let granted = |principal: &str| {
        let to = grants.iter().filter(|grant| {
            text(grant, "/properties/principalId") == principal && text(grant, "/properties/scope") == scope
        });
        if robbed { lets_in } else { to.count() }
    };
    let identity =
        of_kind("userassignedidentities").pop().map(|object| object.body.clone()).unwrap_or_default();
    if let Some(lack) =
        count(lets_in, granted(text(&identity, "/properties/principalId")), "its identity's roles")
    {
        return Some(lack);
    }
    lacks_in_entra(azure, tenant, lets_in, &granted)
}

/// The difference between two numbers of objects, as text; `None` if they are equal.
fn count(expected: usize, found: usize, what: &str) -> Option<String> {
    (expected != found).then(|| format!("there are {found} of {what} instead of {expected}"))
}

/// What an active tenant lacks in Entra; `None` if all is right. `granted` returns the number of roles of a
/// principal.
fn lacks_in_entra(
    azure: &Azure,
    tenant: &Tenant,
    lets_in: usize,
    granted: &dyn Fn(&str) -> usize,
) -> Option<String> {
    let id = tenant.id.as_str();
    let full = tenant.spec.tier == "full";
    let level = tenant.spec.parameters.get("level").cloned().unwrap_or(json!(1));
    let applications = azure.applications.values().filter_map(Replicated::primary);
    let own: Vec<&Value> = applications.filter(|body| mark(body).as_deref() == Some(id)).collect();
    if let Some(lack) = count(usize::from(full), own.len(), "applications") {
        return Some(lack);
    }
    let application = own.first()?;
    if text(application, "/displayName") != format!("level {level}") {
        return Some(format!("its application has not level {level}"));
    }
    let Some(principal) = azure.principals.get(text(application, "/appId")).and_then(Replicated::primary)
    else {
        return Some("it has no service principal".to_owned());
    };
    if let Some(lack) = count(lets_in, granted(text(principal, "/id")), "its principal's roles") {
        return Some(lack);
    }
    let credentials = azure.credentials.iter().filter(|((of, _), _)| of == text(application, "/id"));
    let credentials: Vec<&Value> = credentials.filter_map(|(_, versions)| versions.primary()).collect();
    let credentials: Vec<&Value> = credentials.into_iter().filter(|body| !is_intruders(body)).collect();
    if let Some(lack) = count(1, credentials.len(), "credentials") {
        return Some(lack);
    }
    (text(credentials[0], "/subject") != format!("level-{level}"))
        .then(|| format!("its credential has not level {level}"))
}
