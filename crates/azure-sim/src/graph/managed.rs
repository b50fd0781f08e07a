//! The service principals of managed identities, which are created and deleted with their resources.

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

/// Creates the service principal of a managed identity. Returns its object id and client id.
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

/// Deletes the principal of a deleted managed identity.
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
