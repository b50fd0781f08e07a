//! Managed online endpoints of a Machine Learning workspace.

use serde_json::{Map, Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal},
    resources::{
        body::default,
        draft::Draft,
        identity_member,
        machine_learning::{self, VERSION, bad, check_parent},
        profile::{Profile, Seconds, States, Unique, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    roles,
    stamp::{BLOB_READER_ROLE, role_id},
    store::{Change, Object, StoreQuery as _},
};

/// The resource type of managed online endpoints.
pub(crate) struct OnlineEndpoint;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
    version: VERSION,
    names: machine_learning::NAMES,
    seconds: Seconds { create: 120, update: 30, delete: 60 },
    write: WriteForm::Status,
    slow_delete: true,
    states: Some(States::USUAL),
    unique: Unique::Region,
    system_data: true,
    identity: Some("SystemAssigned"),
    polls: machine_learning::POLLS,
    operation_timeout: machine_learning::TIMEOUT,
    ..Profile::READ_ONLY
};

impl ResourceType for OnlineEndpoint {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses an invalid endpoint, a change that Azure does not allow, and traffic for deployments that do not exist.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        check_parent(draft, "workspace")?;
        let mode = draft.text("/properties/authMode");
        if !["Key", "AMLToken", "AADToken"].contains(&mode) {
            return bad(format!("'{mode}' is not a value of authMode: Key, AMLToken or AADToken."));
        }
        if let Some(before) = draft.text_before("/properties/authMode").filter(|before| *before != mode) {
            return bad(format!("The authMode of an endpoint cannot be changed from {before} to {mode}."));
        }
        let (requested, before) = (draft.text("/identity/type"), draft.text_before("/identity/type"));
        if !requested.is_empty() && before.is_some_and(|before| !before.eq_ignore_ascii_case(requested)) {
            return bad("The identity type of an endpoint cannot be changed.");
        }
        match draft.body.pointer("/properties/traffic") {
            None | Some(Value::Null) => Ok(()),
            Some(Value::Object(traffic)) => check_traffic(change, draft, traffic),
            Some(_) => bad("'traffic' is not an object."),
        }
    }

    /// Adds the default values that Machine Learning sets, and keeps the URIs of an existing endpoint.
    fn complete(&self, _: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
        if let Some(properties) = body["properties"].as_object_mut() {
            // Azure never shows keys, and shows URIs only once the endpoint is ready.
            for name in ["keys", "scoringUri", "swaggerUri"] {
                properties.remove(name);
            }
        }
        for name in ["scoringUri", "swaggerUri"] {
            if let Some(uri) = draft.text_before(&format!("/properties/{name}")).filter(|uri| !uri.is_empty())
            {
                body["properties"][name] = json!(uri);
            }
        }
        default(body, "traffic", json!({}));
        default(body, "mirrorTraffic", json!({}));
        default(body, "publicNetworkAccess", json!("Enabled"));
        default(body, "properties", json!({}));
        if body.get("kind").is_none() {
            body["kind"] = json!("Managed");
        }
        Ok(())
    }

    /// Completes an endpoint when its operation has succeeded: sets its URIs, and allows its system-assigned identity
    /// to read the workspace's default datastore, as Azure does.
    fn written(&self, change: &mut Change<'_>, object: &mut Object, _: FindType) -> Result<(), CloudError> {
        let host = format!("{}.{}.inference.ml.azure.com", last(&object.id), object.text("/location"))
            .to_lowercase();
        object.body["properties"]["scoringUri"] = json!(format!("https://{host}/score"));
        object.body["properties"]["swaggerUri"] = json!(format!("https://{host}/swagger.json"));
        if identity_member::is_system_assigned(object)
            && let Some((scope, role)) = datastore(change, object)?
        {
            roles::grant(change, &scope, &role, object.text("/identity/principalId"), object.tenant.clone())?;
        }
        Ok(())
    }

    /// Deletes the role assignment that Azure has created for the endpoint's system-assigned identity.
    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        if identity_member::is_system_assigned(object)
            && let Some((scope, role)) = datastore(change, object)?
        {
            roles::revoke(change, &scope, &role, object.text("/identity/principalId"))?;
        }
        Ok(())
    }

    fn name_taken(&self, name: &str, _: &str, _: bool) -> Refusal {
        let message = format!(
            "The specified endpoint name '{name}' is not available. Endpoint names must be unique within the region. Please choose a different name and try again."
        );
        Refusal::new(400, "UserError", message)
    }
}

fn check_traffic(change: &Change<'_>, draft: &Draft<'_>, traffic: &Map<String, Value>) -> Outcome<()> {
    let mut sum = 0;
    for (deployment, percent) in traffic {
        let Some(percent) = percent.as_u64().filter(|percent| *percent <= 100) else {
            return bad(format!("The traffic of '{deployment}' is no whole number from 0 to 100."));
        };
        sum += percent;
        if change.alive(&format!("{}/deployments/{deployment}", draft.id))?.is_none() {
            return bad(format!("The deployment '{deployment}' named in traffic does not exist."));
        }
    }
    if sum != 0 && sum != 100 {
        return bad(format!("The traffic of all deployments must sum to 0 or 100, not {sum}."));
    }
    Ok(())
}

/// The scope and the role of the assignment that Azure creates for an endpoint's system-assigned identity: the
/// workspace's storage account and Storage Blob Data Reader. `None` if the storage account does not exist.
fn datastore(change: &Change<'_>, object: &Object) -> Result<Option<(String, String)>, CloudError> {
    let workspace = object.id.split("/onlineEndpoints/").next().unwrap_or_default();
    let storage = change
        .alive(workspace)?
        .map(|workspace| workspace.text("/properties/storageAccount").to_owned())
        .filter(|storage| !storage.is_empty());
    let role = role_id(BLOB_READER_ROLE);
    Ok(match storage {
        Some(storage) if change.alive(&storage)?.is_some() => Some((storage, role)),
        Some(_) | None => None,
    })
}
