//! Storage accounts.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal, refuse},
    resources::{
        body::{default, keep},
        draft::Draft,
        private_link,
        profile::{NameRule, PollTypes, Profile, Seconds, States, Unique, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    store::{Change, Object},
};

/// The resource type of storage accounts.
pub(crate) struct StorageAccount;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.Storage/storageAccounts",
    version: "2023-05-01",
    names: NameRule {
        allows: |name| {
            (3..=24).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        },
        text: "3 to 24 lower-case letters and digits",
    },
    seconds: Seconds { create: 21, update: 0, delete: 0 },
    write: WriteForm::Location { updates: false },
    states: Some(States::USUAL),
    unique: Unique::Global,
    polls: PollTypes { status: "asyncoperations", location: "asyncoperations" },
    link_groups: &["blob", "table", "queue", "file", "dfs", "web"],
    ..Profile::READ_ONLY
};

impl ResourceType for StorageAccount {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses a storage account without a valid sku or kind, and a change of its kind.
    fn check(&self, _: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        const KINDS: [&str; 5] = ["Storage", "StorageV2", "BlobStorage", "FileStorage", "BlockBlobStorage"];
        let kind = draft.text("/kind");
        if !KINDS.contains(&kind) {
            return refuse(
                400,
                "InvalidValuesForRequestParameters",
                format!("The value '{kind}' for 'kind' is not valid."),
            );
        }
        let sku = draft.text("/sku/name");
        if !sku.starts_with("Standard_") && !sku.starts_with("Premium_") {
            return refuse(
                400,
                "InvalidValuesForRequestParameters",
                format!("The value '{sku}' for 'sku.name' is not valid."),
            );
        }
        if draft.text_before("/kind").is_some_and(|before| before != kind) {
            return refuse(
                409,
                "AccountPropertyCannotBeUpdated",
                "The property 'kind' was specified in the input, but it cannot be updated.",
            );
        }
        Ok(())
    }

    /// Adds the properties that Azure Storage sets itself, and default values.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        let name = draft.path.name();
        let tier = draft.text("/sku/name").split('_').next().unwrap_or("Standard").to_owned();
        body["sku"]["tier"] = json!(tier);
        let now = change.now.to_string();
        let endpoints: serde_json::Map<String, Value> = ["blob", "queue", "table", "file", "dfs", "web"]
            .iter()
            .map(|kind| ((*kind).to_owned(), json!(format!("https://{name}.{kind}.core.windows.net/"))))
            .collect();
        keep(draft, body, "creationTime", json!(now));
        keep(draft, body, "keyCreationTime", json!({ "key1": now, "key2": now }));
        keep(draft, body, "privateEndpointConnections", json!([]));
        body["properties"]["primaryEndpoints"] = Value::Object(endpoints);
        body["properties"]["primaryLocation"] = body["location"].clone();
        body["properties"]["statusOfPrimary"] = json!("available");
        default(body, "supportsHttpsTrafficOnly", json!(true));
        default(body, "allowBlobPublicAccess", json!(false));
        default(body, "minimumTlsVersion", json!("TLS1_2"));
        default(body, "accessTier", json!("Hot"));
        Ok(())
    }

    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        private_link::disconnect(change, object)
    }

    fn name_taken(&self, name: &str, _: &str, _: bool) -> Refusal {
        // All storage accounts of the simulated Azure are in one subscription, so this is the message that fits.
        let message =
            format!("The account {name} is already in another resource group in this subscription.");
        Refusal::new(409, "StorageAccountInAnotherResourceGroup", message)
    }

    fn busy(&self, _: &Change<'_>, object: &Object, _: &str) -> Result<Refusal, CloudError> {
        let message = format!(
            "An operation is currently performing on the storage account '{}' that requires exclusive access.",
            last(&object.id)
        );
        Ok(Refusal::new(409, "StorageAccountOperationInProgress", message))
    }

    fn link_names(&self, target: &Object, group: &str) -> Vec<(String, usize)> {
        vec![(format!("{}.{group}.core.windows.net", last(&target.id)), 0)]
    }
}
