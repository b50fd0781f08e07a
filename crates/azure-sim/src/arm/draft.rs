//! A PUT, read, with what all types have in common checked: names, shapes and tags.

use serde_json::Value;

use crate::{
    arm::{
        busy::is_being_deleted,
        missing::{no_group, no_parent},
    },
    call::Call,
    path::{Place, last},
    reply::{Outcome, refuse},
    resources::{draft::Draft, profile::Profile},
    store::{Change, Look as _},
};

/// The tag that says whose a resource is.
const TENANT_TAG: &str = "tenantry-tenant";

/// Reads a PUT, and refuses what no type takes.
pub(super) fn draft<'a>(
    change: &Change<'_>,
    call: &'a Call,
    profile: &'static Profile,
    place: &'a Place,
) -> Outcome<Draft<'a>> {
    let name = place.name();
    if !(profile.names.allows)(name) {
        let message =
            format!("The name '{name}' is not valid for '{}': {}.", profile.name, profile.names.words);
        return refuse(400, profile.wording.invalid_name, message);
    }
    let mut body = call.json()?;
    check_shape(&mut body)?;
    let id = place.id(profile.name);
    let group = change.alive(&place.group_id().unwrap_or_default())?;
    if let Some(group) = &group {
        if is_being_deleted(change, group)? {
            let message = format!("The resource group '{}' is in deprovisioning state.", last(&group.id));
            return refuse(409, "ResourceGroupBeingDeleted", message);
        }
    } else if place.provider.is_some() {
        return Err(no_group(place.group.as_deref().unwrap_or_default()).into());
    }
    let parent = match place.parent_id() {
        Some(parent) => Some(change.alive(&parent)?.ok_or_else(|| no_parent(&parent))?),
        None => None,
    };
    let before = change.alive(&id)?;
    // What is there keeps the spelling of its maker.
    let id = before.as_ref().map_or(id, |before| before.id.clone());
    let tag = body.pointer("/tags").and_then(|tags| tags.get(TENANT_TAG)).and_then(Value::as_str);
    let tenant = match tag {
        Some(tag) => Some(tag.to_owned()),
        None => change.tenant_at(id.rsplit_once('/').map_or("", |(above, _)| above))?,
    };
    Ok(Draft { profile, call, place, id, body, before, parent, tenant })
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
