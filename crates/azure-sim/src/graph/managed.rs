//! The service principals of managed identities, which Azure creates and deletes with the resource that has the
//! identity.

use serde_json::json;

use crate::{
    error::CloudError,
    graph::{
        body::visible_from,
        find::{owner_key, principal_id},
        kinds::PRINCIPAL,
    },
    store::{Change, Object, StoreQuery},
};

/// Creates the service principal of a managed identity. `owner` is the id of the resource that has the identity.
/// Returns the object id and the client id of the principal.
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
    let made = Object::new(principal_id(&id), PRINCIPAL, body, visible_from(change));
    let object = Object { tenant, ..made };
    change.put(&object)?;
    change.take_name(&owner_key(&app_id), &object.id)?;
    Ok((id, app_id))
}

/// Deletes the service principal of a managed identity permanently. Does nothing if the object id is empty or unknown.
pub(crate) fn forget_managed(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    if id.is_empty() {
        return Ok(());
    }
    if let Some(object) = change.object(&principal_id(id))? {
        change.free_name(&owner_key(object.text("/appId")))?;
        change.forget(&object.id)?;
    }
    Ok(())
}
