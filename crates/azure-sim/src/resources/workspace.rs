//! Azure Machine Learning workspaces.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::ResourcePath,
    reply::{Outcome, refuse},
    resources::{
        body::{default, keep},
        draft::Draft,
        machine_learning::VERSION,
        names::{begins_alphanumeric, has_only},
        private_link,
        profile::{NameRule, PollTypes, Profile, Seconds, States, WriteForm},
        resource_type::{FindType, LinkedAction, ResourceType},
    },
    stamp::DIRECTORY_ID,
    store::{Change, Object, StoreQuery as _},
};

/// The resources that a workspace depends on: the property with the id, and the resource type.
const DEPENDENCIES: [(&str, &str); 3] = [
    ("storageAccount", "Microsoft.Storage/storageAccounts"),
    ("keyVault", "Microsoft.KeyVault/vaults"),
    ("applicationInsights", "Microsoft.Insights/components"),
];

/// The resource type of Azure Machine Learning workspaces.
pub(crate) struct Workspace;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.MachineLearningServices/workspaces",
    version: VERSION,
    names: NameRule {
        allows: |name| has_only(name, 3, 33, "-_") && begins_alphanumeric(name),
        text: "3 to 33 letters, digits, '-' and '_', beginning with a letter or digit",
    },
    seconds: Seconds { create: 60, update: 30, delete: 30 },
    write: WriteForm::Location { updates: true },
    slow_delete: true,
    states: Some(States::USUAL),
    system_data: true,
    identity: Some("SystemAssigned"),
    kept_days: Some(14),
    polls: PollTypes { status: "workspaceOperationsStatus", location: "workspaceOperationsStatus" },
    link_groups: &["amlworkspace"],
    ..Profile::READ_ONLY
};

impl ResourceType for Workspace {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses a workspace with the id of a soft-deleted one, or whose dependencies are missing, not ready, or changed
    /// where Azure does not allow it.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
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
                let message =
                    format!("Missing dependent resources in workspace json: '{property}' is required.");
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

    /// Adds the properties that Machine Learning sets itself, and default values.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        let workspace = change.identity(&draft.id)?;
        keep_region(draft, body, &workspace);
        keep(draft, body, "privateEndpointConnections", json!([]));
        keep(draft, body, "privateLinkCount", json!(0));
        default(body, "friendlyName", json!(draft.path.name()));
        default(body, "hbiWorkspace", json!(false));
        default(body, "publicNetworkAccess", json!("Enabled"));
        default(body, "v1LegacyMode", json!(false));
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

    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        private_link::disconnect(change, object)
    }

    fn linked_actions(&self, body: &Value) -> Vec<LinkedAction> {
        let part = |(property, _)| LinkedAction::at(body, &format!("/properties/{property}"), "read");
        DEPENDENCIES.into_iter().filter_map(part).collect()
    }

    fn link_names(&self, target: &Object, _: &str) -> Vec<(String, usize)> {
        let (id, region) = (target.text("/properties/workspaceId"), target.text("/location"));
        vec![
            (format!("{id}.workspace.{region}.api.azureml.ms"), 0),
            (format!("{id}.workspace.{region}.cert.api.azureml.ms"), 0),
            (target.text("/properties/notebookInfo/fqdn").to_owned(), 1),
            (format!("*.{id}.inference.{region}.api.azureml.ms"), 2),
        ]
    }
}

/// Whether an id is that of a resource of the type `kind`.
fn is_of(id: &str, kind: &str) -> bool {
    ResourcePath::of(id).is_some_and(|path| path.kind().eq_ignore_ascii_case(kind))
}

fn keep_region(draft: &Draft<'_>, body: &mut Value, workspace: &str) {
    let region = body["location"].as_str().unwrap_or_default().to_owned();
    let name = draft.path.name();
    let id = draft.id.trim_start_matches('/');
    keep(draft, body, "workspaceId", json!(workspace));
    let workspace = body["properties"]["workspaceId"].as_str().unwrap_or_default().to_owned();
    keep(
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
