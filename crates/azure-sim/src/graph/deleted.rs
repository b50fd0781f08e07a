//! Deleted applications and service principals. For 30 days they can be restored, and an application keeps its
//! `uniqueName`; then they are purged.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    call::Call,
    error::CloudError,
    graph::{
        body::{missing, selected, visible_from, with_context},
        find::{Key, app_id_key, application_id, owner_key, principal, principal_id, unique_key},
        kinds::{APPLICATION, PRINCIPAL},
    },
    reply::{Outcome, Reply, refuse},
    store::{Change, Object, Snapshot, StoreQuery},
};

const DAYS: i64 = 30;

/// When a deleted object will be purged; `None` if it is not deleted.
pub(crate) fn expiry(object: &Object) -> Option<Timestamp> {
    object.deleted?.checked_add(SignedDuration::from_hours(DAYS * 24)).ok()
}

/// The deleted application or service principal with an object id.
pub(crate) fn find(view: &impl StoreQuery, id: &str) -> Result<Option<Object>, CloudError> {
    for id in [application_id(id), principal_id(id)] {
        if let Some(object) = view.object(&id)?.filter(|object| object.deleted.is_some()) {
            return Ok(Some(object));
        }
    }
    Ok(None)
}

/// Adds the annotation `@odata.type` to the body of a deleted object, because `deletedItems` has objects of several
/// types.
pub(crate) fn typed(mut object: Object) -> Object {
    let name = if object.kind == PRINCIPAL { "servicePrincipal" } else { "application" };
    object.body["@odata.type"] = json!(format!("#microsoft.graph.{name}"));
    object
}

/// A parsed `$filter` of a list of deleted objects. Only two of the properties that Graph documents are supported:
/// `appId` and `tags`.
enum Filter {
    All,
    AppId(String),
    Tag(String),
}

impl Filter {
    fn parse(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::All) };
        let quoted = |text: &str| Some(text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"));
        if let Some(value) = text.strip_prefix("appId eq ") {
            return quoted(value).map(Self::AppId);
        }
        let value = text.strip_prefix("tags/any(t:t eq ")?.strip_suffix(')')?;
        quoted(value).map(Self::Tag)
    }

    /// The index key of the deleted objects of this kind that the filter selects.
    fn key(&self, kind: &str) -> String {
        match self {
            Self::All => format!("deleted {kind}"),
            Self::AppId(id) => format!("deleted {kind} of {}", id.to_lowercase()),
            Self::Tag(tag) => format!("deleted {kind} with {tag}"),
        }
    }
}

/// The index keys of a deleted object: one for each filter that selects it.
fn keys(object: &Object) -> Vec<String> {
    let tags = object.body.get("tags").and_then(Value::as_array).into_iter().flatten();
    let tags = tags.filter_map(|tag| Some(Filter::Tag(tag.as_str()?.to_owned())));
    let filters = [Filter::All, Filter::AppId(object.text("/appId").to_owned())].into_iter().chain(tags);
    filters.map(|filter| filter.key(&object.kind)).collect()
}

/// Lists the deleted applications or service principals.
pub(crate) fn list(view: &Snapshot, call: &Call, kind: &str) -> Outcome {
    let Some(filter) = Filter::parse(call.query.get("$filter").map(String::as_str)) else {
        return refuse(
            400,
            "Request_UnsupportedQuery",
            "Unsupported or invalid query filter clause specified.",
        );
    };
    let objects = view.indexed(&filter.key(kind))?.into_iter();
    let value: Vec<Value> = objects.map(|object| selected(call, object.body)).collect();
    let context = "https://graph.microsoft.com/v1.0/$metadata#directoryObjects";
    Ok(Reply::json(200, json!({ "@odata.context": context, "value": value })))
}

/// Soft-deletes an application or service principal, and schedules its purge in 30 days.
pub(crate) fn soft_delete(change: &mut Change<'_>, mut object: Object) -> Result<(), CloudError> {
    object.deleted = Some(change.now);
    object.body["deletedDateTime"] = json!(change.now.to_string());
    if let Some(at) = expiry(&object) {
        change.expire_at(&object.id, at)?;
    }
    for key in keys(&object) {
        change.index(&key, &object.id)?;
    }
    change.put(&object)
}

/// Removes the index entries of a deleted object, so that no list of deleted objects shows it.
fn unlist(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    keys(object).iter().try_for_each(|key| change.unindex(key, &object.id))
}

/// Answers a DELETE of the deleted object with this id: purges it.
pub(crate) fn purge(change: &mut Change<'_>, id: &str) -> Outcome {
    let Some(object) = find(change, id)? else { return Err(missing(id).into()) };
    delete(change, &object)?;
    Ok(Reply::empty(204).of(object.tenant))
}

/// Deletes an application or service principal permanently, with its credentials, and releases its unique names.
pub(crate) fn delete(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    let app_id = object.text("/appId");
    let keys = if object.kind == APPLICATION {
        for part in change.under(&format!("{}/", object.key()))? {
            change.forget(&part.id)?;
        }
        vec![unique_key(object.text("/uniqueName")), app_id_key(app_id)]
    } else {
        vec![owner_key(app_id)]
    };
    for key in keys {
        // A newer object may have reserved the name by now.
        if change.named(&key)?.is_some_and(|holder| holder == object.key()) {
            change.free_name(&key)?;
        }
    }
    unlist(change, object)?;
    change.forget(&object.id)
}

/// Answers a request to restore a deleted object. The object keeps its ids, and replicas show it after a delay. The
/// service principal of an application has to be restored separately.
pub(crate) fn restore(change: &mut Change<'_>, id: &str) -> Outcome {
    let Some(mut object) = find(change, id)? else { return Err(missing(id).into()) };
    if object.kind == PRINCIPAL {
        let app_id = object.text("/appId").to_owned();
        if principal(change, &Key::AppId(app_id.clone()))?.is_some() {
            let message = "The application has another service principal by now.";
            return refuse(409, "Request_MultipleObjectsWithSameKeyValue", message);
        }
        change.take_name(&owner_key(&app_id), &object.id)?;
    }
    unlist(change, &object)?;
    object.deleted = None;
    object.visible = visible_from(change);
    if let Some(body) = object.body.as_object_mut() {
        body.remove("deletedDateTime");
    }
    change.put(&object)?;
    let object = typed(object);
    Ok(Reply::json(200, with_context(object.body, &object.kind)).of(object.tenant))
}
