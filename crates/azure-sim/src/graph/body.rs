//! Bodies of requests to Graph and of its answers, and Graph's usual refusals.

use serde_json::{Value, json};

use crate::{
    call::Call,
    graph::kinds::{CREDENTIAL, PRINCIPAL},
    reply::{Outcome, Refusal, Reply, refuse},
    store::{Change, Object},
};

/// The start of the tag that says which tenant an object belongs to; the tenant's id follows.
const TENANT_TAG: &str = "tenantry-tenant:";

/// Graph's 404 for an object that does not exist.
pub(crate) fn missing(key: &str) -> Refusal {
    Refusal::new(
        404,
        "Request_ResourceNotFound",
        format!(
            "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
        ),
    )
}

/// Refuses a request with Graph's usual 400.
pub(crate) fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "Request_BadRequest", message)
}

/// Reduces a body to the members that the query parameter `$select` names. Without `$select` all members stay.
pub(super) fn selected(call: &Call, mut body: Value) -> Value {
    if let (Some(selected), Some(members)) = (call.query.get("$select"), body.as_object_mut()) {
        members.retain(|name, _| selected.split(',').any(|one| one.trim() == name));
    }
    body
}

/// Adds the annotation `@odata.context`, which says of which type the object in the body is.
pub(crate) fn with_context(mut body: Value, kind: &str) -> Value {
    let set = match kind {
        PRINCIPAL => "servicePrincipals",
        CREDENTIAL => "applications('federatedIdentityCredentials')",
        _ => "applications",
    };
    body["@odata.context"] = json!(format!("https://graph.microsoft.com/v1.0/$metadata#{set}/$entity"));
    body
}

/// The tenant that an object belongs to, from the tags in its body.
pub(super) fn tenant_of(body: &Value) -> Option<String> {
    let tags = body.get("tags")?.as_array()?.iter().filter_map(Value::as_str);
    tags.filter_map(|tag| tag.strip_prefix(TENANT_TAG)).next().map(str::to_owned)
}

/// Applies a PATCH to a body: replaces members, and merges objects one level deep.
pub(super) fn merge(body: &mut Value, patch: &Value) {
    for (name, value) in patch.as_object().into_iter().flatten() {
        match (body.get_mut(name).and_then(Value::as_object_mut), value.as_object()) {
            (Some(inner), Some(value)) => {
                for (name, value) in value {
                    inner.insert(name.clone(), value.clone());
                }
            }
            _ => body[name.as_str()] = value.clone(),
        }
    }
}

/// Applies a PATCH to an existing object, saves it, and returns Graph's answer.
pub(super) fn update(change: &mut Change<'_>, mut object: Object, patch: &Value) -> Outcome {
    merge(&mut object.body, patch);
    object.tenant = tenant_of(&object.body).or(object.tenant);
    change.put(&object)?;
    Ok(Reply::empty(204).of(object.tenant))
}

/// Refuses a PATCH that contains one of these members, which only the directory sets.
pub(super) fn check_read_only(patch: &Value, names: &[&str]) -> Outcome<()> {
    match names.iter().find(|name| patch.get(**name).is_some()) {
        Some(name) => bad(format!("Property '{name}' is read-only and cannot be set.")),
        None => Ok(()),
    }
}

/// Parses the body of a request to Graph, which must be a JSON object.
pub(super) fn body_of(call: &Call) -> Outcome<Value> {
    match serde_json::from_slice::<Value>(&call.body) {
        Ok(body) if body.is_object() => Ok(body),
        Ok(_) | Err(_) => refuse(
            400,
            "BadRequest",
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
        ),
    }
}

/// Whether a PATCH may create the object: the request has `Prefer: create-if-missing`.
pub(super) fn creates(call: &Call) -> bool {
    call.header("prefer").split(',').any(|one| one.trim().eq_ignore_ascii_case("create-if-missing"))
}

/// When replicas start to show an object that is created now.
pub(super) fn visible_from(change: &Change<'_>) -> jiff::Timestamp {
    change.now.checked_add(change.speed.replication()).unwrap_or(change.now)
}
