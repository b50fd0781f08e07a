//! Creates and deletes role assignments, for callers and for Azure itself.
//!
//! The name of an assignment is a GUID that is unique in the whole simulated Azure. Its principal, role and scope can't
//! change.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api_version,
    call::Call,
    error::CloudError,
    graph::{find::principal_with_id, kinds::PREFIX},
    path::last,
    reply::{Outcome, Reply, refuse},
    roles::{
        definitions::definition,
        ids::{ASSIGNMENT, VERSION, held_by, id_of, name_key, triple_key, triple_of},
    },
    stamp::{DIRECTORY_ID, SUBSCRIPTION_ID, role_id},
    store::{Change, Object, StoreQuery},
};

/// Answers a PUT of a role assignment: creates it, or returns the existing one if principal, role and scope are the
/// same.
pub(crate) fn assign(change: &mut Change<'_>, call: &Call, scope: &str, name: &str) -> Outcome {
    api_version::check(call, ASSIGNMENT, VERSION)?;
    if name.parse::<Uuid>().is_err() {
        let message =
            format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.");
        return refuse(400, "InvalidRoleAssignmentId", message);
    }
    let body = call.json()?;
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (role, principal) = (text("/properties/roleDefinitionId"), text("/properties/principalId"));
    let kind = text("/properties/principalType");
    if principal.parse::<Uuid>().is_err() {
        return refuse(400, "InvalidPrincipalId", "The principalId must be the GUID of a directory object.");
    }
    if !scope_exists(change, scope)? {
        return refuse(
            404,
            "ResourceNotFound",
            format!("The scope '{scope}' of the role assignment was not found."),
        );
    }
    let triple = triple_key(scope, role, principal);
    let holder = change.holder(&name_key(name))?;
    if let Some(holder) = holder {
        if triple_of(&holder) == triple {
            return Ok(Reply::json(200, holder.body).of(holder.tenant));
        }
        let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
        return refuse(400, "RoleAssignmentUpdateNotPermitted", message);
    }
    if change.named(&triple)?.is_some() {
        return refuse(409, "RoleAssignmentExists", "The role assignment already exists.");
    }
    if definition(change, role)?.is_none() {
        let message = format!("The specified role definition with ID '{}' does not exist.", last(role));
        return refuse(400, "RoleDefinitionDoesNotExist", message);
    }
    check_principal(change, principal, kind)?;
    let kind = if kind.is_empty() { "User" } else { kind }.to_owned();
    let grant = Grant { scope, role, principal, kind: &kind, tenant: None };
    let object = insert(change, name, grant)?;
    Ok(Reply::json(201, object.body).of(object.tenant))
}

/// Refuses a principal that does not exist, or that replicas of the directory do not show yet. If the request names the
/// principal type `ServicePrincipal`, replicas need not show it.
fn check_principal(change: &Change<'_>, principal: &str, kind: &str) -> Outcome<()> {
    let object = principal_with_id(change, principal)?;
    let known =
        object.as_ref().is_some_and(|object| kind == "ServicePrincipal" || object.visible <= change.now);
    if known {
        if !["", "ServicePrincipal"].contains(&kind) {
            let message =
                format!("Principals of type ServicePrincipal cannot validly be used as type '{kind}'.");
            return refuse(400, "UnmatchedPrincipalType", message);
        }
        return Ok(());
    }
    let message = format!(
        "Principal {} does not exist in the directory {DIRECTORY_ID}. Check that you have the correct principal ID. \
         If you are creating this principal and then immediately assigning a role, this error might be related to a \
         replication delay. In this case, set the role assignment principalType property to a value, such as \
         ServicePrincipal, User, or Group.",
        principal.replace('-', "")
    );
    refuse(400, "PrincipalNotFound", message)
}

/// Whether a scope is the subscription, or the id of an existing resource or resource group.
fn scope_exists(change: &Change<'_>, scope: &str) -> Outcome<bool> {
    let scope = scope.to_lowercase();
    Ok(scope == format!("/subscriptions/{SUBSCRIPTION_ID}")
        || change
            .alive(&scope)?
            .is_some_and(|object| object.kind != ASSIGNMENT && !object.kind.starts_with(PREFIX)))
}

/// The content of a role assignment that is to be stored.
struct Grant<'a> {
    scope: &'a str,
    /// The id of the role definition. Only its GUID is used.
    role: &'a str,
    principal: &'a str,
    /// The type of the principal, for example `ServicePrincipal`.
    kind: &'a str,
    /// The tenant of the assignment; `None` to derive it from the scope or the principal.
    tenant: Option<String>,
}

fn insert(change: &mut Change<'_>, name: &str, grant: Grant<'_>) -> Result<Object, CloudError> {
    let Grant { scope, role, principal, kind, tenant } = grant;
    let (id, now) = (id_of(scope, name), change.now.to_string());
    // Azure shows the id of a role with the subscription, even if the request had none
    // (hashicorp/terraform-provider-azurerm#13993).
    let role = role_id(last(role));
    let tenant = match tenant {
        Some(tenant) => Some(tenant),
        None => match change.tenant_at(scope)? {
            Some(tenant) => Some(tenant),
            None => principal_with_id(change, principal)?.and_then(|found| found.tenant),
        },
    };
    let body = json!({
        "id": id, "name": name, "type": ASSIGNMENT,
        "properties": {
            "roleDefinitionId": role, "principalId": principal, "principalType": kind, "scope": scope,
            "createdOn": now, "updatedOn": now, "createdBy": DIRECTORY_ID, "updatedBy": DIRECTORY_ID,
        },
    });
    let object = Object { tenant, ..Object::new(id, ASSIGNMENT, body, change.now) };
    change.put(&object)?;
    change.take_name(&name_key(name), &object.id)?;
    change.take_name(&triple_of(&object), &object.id)?;
    change.index(&held_by(principal), &object.id)?;
    Ok(object)
}

/// Creates a role assignment that Azure itself creates. Does nothing if an equal one exists.
pub(crate) fn grant(
    change: &mut Change<'_>,
    scope: &str,
    role: &str,
    principal: &str,
    tenant: Option<String>,
) -> Result<(), CloudError> {
    if change.named(&triple_key(scope, role, principal))?.is_none() {
        let name = change.identity(scope)?;
        let grant = Grant { scope, role, principal, kind: "ServicePrincipal", tenant };
        insert(change, &name, grant)?;
    }
    Ok(())
}

/// Deletes the role assignment with this scope, role and principal, which [`grant`] has created, if it still exists.
pub(crate) fn revoke(
    change: &mut Change<'_>,
    scope: &str,
    role: &str,
    principal: &str,
) -> Result<(), CloudError> {
    match change.holder(&triple_key(scope, role, principal))? {
        Some(object) => forget(change, &object),
        None => Ok(()),
    }
}

/// Deletes the record of a role assignment, and releases its unique names.
pub(crate) fn forget(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    change.free_name(&name_key(last(&object.id)))?;
    change.free_name(&triple_of(object))?;
    change.unindex(&held_by(object.text("/properties/principalId")), &object.id)?;
    change.forget(&object.id)
}

/// Answers a DELETE of a role assignment: 200 with its content, or 204 if there is none.
pub(crate) fn unassign(change: &mut Change<'_>, call: &Call, scope: &str, name: &str) -> Outcome {
    api_version::check(call, ASSIGNMENT, VERSION)?;
    let Some(object) = change.object(&id_of(scope, name))? else {
        return Ok(Reply::empty(204).of(change.tenant_at(scope)?));
    };
    forget(change, &object)?;
    Ok(Reply::json(200, object.body).of(object.tenant))
}
