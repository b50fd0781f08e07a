//! Accounts of Cognitive Services.
//!
//! A soft-deleted account keeps its name and its sub-domain for 48 hours. Until then it can be restored by a PUT with
//! the property `restore`, or purged.
//!
//! Sources: Microsoft's API description of this api-version for statuses and bodies. The messages of refusals are from
//! users' reports: `FlagMustBeSetForRestore` (azure-search-openai-demo#155), `CustomDomainInUse` (azuresandbox#164),
//! `CannotDeleteResource` (pulumi-defang#245), `RequestConflict` (terraform-provider-azurerm#22939).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal, refuse},
    resources::{
        body::{default, keep, restore},
        cognitive_services::{NAMES, STATES, VERSION, bad, deployments},
        deleted_items::{DeletedItems, DeletedPath, PurgeForm},
        draft::Draft,
        private_link,
        profile::{Profile, Seconds, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    stamp::SUBSCRIPTION_ID,
    store::{Change, Object, StoreQuery as _},
};

const SUBDOMAIN: &str = "/properties/customSubDomainName";

/// The unique name that an account reserves for its custom sub-domain.
pub(crate) fn subdomain_key(name: &str) -> String {
    format!("subdomain@global/{name}").to_lowercase()
}

/// The resource type of accounts of Cognitive Services.
pub(crate) struct CognitiveAccount;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.CognitiveServices/accounts",
    version: VERSION,
    names: NAMES,
    seconds: Seconds { create: 30, update: 5, delete: 15 },
    write: WriteForm::Resource(201),
    slow_delete: true,
    states: Some(STATES),
    system_data: true,
    identity: Some("None"),
    kept_days: Some(2),
    ..Profile::READ_ONLY
};

impl ResourceType for CognitiveAccount {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses an account without kind or sku, changes that Azure does not allow, a sub-domain that is in use, and a
    /// PUT of a soft-deleted account that does not restore it.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        let asks = draft.body.pointer("/properties/restore") == Some(&json!(true));
        match (draft.deleted(change)?, asks) {
            (Some(kept), false) => {
                let message = format!(
                    "An existing resource with ID '{}' has been soft-deleted. To restore the resource, you must specify \
                     'restore' to be 'true' in the property. If you don't want to restore existing resource, please purge \
                     it first.",
                    kept.id
                );
                return refuse(409, "FlagMustBeSetForRestore", message);
            }
            (None, true) if draft.before.is_none() => {
                return bad("There is no deleted account of this name to restore.");
            }
            (Some(_) | None, _) => {}
        }
        let kind = draft.text("/kind");
        if kind.is_empty() || draft.text("/sku/name").is_empty() {
            return bad("An account needs a 'kind' and a 'sku.name'.");
        }
        if draft.text_before("/kind").is_some_and(|before| before != kind) {
            return bad("The 'kind' of an account cannot be changed.");
        }
        let (requested, before) = (draft.text(SUBDOMAIN), draft.text_before(SUBDOMAIN).unwrap_or_default());
        if !before.is_empty() && !before.eq_ignore_ascii_case(requested) {
            return bad("The custom sub-domain of an account cannot be changed.");
        }
        check_subdomain(change, draft, requested)
    }

    /// Adds the properties that Cognitive Services sets itself, and default values. A restored account gets its earlier
    /// properties.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        restore(change, draft, body, "restore")?;
        let subdomain = body.pointer(SUBDOMAIN).and_then(Value::as_str).unwrap_or_default().to_owned();
        let host = match (subdomain.is_empty(), draft.text("/kind")) {
            (true, _) => format!("{}.api.cognitive.microsoft.com", draft.text("/location")),
            (false, "OpenAI") => format!("{subdomain}.openai.azure.com"),
            (false, _) => format!("{subdomain}.cognitiveservices.azure.com"),
        };
        if !subdomain.is_empty() {
            change.take_name(&subdomain_key(&subdomain), &draft.id)?;
        }
        let internal = change.identity(&draft.id)?.replace('-', "");
        body["properties"]["endpoint"] = json!(format!("https://{host}/"));
        keep(draft, body, "internalId", json!(internal));
        keep(draft, body, "dateCreated", json!(change.now.to_string()));
        keep(draft, body, "privateEndpointConnections", json!([]));
        default(body, "publicNetworkAccess", json!("Enabled"));
        default(body, "disableLocalAuth", json!(false));
        Ok(())
    }

    /// Refuses to delete an account that has model deployments.
    fn check_delete(&self, change: &Change<'_>, account: &Object) -> Outcome<()> {
        let Some(nested) = deployments(change, &account.id)?.into_iter().next() else { return Ok(()) };
        let message = format!(
            "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{}'. Please \
             delete all nested resources before deleting this resource.",
            nested.id
        );
        refuse(409, "CannotDeleteResource", message)
    }

    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        private_link::disconnect(change, object)
    }

    fn deleted_items(&self) -> Option<&'static dyn DeletedItems> {
        Some(&DeletedAccounts)
    }
}

/// Refuses a sub-domain that another account has, also if that account is soft-deleted.
fn check_subdomain(change: &Change<'_>, draft: &Draft<'_>, requested: &str) -> Outcome<()> {
    let holder = change.holder(&subdomain_key(requested))?;
    let held = holder.is_some_and(|holder| {
        holder.key() != draft.id.to_lowercase() && holder.text(SUBDOMAIN).eq_ignore_ascii_case(requested)
    });
    if requested.is_empty() || !held {
        return Ok(());
    }
    let message = format!(
        "Please pick a different name. The subdomain name '{requested}' is not available as it's already used by a \
         resource. If the resource using the name was deleted in the last 48 hours, you may need to purge the deleted \
         resource."
    );
    refuse(409, "CustomDomainInUse", message)
}

/// The requests for soft-deleted accounts.
struct DeletedAccounts;

impl DeletedItems for DeletedAccounts {
    fn collection(&self) -> &'static str {
        "deletedAccounts"
    }

    fn in_group(&self) -> bool {
        true
    }

    fn purge_form(&self) -> PurgeForm {
        PurgeForm::Delete
    }

    fn missing(&self, name: &str) -> Refusal {
        Refusal::new(404, "ResourceNotFound", format!("The deleted account '{name}' was not found."))
    }

    fn show(&self, object: &Object, path: &DeletedPath, purged: Option<Timestamp>) -> Value {
        let mut body = object.body.clone();
        body["id"] = json!(format!(
            "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.CognitiveServices/locations/{}/resourceGroups/{}/deletedAccounts/{}",
            path.location,
            path.group.as_deref().unwrap_or_default(),
            last(&object.id)
        ));
        body["type"] = json!("Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts");
        body["properties"]["deletionDate"] = json!(object.deleted.map(|at| at.to_string()));
        body["properties"]["scheduledPurgeDate"] = json!(purged.map(|at| at.to_string()));
        body
    }
}
