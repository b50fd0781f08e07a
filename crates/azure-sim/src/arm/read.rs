//! GET and HEAD of a resource, and lists of resources.

use crate::{
    api_version,
    arm::missing::{no_group, no_parent, not_found},
    call::Call,
    path::{ResourcePath, last},
    reply::{Outcome, Refusal, Reply},
    resources::{profile::Profile, registry, resource_group},
    store::{Object, Snapshot, StoreQuery},
};
use serde_json::{Value, json};

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
    if let Some(id) = path.group_id()
        && view.alive(&id)?.is_none()
    {
        return Err(no_group(path.group.as_deref().unwrap_or_default()).into());
    }
    let parent = path.parent_of_collection();
    if let Some(parent) = &parent
        && view.alive(parent)?.is_none()
    {
        return Err(no_parent(parent).into());
    }
    let subscription = format!("/subscriptions/{}", path.subscription);
    let (scope, objects) = match (&path.provider, parent, path.group_id()) {
        (None, ..) => {
            let groups = format!("{subscription}/resourceGroups/");
            (subscription, view.members(&groups)?)
        }
        (Some(_), Some(parent), _) => {
            let members = view.members(&format!("{parent}/{}/", last(kind.name)))?;
            (parent, members)
        }
        (Some(_), None, Some(group)) => {
            let members = view.members(&format!("{group}/providers/{}/", kind.name))?;
            (group, members)
        }
        (Some(_), None, None) => {
            let collection = format!("/providers/{}/", kind.name.to_lowercase());
            let prefix = format!("{}/", subscription.to_lowercase());
            let all = view.under_if(&prefix, |key| key.contains(&collection))?;
            (subscription, all)
        }
    };
    let of_kind = |object: &Object| object.kind.eq_ignore_ascii_case(kind.name);
    page(view, &scope, objects, of_kind)
}

/// Lists the resources in a resource group, without child resources.
pub(super) fn contents(view: &Snapshot, call: &Call, path: &ResourcePath) -> Outcome {
    api_version::check(call, "resources", resource_group::VERSION)?;
    let id = path.group_id().unwrap_or_default();
    if view.alive(&id)?.is_none() {
        return Err(no_group(path.group.as_deref().unwrap_or_default()).into());
    }
    // A role assignment at the scope of the group is not one of its resources.
    let is_resource = |object: &Object| registry::find(&object.kind).is_some();
    page(view, &id, view.top_level(&id)?, is_resource)
}

/// Answers a list with the objects that are not soft-deleted and pass a filter, all on one page.
fn page(view: &Snapshot, scope: &str, objects: Vec<Object>, filter: impl Fn(&Object) -> bool) -> Outcome {
    let shown = objects.into_iter().filter(|object| object.deleted.is_none() && filter(object));
    let value: Vec<Value> = shown.map(|object| object.body).collect();
    Ok(Reply::json(200, json!({ "value": value })).of(view.tenant_at(scope)?))
}
