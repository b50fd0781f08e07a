//! Key vaults: a removed one stays for its retention, holds its name in the whole world, and can be recovered or purged.

use crate::{
    api_version,
    call::Call,
    error::CloudError,
    operations::{self, Follow},
    path::last,
    reply::{Outcome, Refusal, Reply, refuse},
    resources::{Draft, Kind, simple},
    stamp::SUBSCRIPTION_ID,
    store::{Change, Look, Object, Work},
};
use serde_json::{Value, json};
use uuid::Uuid;

const KIND: &str = "Microsoft.KeyVault/vaults";
/// Azure's usual seconds for a purge.
const PURGE_SECONDS: u32 = 20;

/// The refusal for a vault name that somebody holds.
pub(crate) fn taken(name: &str, softly: bool) -> Refusal {
    let message = if softly {
        format!(
            "A vault with the same name '{name}' already exists in deleted state. You need to either recover or purge existing key vault."
        )
    } else {
        format!(
            "The vault name '{name}' is already in use. Vault names are globally unique; choose another one."
        )
    };
    Refusal::new(409, if softly { "ConflictError" } else { "VaultAlreadyExists" }, message)
}

/// Refuses a vault without sku or directory, and a name that is held by a soft-deleted vault.
pub(crate) fn check(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    let bad = |message: &str| refuse(400, "BadRequest", message);
    let recover = draft.text("/properties/createMode") == "recover";
    let held = change.object(&draft.id)?.filter(|object| object.deleted.is_some());
    match (&held, recover) {
        (Some(_), false) => return Err(taken(draft.place.name(), true).into()),
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

fn is_protected(object: &Object) -> bool {
    object.body.pointer("/properties/enablePurgeProtection") == Some(&json!(true))
}

/// What a vault shows besides what was asked for; a recovered one is what it was.
pub(crate) fn fill(change: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
    let deleted = change.object(&draft.id)?.filter(|object| object.deleted.is_some());
    if let Some(deleted) = deleted {
        body["properties"] = deleted.body["properties"].clone();
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("createMode");
    }
    body["properties"]["vaultUri"] = json!(format!("https://{}.vault.azure.net/", draft.place.name()));
    simple::keep(draft, body, "privateEndpointConnections", json!([]));
    simple::default(body, "accessPolicies", json!([]));
    simple::default(body, "enableSoftDelete", json!(true));
    simple::default(body, "softDeleteRetentionInDays", json!(90));
    simple::default(body, "enableRbacAuthorization", json!(false));
    simple::default(body, "enabledForDeployment", json!(false));
    simple::default(body, "publicNetworkAccess", json!("Enabled"));
    Ok(())
}

fn deleted(look: &impl Look, call: &Call, location: &str, name: &str) -> Outcome<Object> {
    let row = Kind::find(KIND);
    api_version::check(call, "deletedVaults", row.map_or("", |kind| kind.version))?;
    let key = row.and_then(|kind| kind.name_key(name, location)).unwrap_or_default();
    let holder = look.named(&key)?.map(|id| look.object(&id)).transpose()?.flatten();
    match holder.filter(|object| object.deleted.is_some() && object.text("/location") == location) {
        Some(object) => Ok(object),
        None => {
            refuse(404, "DeletedVaultNotFound", format!("The specified deleted vault {name} does not exist."))
        }
    }
}

/// Shows a soft-deleted vault.
pub(crate) fn read_deleted(look: &impl Look, call: &Call, location: &str, name: &str) -> Outcome {
    let object = deleted(look, call, location, name)?;
    let mut properties = json!({
        "vaultId": object.id,
        "location": object.text("/location"),
        "tags": object.body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "deletionDate": object.deleted.map(|at| at.to_string()),
        "scheduledPurgeDate": super::expiry(&object).map(|at| at.to_string()),
    });
    if is_protected(&object) {
        properties["purgeProtectionEnabled"] = json!(true);
    }
    let body = json!({
        "id": format!("/subscriptions/{SUBSCRIPTION_ID}/providers/{}/locations/{location}/deletedVaults/{}", "Microsoft.KeyVault", last(&object.id)),
        "name": last(&object.id),
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": properties,
    });
    Ok(Reply::json(200, body).of(object.tenant))
}

/// Removes a soft-deleted vault for good, unless purge protection forbids that.
pub(crate) fn purge(change: &mut Change<'_>, call: &Call, location: &str, name: &str) -> Outcome {
    let object = deleted(change, call, location, name)?;
    if is_protected(&object) {
        let message = "Operation \"DeletedVaultPurge\" is not allowed because purge protection is enabled for this \
                       vault. Key Vault service will automatically purge it after the retention period has passed.";
        return refuse(405, "MethodNotAllowed", message);
    }
    let tenant = object.tenant.clone();
    let (mut object, seconds) = (object, PURGE_SECONDS);
    if object.busy.is_some() {
        return refuse(409, "Conflict", format!("The vault '{name}' is being purged already."));
    }
    let operation = operations::start(change, &mut object, Work::Purge, seconds)?;
    let reply = operations::announce(Reply::empty(202), call, &operation, Follow::Location, change.now);
    Ok(reply.of(tenant))
}
