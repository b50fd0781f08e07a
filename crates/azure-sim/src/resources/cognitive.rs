//! Accounts of Cognitive Services and the models deployed in them.
//!
//! Sources: Microsoft's API description of the version in the table for statuses and shapes. A deleted account is kept
//! for 48 hours with its name and its sub-domain; until then it is restored with `restore` or purged. How the service
//! words its refusals is from users' reports: `FlagMustBeSetForRestore` (azure-search-openai-demo#155),
//! `CustomDomainInUse` (azuresandbox#164), `CannotDeleteResource` (pulumi-defang#245), `RequestConflict`
//! (terraform-provider-azurerm#22939).

use crate::{
    api_version,
    call::Call,
    error::CloudError,
    path::{Place, last},
    reply::{Outcome, Refusal, Reply, refuse},
    resources::{Draft, simple},
    stamp::SUBSCRIPTION_ID,
    store::{Change, Look, Object},
};
use serde_json::{Value, json};

/// The type of accounts.
pub(crate) const KIND: &str = "Microsoft.CognitiveServices/accounts";
/// The type of deployed models.
pub(crate) const DEPLOYMENT: &str = "Microsoft.CognitiveServices/accounts/deployments";
/// The api-version of both.
pub(crate) const VERSION: &str = "2024-10-01";

const SUBDOMAIN: &str = "/properties/customSubDomainName";

fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "BadRequest", message)
}

/// The name that a sub-domain takes.
pub(crate) fn subdomain_key(name: &str) -> String {
    format!("subdomain@world/{name}").to_lowercase()
}

