//! GET of a resource, and lists.

use crate::{
    api_version,
    arm::missing::{no_group, no_parent, not_found},
    call::Call,
    path::Place,
    reply::{Outcome, Refusal, Reply},
    resources::{profile::Profile, registry, resource_group},
    store::{Look, Object, Snapshot},
};

/// Shows a resource.
pub(super) fn show(look: &Snapshot, call: &Call, kind: &'static Profile, place: &Place) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    let id = place.id(kind.name);
    let tenant = look.tenant_at(&id)?;
    match look.alive(&id)? {
        Some(object) if call.method == "HEAD" => Ok(Reply::empty(204).of(object.tenant)),
        Some(object) => Ok(Reply::json(200, object.body).of(tenant)),
        None if call.method == "HEAD" => Ok(Reply::empty(404).of(tenant)),
        None => Ok(absent(look, kind, place)?.arm().of(tenant)),
    }
}

/// The 404 that fits: no group, no parent, or no such resource.
fn absent(look: &impl Look, kind: &'static Profile, place: &Place) -> Outcome<Refusal> {
    let group = place.group.clone().unwrap_or_default();
    let known = match place.group_id() {
        Some(id) => look.alive(&id)?.is_some(),
        None => true,
    };
    if place.provider.is_none() || !known {
        return Ok(no_group(&group));
    }
    if let Some(parent) = place.parent_id()
        && look.alive(&parent)?.is_none()
    {
        return Ok(no_parent(&parent));
    }
    Ok(not_found(kind.name, place))
}

/// Lists the resources of a type.
pub(super) fn list(look: &Snapshot, call: &Call, kind: &'static Profile, place: &Place) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    let prefix = match (&place.provider, place.parent_of_collection()) {
        (Some(_), Some(parent)) => parent,
        (Some(_), None) => {
            place.group_id().unwrap_or_else(|| format!("/subscriptions/{}", place.subscription))
        }
        (None, _) => format!("/subscriptions/{}/resourceGroups", place.subscription),
    };
    if let Some(id) = place.group_id()
        && look.alive(&id)?.is_none()
    {
        return Err(no_group(place.group.as_deref().unwrap_or_default()).into());
    }
    if place.parent_of_collection().is_some() && look.alive(&prefix)?.is_none() {
        return Err(no_parent(&prefix).into());
    }
    let of_kind = |object: &Object| object.kind.eq_ignore_ascii_case(kind.name) && object.deleted.is_none();
    page(look, &prefix, of_kind)
}

/// Lists what lies in a resource group.
pub(super) fn contents(look: &Snapshot, call: &Call, place: &Place) -> Outcome {
    api_version::check(call, "resources", resource_group::VERSION)?;
    let id = place.group_id().unwrap_or_default();
    if look.alive(&id)?.is_none() {
        return Err(no_group(place.group.as_deref().unwrap_or_default()).into());
    }
    let top_level = |object: &Object| {
        object.deleted.is_none()
            && registry::find(&object.kind).is_some_and(|kind| kind.profile().name.matches('/').count() == 1)
    };
    page(look, &id, top_level)
}

fn page(look: &Snapshot, under: &str, wanted: impl Fn(&Object) -> bool) -> Outcome {
    let mut value = Vec::new();
    for object in look.under(&format!("{}/", under.to_lowercase()))? {
        if wanted(&object) {
            value.push(object.body);
        }
    }
    Ok(Reply::json(200, serde_json::json!({ "value": value })).of(look.tenant_at(under)?))
}
