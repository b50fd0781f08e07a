//! Parses a PUT, with the checks that are the same for all resource types: names, shape of the body, and tags.

use serde_json::Value;

use crate::{
    arm::{
        busy::is_being_deleted,
        missing::{no_group, no_parent},
    },
    call::Call,
    path::{ResourcePath, last},
    reply::{Outcome, refuse},
    resources::{draft::Draft, profile::Profile},
    store::{Change, StoreQuery as _},
};

/// The name of the tag that says which tenant a resource belongs to.
const TENANT_TAG: &str = "tenantry-tenant";

/// Parses a PUT, and refuses what no resource type accepts: an invalid name or body, or a resource group or parent that
/// does not exist.
pub(super) fn draft<'a>(
    change: &Change<'_>,
    call: &'a Call,
    profile: &'static Profile,
    path: &'a ResourcePath,
) -> Outcome<Draft<'a>> {
    let name = path.name();
    if !(profile.names.allows)(name) {
        let message =
            format!("The name '{name}' is not valid for '{}': {}.", profile.name, profile.names.text);
        return refuse(400, profile.wording.invalid_name, message);
    }
    let mut body = call.json()?;
    check_shape(&mut body)?;
    let id = path.id(profile.name);
    let group = change.alive(&path.group_id().unwrap_or_default())?;
    if let Some(group) = &group {
        if is_being_deleted(change, group)? {
            let message = format!("The resource group '{}' is in deprovisioning state.", last(&group.id));
            return refuse(409, "ResourceGroupBeingDeleted", message);
        }
    } else if path.provider.is_some() {
        return Err(no_group(path.group.as_deref().unwrap_or_default()).into());
    }
    let parent = match path.parent_id() {
        Some(parent) => Some(change.alive(&parent)?.ok_or_else(|| no_parent(&parent))?),
        None => None,
    };
    let before = change.alive(&id)?;
    // An existing resource keeps the spelling of its id with which it was created.
    let id = before.as_ref().map_or(id, |before| before.id.clone());
    let tag = body.pointer("/tags").and_then(|tags| tags.get(TENANT_TAG)).and_then(Value::as_str);
    let tenant = match tag {
        Some(tag) => Some(tag.to_owned()),
        None => change.tenant_at(id.rsplit_once('/').map_or("", |(above, _)| above))?,
    };
    Ok(Draft { profile, call, path, id, body, before, parent, tenant })
}

fn check_shape(body: &mut Value) -> Outcome<()> {
    for member in ["properties", "tags", "identity", "sku"] {
        if body.get(member).is_some_and(Value::is_null)
            && let Some(body) = body.as_object_mut()
        {
            body.remove(member);
        }
        if body.get(member).is_some_and(|value| !value.is_object()) {
            return refuse(
                400,
                "InvalidRequestContent",
                format!("The request content was invalid: '{member}' is not an object."),
            );
        }
    }
    let tags = body.get("tags").and_then(Value::as_object);
    for (name, value) in tags.into_iter().flatten() {
        let fits = !name.is_empty()
            && name.len() <= 512
            && !name.contains(['<', '>', '%', '&', '\\', '?', '/'])
            && value.as_str().is_some_and(|value| value.len() <= 256);
        if !fits {
            return refuse(
                400,
                "InvalidTagNameCharacters",
                format!("The tag '{name}' or its value is not allowed."),
            );
        }
    }
    if tags.is_some_and(|tags| tags.len() > 50) {
        return refuse(400, "InvalidTags", "A resource can have at most 50 tags.");
    }
    Ok(())
}
