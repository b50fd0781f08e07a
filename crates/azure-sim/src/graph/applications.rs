//! Creates, updates and deletes applications, with `PATCH /applications(uniqueName='...')` as an upsert.

use serde_json::{Value, json};

use crate::{
    call::Call,
    graph::{
        body::{
            bad, body_of, check_read_only, creates, merge, missing, tenant_of, update, visible_from,
            with_context,
        },
        deleted::soft_delete,
        find::{Key, app_id_key, application, application_id, principal, unique_key},
        kinds::APPLICATION,
        ownership::own,
    },
    reply::{Outcome, Reply},
    store::{Change, Object, StoreQuery},
};

const AUDIENCES: [&str; 4] =
    ["AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"];

/// Answers a PATCH of an application: updates it, or creates it if the request allows that.
pub(crate) fn upsert(change: &mut Change<'_>, call: &Call, key: &Key) -> Outcome {
    let patch = body_of(call)?;
    check_read_only(&patch, &["id", "appId", "createdDateTime", "deletedDateTime", "publisherDomain"])?;
    check_values(&patch)?;
    if let (Some(given), Key::Name(name)) = (patch.get("uniqueName"), key)
        && given != name.as_str()
    {
        return bad("The uniqueName in the body differs from the key in the path.");
    }
    if let Some(object) = application(change, key)? {
        return update(change, object, &patch);
    }
    let Key::Name(name) = key else { return Err(missing(key.shown()).into()) };
    if !creates(call) {
        return Err(missing(name).into());
    }
    // A deleted application keeps its `uniqueName` (reported by users: microsoftgraph/msgraph-bicep-types#137).
    if change.named(&unique_key(name))?.is_some() {
        return bad("Another object with the same value for property uniqueName already exists.");
    }
    if patch.get("displayName").and_then(Value::as_str).is_none() {
        return bad("Property 'displayName' is required to create an application.");
    }
    create(change, name, &patch)
}

fn check_values(patch: &Value) -> Outcome<()> {
    match patch.get("displayName").map(|name| name.as_str().map_or(0, |name| name.chars().count())) {
        None | Some(1..=256) => {}
        Some(_) => {
            return bad("Invalid value specified for property 'displayName' of resource 'Application'.");
        }
    }
    match patch.get("signInAudience").map(|audience| audience.as_str().unwrap_or_default()) {
        Some(audience) if !AUDIENCES.contains(&audience) => {
            return bad("Invalid value specified for property 'signInAudience' of resource 'Application'.");
        }
        Some(_) | None => {}
    }
    let uris = patch.pointer("/web/redirectUris").and_then(Value::as_array);
    for uri in uris.into_iter().flatten() {
        let uri = uri.as_str().unwrap_or_default();
        if !uri.starts_with("https://") && !uri.starts_with("http://localhost") {
            return bad(format!("Reply URIs must begin with https, or http for localhost: '{uri}'."));
        }
    }
    for list in ["tags", "identifierUris"] {
        if patch.get(list).is_some_and(|list| !list.is_array()) {
            return bad(format!("Invalid value specified for property '{list}' of resource 'Application'."));
        }
    }
    Ok(())
}

fn create(change: &mut Change<'_>, name: &str, patch: &Value) -> Outcome {
    let (id, app_id) = (change.identity(name)?, change.identity(name)?);
    let mut body = json!({
        "id": id, "appId": app_id, "uniqueName": name, "signInAudience": "AzureADMyOrg",
        "createdDateTime": change.now.to_string(), "publisherDomain": "local.onmicrosoft.com",
        "tags": [], "identifierUris": [], "appRoles": [], "requiredResourceAccess": [],
        "keyCredentials": [], "passwordCredentials": [],
        "web": { "redirectUris": [], "implicitGrantSettings": {
            "enableAccessTokenIssuance": false, "enableIdTokenIssuance": false } },
        "api": { "knownClientApplications": [], "oauth2PermissionScopes": [], "preAuthorizedApplications": [] },
    });
    merge(&mut body, patch);
    let tenant = tenant_of(&body);
    let made = Object::new(application_id(&id), APPLICATION, body, visible_from(change));
    let object = Object { tenant, ..made };
    change.put(&object)?;
    change.take_name(&unique_key(name), &object.id)?;
    change.take_name(&app_id_key(&app_id), &object.id)?;
    own(change, &object.id)?;
    Ok(Reply::json(201, with_context(object.body, APPLICATION)).of(object.tenant))
}

/// Answers a DELETE of an application: soft-deletes it together with its service principal.
pub(crate) fn delete(change: &mut Change<'_>, key: &Key) -> Outcome {
    let Some(object) = application(change, key)? else { return Err(missing(key.shown()).into()) };
    let tenant = object.tenant.clone();
    let owned = principal(change, &Key::AppId(object.text("/appId").to_owned()))?;
    soft_delete(change, object)?;
    if let Some(principal) = owned {
        soft_delete(change, principal)?;
    }
    Ok(Reply::empty(204).of(tenant))
}
