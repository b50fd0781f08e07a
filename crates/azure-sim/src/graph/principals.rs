//! Service principals: of applications, and of managed identities.

use serde_json::{Value, json};

use crate::{
    access,
    call::Call,
    error::CloudError,
    graph::{
        Key, applications, bad, body_of, by_name, check_read_only, creates, merge, missing, tenant_of,
        visible_from,
    },
    reply::{Outcome, Reply, refuse},
    stamp::DIRECTORY_ID,
    store::{Change, Look, Object},
};

/// The kind of a service principal.
pub(crate) const KIND: &str = "graph/servicePrincipal";

/// The id under which a service principal is kept.
pub(crate) fn id_of(id: &str) -> String {
    format!("graph/servicePrincipals/{id}")
}

/// The name that the principal of an application takes.
pub(crate) fn owner_key(app_id: &str) -> String {
    format!("principal@{}", app_id.to_lowercase())
}

/// A living service principal by its object id.
pub(crate) fn find(look: &impl Look, id: &str) -> Result<Option<Object>, CloudError> {
    look.alive(&id_of(id))
}

/// A living service principal.
pub(crate) fn find_by(look: &impl Look, key: &Key) -> Result<Option<Object>, CloudError> {
    match key {
        Key::Id(id) => find(look, id),
        Key::AppId(id) => by_name(look, &owner_key(id)),
        Key::Name(_) => Ok(None),
    }
}

/// Creates or updates a service principal; a new one needs an application that replicas know.
pub(crate) fn upsert(change: &mut Change<'_>, call: &Call, key: &Key) -> Outcome {
    let mut patch = body_of(call)?;
    check_read_only(&patch, &["id", "appDisplayName", "appOwnerOrganizationId", "servicePrincipalType"])?;
    if let (Some(given), Key::AppId(app_id)) = (patch.get("appId"), key)
        && !given.as_str().is_some_and(|given| given.eq_ignore_ascii_case(app_id))
    {
        return bad("The appId in the body differs from the key in the path.");
    }
    if let Some(patch) = patch.as_object_mut() {
        patch.remove("appId");
    }
    if let Some(mut object) = find_by(change, key)? {
        merge(&mut object.body, &patch);
        object.tenant = tenant_of(&object.body).or(object.tenant);
        change.put(&object)?;
        return Ok(Reply::empty(204).of(object.tenant));
    }
    let Key::AppId(app_id) = key else { return Err(missing(key.shown()).into()) };
    if !creates(call) {
        return Err(missing(app_id).into());
    }
    let application =
        applications::find(change, key)?.filter(|application| application.visible <= change.now);
    let Some(application) = application else {
        if change.denies_lag {
            let message = "When using this permission, the backing application of the service principal being created must in the local tenant";
            return refuse(403, "Authorization_RequestDenied", message);
        }
        let message = format!(
            "The appId '{app_id}' of the service principal does not reference a valid application object."
        );
        return refuse(400, "NoBackingApplicationObject", message);
    };
    create(change, &application, &patch)
}

fn create(change: &mut Change<'_>, application: &Object, patch: &Value) -> Outcome {
    let app_id = application.text("/appId").to_owned();
    let name = application.body["displayName"].clone();
    let id = change.identity(&app_id)?;
    let mut body = json!({
        "id": id, "appId": app_id, "displayName": name, "appDisplayName": name,
        "appOwnerOrganizationId": DIRECTORY_ID, "servicePrincipalType": "Application",
        "accountEnabled": true, "appRoleAssignmentRequired": false,
        "servicePrincipalNames": [app_id], "tags": [], "appRoles": [], "oauth2PermissionScopes": [],
        "keyCredentials": [], "passwordCredentials": [],
        "signInAudience": application.body["signInAudience"],
    });
    merge(&mut body, patch);
    let object = Object {
        id: id_of(&id),
        kind: KIND.to_owned(),
        tenant: tenant_of(&body).or_else(|| application.tenant.clone()),
        body,
        seeded: false,
        visible: visible_from(change),
        busy: None,
        deleted: None,
    };
    change.put(&object)?;
    change.take_name(&owner_key(&app_id), &object.id)?;
    access::own(change, &object.id)?;
    Ok(Reply::json(201, super::with_context(object.body, KIND)).of(object.tenant))
}

/// Soft-deletes a service principal.
pub(crate) fn delete(change: &mut Change<'_>, key: &Key) -> Outcome {
    let Some(object) = find_by(change, key)? else { return Err(missing(key.shown()).into()) };
    if object.text("/servicePrincipalType") == "ManagedIdentity" {
        let message = "The service principal of a managed identity is removed with its resource.";
        return refuse(403, "Authorization_RequestDenied", message);
    }
    let tenant = object.tenant.clone();
    applications::bury(change, object)?;
    Ok(Reply::empty(204).of(tenant))
}

/// Makes the service principal of a managed identity: object id and client id.
pub(crate) fn make_managed(
    change: &mut Change<'_>,
    owner: &str,
    name: &str,
    tenant: Option<String>,
) -> Result<(String, String), CloudError> {
    let (id, app_id) = (change.identity(owner)?, change.identity(owner)?);
    let body = json!({
        "id": id, "appId": app_id, "displayName": name, "servicePrincipalType": "ManagedIdentity",
        "accountEnabled": true, "appRoleAssignmentRequired": false,
        "servicePrincipalNames": [app_id], "tags": [], "alternativeNames": [owner],
    });
    let object = Object {
        id: id_of(&id),
        kind: KIND.to_owned(),
        body,
        tenant,
        seeded: false,
        visible: visible_from(change),
        busy: None,
        deleted: None,
    };
    change.put(&object)?;
    change.take_name(&owner_key(&app_id), &object.id)?;
    Ok((id, app_id))
}

/// The managed identity is gone, and its principal with it.
pub(crate) fn forget_managed(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    if id.is_empty() {
        return Ok(());
    }
    if let Some(object) = change.object(&id_of(id))? {
        change.free_name(&owner_key(object.text("/appId")))?;
        change.forget(&object.id)?;
    }
    Ok(())
}
