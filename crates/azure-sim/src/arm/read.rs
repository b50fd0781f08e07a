//! GET and HEAD of a resource, and lists of resources.

use crate::{
    api_version,
    arm::missing::{no_group, no_parent, not_found},
    call::Call,
    path::ResourcePath,
    reply::{Outcome, Refusal, Reply},
    resources::{profile::Profile, registry, resource_group},
    store::{Object, Snapshot, StoreQuery},
};

/// Answers a GET or HEAD of a resource or resource group.
pub(super) fn show(view: &Snapshot, call: &Call, kind: &'static Profile, path: &ResourcePath) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    let id = path.id(kind.name);
    let tenant = view.tenant_at(&id)?;
    match view.alive(&id)? {
        Some(object) if call.method == "HEAD" => Ok(Reply::empty(204).of(object.tenant)),
        Some(object) => Ok(Reply::json(200, object.body).of(tenant)),
        None if call.method == "HEAD" => Ok(Reply::empty(404).of(tenant)),
        None => Ok(absent(view, kind, path)?.arm().of(tenant)),
    }
}

/// The 404 for a missing resource: it says whether the resource group, the parent or the resource itself does not
/// exist.
fn absent(view: &impl StoreQuery, kind: &'static Profile, path: &ResourcePath) -> Outcome<Refusal> {
    let group = path.group.clone().unwrap_or_default();
    let known = match path.group_id() {
        Some(id) => view.alive(&id)?.is_some(),
        None => true,
    };
    if path.provider.is_none() || !known {
        return Ok(no_group(&group));
    }
    if let Some(parent) = path.parent_id()
        && view.alive(&parent)?.is_none()
    {
        return Ok(no_parent(&parent));
    }
    Ok(not_found(kind.name, path))
}

/// Lists the resources of a type in the subscription, in a resource group, or below a parent resource.
pub(super) fn list(view: &Snapshot, call: &Call, kind: &'static Profile, path: &ResourcePath) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    let prefix = match (&path.provider, path.parent_of_collection()) {
        (Some(_), Some(parent)) => parent,
        (Some(_), None) => path.group_id().unwrap_or_else(|| format!("/subscriptions/{}", path.subscription)),
        (None, _) => format!("/subscriptions/{}/resourceGroups", path.subscription),
    };
    if let Some(id) = path.group_id()
        && view.alive(&id)?.is_none()
    {
        return Err(no_group(path.group.as_deref().unwrap_or_default()).into());
    }
    if path.parent_of_collection().is_some() && view.alive(&prefix)?.is_none() {
        return Err(no_parent(&prefix).into());
    }
    let of_kind = |object: &Object| object.kind.eq_ignore_ascii_case(kind.name) && object.deleted.is_none();
    page(view, &prefix, of_kind)
}

/// Lists the resources in a resource group, without child resources.
pub(super) fn contents(view: &Snapshot, call: &Call, path: &ResourcePath) -> Outcome {
    api_version::check(call, "resources", resource_group::VERSION)?;
    let id = path.group_id().unwrap_or_default();
    if view.alive(&id)?.is_none() {
        return Err(no_group(path.group.as_deref().unwrap_or_default()).into());
    }
    let top_level = |object: &Object| {
        object.deleted.is_none()
            && registry::find(&object.kind).is_some_and(|kind| kind.profile().name.matches('/').count() == 1)
    };
    page(view, &id, top_level)
}

fn page(view: &Snapshot, under: &str, filter: impl Fn(&Object) -> bool) -> Outcome {
    let mut value = Vec::new();
    for object in view.under(&format!("{}/", under.to_lowercase()))? {
        if filter(&object) {
            value.push(object.body);
        }
    }
    Ok(Reply::json(200, serde_json::json!({ "value": value })).of(view.tenant_at(under)?))
}
