//! Creates, updates and deletes service principals.

use serde_json::{Value, json};

use crate::{
    call::Call,
    graph::{
        body::{
            bad, body_of, check_read_only, creates, merge, missing, tenant_of, update, visible_from,
            with_context,
        },
        deleted::soft_delete,
        find::{Key, application, owner_key, principal, principal_id},
        kinds::PRINCIPAL,
        ownership::own,
    },
    reply::{Outcome, Reply, refuse},
    stamp::DIRECTORY_ID,
    store::{Change, Object},
};

/// Answers a PATCH of a service principal: updates it, or creates it if the request allows that. A new service
/// principal needs an application that replicas already show.
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
    if let Some(object) = principal(change, key)? {
        return update(change, object, &patch);
    }
    let Key::AppId(app_id) = key else { return Err(missing(key.shown()).into()) };
    if !creates(call) {
        return Err(missing(app_id).into());
    }
    let application = application(change, key)?.filter(|application| application.visible <= change.now);
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
    let tenant = tenant_of(&body).or_else(|| application.tenant.clone());
    let made = Object::new(principal_id(&id), PRINCIPAL, body, visible_from(change));
    let object = Object { tenant, ..made };
    change.put(&object)?;
    change.take_name(&owner_key(&app_id), &object.id)?;
    own(change, &object.id)?;
    Ok(Reply::json(201, with_context(object.body, PRINCIPAL)).of(object.tenant))
}

/// Answers a DELETE of a service principal: soft-deletes it. A service principal of a managed identity can't be
/// deleted.
pub(crate) fn delete(change: &mut Change<'_>, key: &Key) -> Outcome {
    let Some(object) = principal(change, key)? else { return Err(missing(key.shown()).into()) };
    if object.text("/servicePrincipalType") == "ManagedIdentity" {
        let message = "The service principal of a managed identity is removed with its resource.";
        return refuse(403, "Authorization_RequestDenied", message);
    }
    let tenant = object.tenant.clone();
    soft_delete(change, object)?;
    Ok(Reply::empty(204).of(tenant))
}
