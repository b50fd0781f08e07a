//! Key vaults. A soft-deleted vault keeps its globally unique name until the end of its retention, and can be recovered
//! or purged until then.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal, refuse},
    resources::{
        body::{default, keep, restore},
        deleted_items::{DeletedItems, DeletedPath, PurgeForm},
        draft::Draft,
        names::hyphenated,
        private_link,
        profile::{NameRule, Profile, Seconds, States, Unique, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    stamp::SUBSCRIPTION_ID,
    store::{Change, Object},
};

/// How long a purge usually takes in Azure, in seconds.
const PURGE_SECONDS: u32 = 20;

/// The resource type of key vaults.
pub(crate) struct KeyVault;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.KeyVault/vaults",
    version: "2023-07-01",
    names: NameRule {
        allows: |name| hyphenated(name, 3, 24) && name.starts_with(|c: char| c.is_ascii_alphabetic()),
        text: "3 to 24 letters, digits and single hyphens, beginning with a letter and ending in a letter or digit",
    },
    seconds: Seconds { create: 25, update: 0, delete: 0 },
    write: WriteForm::Resource(201),
    states: Some(States { creating: "RegisteringDns", updating: "Succeeded", deleting: "Succeeded" }),
    unique: Unique::Global,
    system_data: true,
    kept_days: Some(90),
    link_groups: &["vault"],
    ..Profile::READ_ONLY
};

impl ResourceType for KeyVault {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses an incomplete or invalid vault, and a new vault with the id of a soft-deleted one unless it recovers
    /// that one.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        let bad = |message: &str| refuse(400, "BadRequest", message);
        let recover = draft.text("/properties/createMode") == "recover";
        match (draft.deleted(change)?, recover) {
            (Some(_), false) => return Err(self.name_taken(draft.path.name(), "", true).into()),
            (Some(_), true) => return Ok(()),
            (None, true) if draft.before.is_none() => {
                return bad("There is no deleted vault of this name to recover.");
            }
            (None, _) => {}
        }
        if !draft.text("/properties/sku/family").eq_ignore_ascii_case("A") {
            return bad("The parameter sku.family must be 'A'.");
        }
        if !["standard", "premium"].contains(&draft.text("/properties/sku/name")) {
            return bad("The parameter sku.name must be 'standard' or 'premium'.");
        }
        if draft.text("/properties/tenantId").parse::<Uuid>().is_err() {
            return bad("The parameter tenantId must be a GUID.");
        }
        let properties = &draft.body["properties"];
        if properties["enableRbacAuthorization"] != json!(true) && !properties["accessPolicies"].is_array() {
            return bad("The parameter accessPolicies is not specified.");
        }
        let days = properties.get("softDeleteRetentionInDays");
        if days.is_some_and(|days| !days.as_i64().is_some_and(|days| (7..=90).contains(&days))) {
            return bad("softDeleteRetentionInDays must be between 7 and 90.");
        }
        let protected = draft.before.as_ref().is_some_and(is_protected);
        if protected && properties["enablePurgeProtection"] == json!(false) {
            return bad("The property enablePurgeProtection cannot be set to false once it is true.");
        }
        Ok(())
    }

    /// Adds the properties that Key Vault sets itself, and default values. A recovered vault gets its earlier
    /// properties.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        restore(change, draft, body, "createMode")?;
        body["properties"]["vaultUri"] = json!(format!("https://{}.vault.azure.net/", draft.path.name()));
        keep(draft, body, "privateEndpointConnections", json!([]));
        default(body, "accessPolicies", json!([]));
        default(body, "enableSoftDelete", json!(true));
        default(body, "softDeleteRetentionInDays", json!(90));
        default(body, "enableRbacAuthorization", json!(false));
        default(body, "enabledForDeployment", json!(false));
        default(body, "publicNetworkAccess", json!("Enabled"));
        Ok(())
    }

    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        private_link::disconnect(change, object)
    }

    fn name_taken(&self, name: &str, _: &str, deleted: bool) -> Refusal {
        let message = if deleted {
            format!(
                "A vault with the same name '{name}' already exists in deleted state. You need to either recover or purge existing key vault."
            )
        } else {
            format!(
                "The vault name '{name}' is already in use. Vault names are globally unique; choose another one."
            )
        };
        Refusal::new(409, if deleted { "ConflictError" } else { "VaultAlreadyExists" }, message)
    }

    fn deleted_items(&self) -> Option<&'static dyn DeletedItems> {
        Some(&DeletedVaults)
    }

    fn link_names(&self, target: &Object, _: &str) -> Vec<(String, usize)> {
        vec![(format!("{}.vault.azure.net", last(&target.id)), 0)]
    }
}

fn is_protected(object: &Object) -> bool {
    object.body.pointer("/properties/enablePurgeProtection") == Some(&json!(true))
}

/// The requests for soft-deleted vaults.
struct DeletedVaults;

impl DeletedItems for DeletedVaults {
    fn collection(&self) -> &'static str {
        "deletedVaults"
    }

    fn in_group(&self) -> bool {
        false
    }

    fn purge_form(&self) -> PurgeForm {
        PurgeForm::Post { seconds: PURGE_SECONDS }
    }

    fn missing(&self, name: &str) -> Refusal {
        let message = format!("The specified deleted vault {name} does not exist.");
        Refusal::new(404, "DeletedVaultNotFound", message)
    }

    fn show(&self, object: &Object, path: &DeletedPath, purged: Option<Timestamp>) -> Value {
        let mut properties = json!({
            "vaultId": object.id,
            "location": object.text("/location"),
            "tags": object.body.get("tags").cloned().unwrap_or_else(|| json!({})),
            "deletionDate": object.deleted.map(|at| at.to_string()),
            "scheduledPurgeDate": purged.map(|at| at.to_string()),
        });
        if is_protected(object) {
            properties["purgeProtectionEnabled"] = json!(true);
        }
        json!({
            "id": format!("/subscriptions/{SUBSCRIPTION_ID}/providers/{}/locations/{}/deletedVaults/{}", "Microsoft.KeyVault", path.location, last(&object.id)),
            "name": last(&object.id),
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": properties,
        })
    }

    /// Refuses to purge a vault with purge protection, or one that is already being purged.
    fn check_purge(&self, object: &Object, path: &DeletedPath) -> Outcome<()> {
        if is_protected(object) {
            let message = "Operation \"DeletedVaultPurge\" is not allowed because purge protection is enabled for this \
                           vault. Key Vault service will automatically purge it after the retention period has passed.";
            return refuse(405, "MethodNotAllowed", message);
        }
        if object.busy.is_some() {
            let message = format!("The vault '{}' is being purged already.", path.name);
            return refuse(409, "Conflict", message);
        }
        Ok(())
    }
}