/// Refuses an account without kind or sku, one that is kept in deleted state, and a sub-domain that somebody holds.
pub(crate) fn check(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    let restore = draft.body.pointer("/properties/restore") == Some(&json!(true));
    let kept = change.object(&draft.id)?.filter(|object| object.deleted.is_some());
    match (&kept, restore) {
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
    let (wanted, before) = (draft.text(SUBDOMAIN), draft.text_before(SUBDOMAIN).unwrap_or_default());
    if !before.is_empty() && !before.eq_ignore_ascii_case(wanted) {
        return bad("The custom sub-domain of an account cannot be changed.");
    }
    check_subdomain(change, draft, wanted)
}

/// A name counts as held as long as its last holder is there and still has it, deleted or not.
fn check_subdomain(change: &Change<'_>, draft: &Draft<'_>, wanted: &str) -> Outcome<()> {
    let holder = change.named(&subdomain_key(wanted))?.map(|id| change.object(&id)).transpose()?.flatten();
    let held = holder.is_some_and(|holder| {
        holder.key() != draft.id.to_lowercase() && holder.text(SUBDOMAIN).eq_ignore_ascii_case(wanted)
    });
    if wanted.is_empty() || !held {
        return Ok(());
    }
    let message = format!(
        "Please pick a different name. The subdomain name '{wanted}' is not available as it's already used by a \
         resource. If the resource using the name was deleted in the last 48 hours, you may need to purge the deleted \
         resource."
    );
    refuse(409, "CustomDomainInUse", message)
}

/// What an account shows besides what was asked for; a restored one has what it had.
pub(crate) fn fill(change: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
    let kept = change.object(&draft.id)?.filter(|object| object.deleted.is_some());
    if let Some(kept) = kept {
        body["properties"] = kept.body["properties"].clone();
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove("restore");
    }
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
    simple::keep(draft, body, "internalId", json!(internal));
    simple::keep(draft, body, "dateCreated", json!(change.now.to_string()));
    simple::keep(draft, body, "privateEndpointConnections", json!([]));
    simple::default(body, "publicNetworkAccess", json!("Enabled"));
    simple::default(body, "disableLocalAuth", json!(false));
    Ok(())
}

fn deployments(change: &Change<'_>, account: &str) -> Result<Vec<Object>, CloudError> {
    let below = change.under(&format!("{}/deployments/", account.to_lowercase()))?;
    Ok(below.into_iter().filter(|object| object.deleted.is_none()).collect())
}

/// Refuses to remove an account with models in it.
pub(crate) fn check_delete(change: &Change<'_>, account: &Object) -> Outcome<()> {
    let Some(nested) = deployments(change, &account.id)?.into_iter().next() else { return Ok(()) };
    let message = format!(
        "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{}'. Please \
         delete all nested resources before deleting this resource.",
        nested.id
    );
    refuse(409, "CannotDeleteResource", message)
}

/// Refuses a model that is not fully named, in an account that is not ready or can't have one.
pub(crate) fn check_deployment(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    let Some(account) = &draft.parent else { return Ok(()) };
    match account.text("/properties/provisioningState") {
        "Succeeded" => {}
        state => {
            let message = format!("The account '{}' is in state {state}.", last(&account.id));
            return refuse(409, "AccountProvisioningStateInvalid", message);
        }
    }
    if !["OpenAI", "AIServices"].contains(&account.text("/kind")) {
        return bad(format!("An account of kind '{}' has no deployments.", account.text("/kind")));
    }
    if ["format", "name"].iter().any(|member| draft.text(&format!("/properties/model/{member}")).is_empty()) {
        return bad("A deployment's model needs a 'format' and a 'name'.");
    }
    let capacity = draft.body.pointer("/sku/capacity").and_then(Value::as_u64);
    if draft.text("/sku/name").is_empty() || capacity.unwrap_or_default() == 0 {
        return bad("A deployment needs a 'sku.name' and a 'sku.capacity' of at least 1.");
    }
    check_siblings(change, &account.id, &draft.id)
}

/// Refuses to remove a model while another one of the same account is being changed.
pub(crate) fn check_deployment_delete(change: &Change<'_>, object: &Object) -> Outcome<()> {
    let account = object.id.rsplit_once("/deployments/").map_or("", |(account, _)| account);
    check_siblings(change, account, &object.id)
}

fn check_siblings(change: &Change<'_>, account: &str, id: &str) -> Outcome<()> {
    let busy = |object: &Object| object.busy.is_some() && object.key() != id.to_lowercase();
    match deployments(change, account)?.iter().find(|object| busy(object)) {
        Some(other) => {
            let message = format!(
                "Another operation is being performed on the parent resource '{account}' or on '{}'. Please try again later.",
                last(&other.id)
            );
            refuse(409, "RequestConflict", message)
        }
        None => Ok(()),
    }
}

/// What a deployed model shows besides what was asked for.
pub(crate) fn fill_deployment(
    _: &mut Change<'_>,
    draft: &Draft<'_>,
    body: &mut Value,
) -> Result<(), CloudError> {
    simple::default(body, "versionUpgradeOption", json!("OnceNewDefaultVersionAvailable"));
    body["properties"]["currentCapacity"] = draft.body["sku"]["capacity"].clone();
    Ok(())
}

/// A kept account by where it was: its region, its group and its name.
pub(crate) struct Kept {
    location: String,
    place: Place,
}

impl Kept {
    /// From a path's `locations/{location}/resourceGroups/{group}/deletedAccounts/{name}`.
    pub(crate) fn new(location: &str, group: &str, name: &str) -> Self {
        let place = Place {
            subscription: SUBSCRIPTION_ID.to_owned(),
            group: Some(group.to_owned()),
            provider: Some("Microsoft.CognitiveServices".to_owned()),
            types: vec!["accounts".to_owned()],
            names: vec![name.to_owned()],
        };
        Self { location: location.to_owned(), place }
    }

    fn find(&self, look: &impl Look, call: &Call) -> Outcome<Option<Object>> {
        api_version::check(call, "deletedAccounts", VERSION)?;
        let kept = look.object(&self.place.id(KIND))?;
        Ok(kept.filter(|object| object.deleted.is_some() && object.text("/location") == self.location))
    }

    /// Shows it.
    pub(crate) fn read(&self, look: &impl Look, call: &Call) -> Outcome {
        let Some(object) = self.find(look, call)? else {
            let message = format!("The deleted account '{}' was not found.", self.place.name());
            return Err(Refusal::new(404, "ResourceNotFound", message).into());
        };
        let mut body = object.body.clone();
        body["id"] = json!(format!(
            "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.CognitiveServices/locations/{}/resourceGroups/{}/deletedAccounts/{}",
            self.location,
            self.place.group.as_deref().unwrap_or_default(),
            last(&object.id)
        ));
        body["type"] = json!("Microsoft.CognitiveServices/locations/resourceGroups/deletedAccounts");
        body["properties"]["deletionDate"] = json!(object.deleted.map(|at| at.to_string()));
        body["properties"]["scheduledPurgeDate"] = json!(super::expiry(&object).map(|at| at.to_string()));
        Ok(Reply::json(200, body).of(object.tenant))
    }

    /// Removes it for good: 200, or 204 if there is none.
    pub(crate) fn purge(&self, change: &mut Change<'_>, call: &Call) -> Outcome {
        let Some(object) = self.find(change, call)? else { return Ok(Reply::empty(204)) };
        super::erase(change, &object)?;
        Ok(Reply::empty(200).of(object.tenant))
    }
}
