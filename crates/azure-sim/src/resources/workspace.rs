//! Azure Machine Learning workspaces.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::Place,
    reply::{Outcome, refuse},
    resources::{Draft, simple},
    stamp::DIRECTORY_ID,
    store::{Change, Look as _},
};

/// The type of workspaces.
pub(crate) const KIND: &str = "Microsoft.MachineLearningServices/workspaces";
/// The api-version of Machine Learning.
pub(crate) const VERSION: &str = "2024-10-01";

/// What a workspace is built on: property, type.
const DEPENDENCIES: [(&str, &str); 3] = [
    ("storageAccount", "Microsoft.Storage/storageAccounts"),
    ("keyVault", "Microsoft.KeyVault/vaults"),
    ("applicationInsights", "Microsoft.Insights/components"),
];

/// Refuses a workspace whose name is held by a soft-deleted one, or whose dependencies are not there or changed.
pub(crate) fn check(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    if change.object(&draft.id)?.is_some_and(|object| object.deleted.is_some()) {
        let message = format!(
            "Soft-deleted workspace exists. Please purge or recover it: '{}'. https://aka.ms/wsoftdelete",
            draft.id
        );
        return refuse(400, "BadRequest", message);
    }
    for (property, kind) in DEPENDENCIES {
        let pointer = format!("/properties/{property}");
        let id = draft.text(&pointer);
        if id.is_empty() {
            let message = format!("Missing dependent resources in workspace json: '{property}' is required.");
            return refuse(400, "BadRequest", message);
        }
        let found = change.alive(id)?.filter(|object| object.kind == kind);
        let Some(found) = found.filter(|_| is_of(id, kind)) else {
            let message =
                format!("The resource '{id}' given as '{property}' could not be found or is no {kind}.");
            return refuse(400, "BadRequest", message);
        };
        let state = found.text("/properties/provisioningState");
        if state != "Succeeded" {
            let message =
                format!("The resource '{id}' given as '{property}' is in {state} provisioning state.");
            return refuse(400, "BadRequest", message);
        }
        let fixed = property != "applicationInsights";
        if fixed && draft.text_before(&pointer).is_some_and(|before| !before.eq_ignore_ascii_case(id)) {
            return refuse(
                400,
                "PropertyChangeNotAllowed",
                format!("The property '{property}' of a workspace cannot be changed."),
            );
        }
    }
    match draft.text("/properties/publicNetworkAccess") {
        "" | "Enabled" | "Disabled" => Ok(()),
        other => refuse(400, "BadRequest", format!("'{other}' is not a value of publicNetworkAccess.")),
    }
}

/// Whether an id says of itself that it is of a type.
fn is_of(id: &str, kind: &str) -> bool {
    Place::of(id).is_some_and(|place| place.kind().eq_ignore_ascii_case(kind))
}

/// What a workspace shows besides what was asked for.
pub(crate) fn fill(change: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
    let workspace = change.identity(&draft.id)?;
    keep_region(draft, body, &workspace);
    simple::keep(draft, body, "privateEndpointConnections", json!([]));
    simple::keep(draft, body, "privateLinkCount", json!(0));
    simple::default(body, "friendlyName", json!(draft.place.name()));
    simple::default(body, "hbiWorkspace", json!(false));
    simple::default(body, "publicNetworkAccess", json!("Enabled"));
    simple::default(body, "v1LegacyMode", json!(false));
    body["properties"]["tenantId"] = json!(DIRECTORY_ID);
    body["properties"]["storageHnsEnabled"] = json!(false);
    if body.get("sku").is_none() {
        body["sku"] = json!({ "name": "Basic", "tier": "Basic" });
    }
    if body.get("kind").is_none() {
        body["kind"] = json!("Default");
    }
    Ok(())
}

fn keep_region(draft: &Draft<'_>, body: &mut Value, workspace: &str) {
    let region = body["location"].as_str().unwrap_or_default().to_owned();
    let name = draft.place.name();
    let id = draft.id.trim_start_matches('/');
    simple::keep(draft, body, "workspaceId", json!(workspace));
    let workspace = body["properties"]["workspaceId"].as_str().unwrap_or_default().to_owned();
    simple::keep(
        draft,
        body,
        "notebookInfo",
        json!({
            "fqdn": format!("ml-{name}-{region}-{workspace}.{region}.notebooks.azure.net"),
            "resourceId": workspace.replace('-', ""),
        }),
    );
    body["properties"]["discoveryUrl"] = json!(format!("https://{region}.api.azureml.ms/discovery"));
    body["properties"]["mlFlowTrackingUri"] =
        json!(format!("azureml://{region}.api.azureml.ms/mlflow/v1.0/{id}"));
}
