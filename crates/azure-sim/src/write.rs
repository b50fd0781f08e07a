//! PUT and DELETE of a resource, as far as all types have them in common.
//!
//! Everything is checked before anything is written, for a refused request's writes would be kept.

use serde_json::{Map, Value, json};

use crate::{
    api_version,
    arm::no_group,
    call::Call,
    operations::{self, Follow},
    path::{Place, last},
    reply::{Outcome, Refusal, Reply, refuse},
    resources::{Answer, Draft, GROUPS, Kind, identity},
    stamp::DIRECTORY_ID,
    store::{Change, Look as _, Object, Work},
};

/// The tag that says whose a resource is.
const TENANT_TAG: &str = "tenantry-tenant";

/// Regions that exist; a misspelt one is refused.
const REGIONS: [&str; 24] = [
    "australiaeast",
    "brazilsouth",
    "canadacentral",
    "centralindia",
    "centralus",
    "eastasia",
    "eastus",
    "eastus2",
    "francecentral",
    "germanywestcentral",
    "italynorth",
    "japaneast",
    "koreacentral",
    "northcentralus",
    "northeurope",
    "norwayeast",
    "polandcentral",
    "southcentralus",
    "southeastasia",
    "swedencentral",
    "switzerlandnorth",
    "uksouth",
    "westeurope",
    "westus3",
];

/// ARM's 404 for the resource that another one would be a part of.
pub(crate) fn no_parent(id: &str) -> Refusal {
    Refusal::new(
        404,
        "ParentResourceNotFound",
        format!("Failed to perform the operation: the parent resource '{id}' could not be found."),
    )
}

/// Makes or changes a resource.
pub(crate) fn put(change: &mut Change<'_>, call: &Call, kind: &'static Kind, place: &Place) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    if kind.answer == Answer::Refused {
        return refuse(405, "MethodNotAllowed", format!("'{}' can only be read here.", kind.name));
    }
    let draft = draft(change, call, kind, place)?;
    check_location(&draft)?;
    check_busy(change, &draft)?;
    check_name(change, &draft)?;
    if kind.identity.is_some() {
        identity::check(change, &draft)?;
    }
    (kind.check)(change, &draft)?;
    let object = compose(change, &draft)?;
    apply(change, &draft, object)
}

fn draft<'a>(
    change: &Change<'_>,
    call: &'a Call,
    kind: &'static Kind,
    place: &'a Place,
) -> Outcome<Draft<'a>> {
    let is_group = kind.name == GROUPS;
    let name = if is_group { place.group.as_deref().unwrap_or_default() } else { place.name() };
    if !(kind.names.0)(name) {
        let code = if is_group { "InvalidResourceGroupName" } else { "InvalidResourceName" };
        let message = format!("The name '{name}' is not valid for '{}': {}.", kind.name, kind.names.1);
        return refuse(400, code, message);
    }
    let mut body = call.json()?;
    check_shape(&mut body)?;
    let id = place.id(if is_group { "" } else { kind.name });
    let group = change.alive(&place.group_id().unwrap_or_default())?;
    if let Some(group) = &group {
        if being_deleted(change, group)? {
            let message = format!("The resource group '{}' is in deprovisioning state.", last(&group.id));
            return refuse(409, "ResourceGroupBeingDeleted", message);
        }
    } else if !is_group {
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
    Ok(Draft { kind, call, place, id, body, before, parent, tenant })
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

/// How ARM compares and shows regions: `West Europe` is `westeurope`.
fn region(text: &str) -> String {
    text.replace(' ', "").to_lowercase()
}

fn check_location(draft: &Draft<'_>) -> Outcome<()> {
    if !draft.kind.located {
        return Ok(());
    }
    let wanted = region(draft.text("/location"));
    if wanted.is_empty() {
        return refuse(400, "LocationRequired", "The location property is required for this definition.");
    }
    if !REGIONS.contains(&wanted.as_str()) {
        let message = format!(
            "The provided location '{wanted}' is not available for resource type '{}'.",
            draft.kind.name
        );
        return refuse(400, "LocationNotAvailableForResourceType", message);
    }
    match draft.text_before("/location").filter(|before| *before != wanted) {
        None => Ok(()),
        Some(before) => {
            let (code, what) = if draft.kind.name == GROUPS {
                ("InvalidResourceGroupLocation", "resource group")
            } else {
                ("InvalidResourceLocation", "resource")
            };
            let message = format!(
                "The {what} '{}' already exists in location '{before}'. A {what} with the same name cannot be created in location '{wanted}'.",
                last(&draft.id)
            );
            refuse(409, code, message)
        }
    }
}

fn check_busy(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    match draft.before.as_ref().filter(|before| before.busy.is_some()) {
        Some(before) => Err(busy(change, before)?.into()),
        None => Ok(()),
    }
}

/// The refusal for a resource on which an operation runs, in its service's own words.
fn busy(change: &Change<'_>, object: &Object) -> Outcome<Refusal> {
    let deleting = being_deleted(change, object)?;
    let what = if deleting { "being deleted" } else { "being changed" };
    let name = last(&object.id);
    let namespace = object.kind.split('/').next().unwrap_or_default();
    Ok(match namespace {
        "Microsoft.Storage" => Refusal::new(
            409,
            "StorageAccountOperationInProgress",
            format!(
                "An operation is currently performing on the storage account '{name}' that requires exclusive access."
            ),
        ),
        "Microsoft.Network" => {
            retryable(change, object, &format!("The resource '{name}' is {what} by another operation."))?
        }
        _ => Refusal::new(
            409,
            "AnotherOperationInProgress",
            format!(
                "The resource '{name}' is {what}: another operation on this or a dependent resource is in progress."
            ),
        ),
    })
}

/// What the network provider answers while an operation runs on `object`; when to come again, if that is worth a wait.
pub(crate) fn retryable(change: &Change<'_>, object: &Object, message: &str) -> Outcome<Refusal> {
    let refusal = Refusal::new(429, "RetryableErrorDueToAnotherOperation", message);
    let running = object.busy.as_deref().map(|id| change.operation(id)).transpose()?.flatten();
    Ok(match running.and_then(|operation| operation.pause(change.now)) {
        Some(seconds) => refusal.with("Retry-After", seconds.to_string()),
        None => refusal,
    })
}

/// Whether the operation that runs on an object removes it.
pub(crate) fn being_deleted(change: &Change<'_>, object: &Object) -> Outcome<bool> {
    let Some(operation) = &object.busy else { return Ok(false) };
    Ok(change.operation(operation)?.is_some_and(|operation| operation.work != Work::Write))
}

fn check_name(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    let location = region(draft.text("/location"));
    let Some(key) = draft.kind.name_key(draft.place.name(), &location) else { return Ok(()) };
    let Some(holder) = change.named(&key)?.filter(|holder| *holder != draft.id.to_lowercase()) else {
        return Ok(());
    };
    let name = draft.place.name();
    let softly = change.object(&holder)?.is_some_and(|holder| holder.deleted.is_some());
    match draft.kind.namespace() {
        // Whoever else there is in the world, here all are of this subscription.
        "Microsoft.Storage" => refuse(
            409,
            "StorageAccountInAnotherResourceGroup",
            format!("The account {name} is already in another resource group in this subscription."),
        ),
        "Microsoft.MachineLearningServices" => refuse(
            400,
            "UserError",
            format!(
                "The specified endpoint name '{name}' is not available. Endpoint names must be unique within the region. Please choose a different name and try again."
            ),
        ),
        "Microsoft.KeyVault" => Err(super::resources::vault::taken(name, softly).into()),
        _ => refuse(
            409,
            "Conflict",
            format!("The name '{name}' is already in use in the region {location}; choose another one."),
        ),
    }
}

fn compose(change: &mut Change<'_>, draft: &Draft<'_>) -> Outcome<Object> {
    let kind = draft.kind;
    let mut body = draft.body.clone();
    if !body.get("properties").is_some_and(Value::is_object) {
        body["properties"] = json!({});
    }
    if let Some(members) = body.as_object_mut() {
        complete(change, draft, members);
    }
    if kind.identity.is_some() {
        identity::complete(change, draft, &mut body)?;
    }
    (kind.fill)(change, draft, &mut body)?;
    if let Some([creating, updating, _]) = kind.states {
        let done = matches!(kind.answer, Answer::Done(_))
            || (draft.before.is_some() && kind.answer == Answer::Location { updates: false });
        let state = if draft.before.is_some() { updating } else { creating };
        operations::set_state(&mut body, if done { "Succeeded" } else { state });
    }
    Ok(Object {
        id: draft.id.clone(),
        kind: kind.name.to_owned(),
        body,
        tenant: draft.tenant.clone(),
        seeded: draft.before.as_ref().is_some_and(|before| before.seeded),
        visible: change.now,
        busy: None,
        deleted: None,
    })
}

fn complete(change: &Change<'_>, draft: &Draft<'_>, members: &mut Map<String, Value>) {
    members.insert("id".to_owned(), json!(draft.id));
    members.insert("name".to_owned(), json!(last(&draft.id)));
    members.insert("type".to_owned(), json!(draft.kind.name));
    members.remove("systemData");
    members.remove("etag");
    if draft.kind.located {
        members.insert("location".to_owned(), json!(region(draft.text("/location"))));
    }
    if draft.kind.system_data {
        let now = change.now.to_string();
        let created = draft.text_before("/systemData/createdAt").filter(|at| !at.is_empty());
        members.insert(
            "systemData".to_owned(),
            json!({
                "createdBy": DIRECTORY_ID, "createdByType": "Application",
                "createdAt": created.unwrap_or(&now),
                "lastModifiedBy": DIRECTORY_ID, "lastModifiedByType": "Application", "lastModifiedAt": now,
            }),
        );
    }
}

fn apply(change: &mut Change<'_>, draft: &Draft<'_>, mut object: Object) -> Outcome {
    let (kind, new) = (draft.kind, draft.before.is_none());
    if let Some(key) = kind.name_key(draft.place.name(), object.text("/location")) {
        change.take_name(&key, &object.id)?;
    }
    let tenant = object.tenant.clone();
    let at_once = match kind.answer {
        Answer::Done(_) => true,
        Answer::Location { updates } => !(new || updates),
        Answer::Status | Answer::Resource(_) | Answer::Refused => false,
    };
    // What is done at once has no operation that could fail; the resource itself says so.
    if at_once && kind.states.is_some() && change.failure.take().is_some() {
        operations::set_state(&mut object.body, "Failed");
    }
    let shown = object.body.clone();
    let seconds = if new { kind.seconds.0 } else { kind.seconds.1 };
    let (reply, follow) = match kind.answer {
        Answer::Done(status) => (Reply::json(if new { status } else { 200 }, shown), None),
        Answer::Location { updates } if new || updates => (Reply::empty(202), Some(Follow::Location)),
        Answer::Location { .. } | Answer::Refused => (Reply::json(200, shown), None),
        Answer::Status => (Reply::json(if new { 201 } else { 200 }, shown), Some(Follow::Status)),
        Answer::Resource(status) => {
            (Reply::json(if new { status } else { 200 }, shown), Some(Follow::Resource))
        }
    };
    let Some(follow) = follow else {
        (kind.written)(change, &mut object)?;
        change.put(&object)?;
        return Ok(reply.of(tenant));
    };
    (kind.starting)(change, &object)?;
    let operation = operations::start(change, &mut object, Work::Write, seconds)?;
    let reply = operations::announce(reply, draft.call, &operation, follow, change.now);
    Ok(with_timeout(reply, kind).of(tenant))
}

fn with_timeout(reply: Reply, kind: &Kind) -> Reply {
    if kind.name.contains("/onlineEndpoints") {
        reply.with("x-ms-async-operation-timeout", "PT1H")
    } else {
        reply
    }
}

/// Removes a resource.
pub(crate) fn delete(change: &mut Change<'_>, call: &Call, kind: &'static Kind, place: &Place) -> Outcome {
    api_version::check(call, kind.name, kind.version)?;
    if kind.answer == Answer::Refused {
        return refuse(405, "MethodNotAllowed", format!("'{}' can only be read here.", kind.name));
    }
    let is_group = kind.name == GROUPS;
    let id = place.id(if is_group { "" } else { kind.name });
    let group = change.alive(&place.group_id().unwrap_or_default())?;
    if group.is_none() {
        return Err(no_group(place.group.as_deref().unwrap_or_default()).into());
    }
    let purge = call.query.get("forcetopurge").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let found = change.object(&id)?.filter(|object| object.deleted.is_none() || purge);
    let Some(mut object) = found else { return Ok(Reply::empty(204).of(change.tenant_at(&id)?)) };
    let tenant = change.tenant_at(&id)?;
    if object.busy.is_some() {
        if !being_deleted(change, &object)? {
            return Err(busy(change, &object)?.into());
        }
        // A repeated DELETE joins the running one.
        let running = object.busy.as_deref().map(|id| change.operation(id)).transpose()?.flatten();
        if let Some(operation) = running {
            let reply =
                operations::announce(Reply::empty(202), call, &operation, Follow::Location, change.now);
            return Ok(reply.of(tenant));
        }
    }
    (kind.check_delete)(change, &object)?;
    if !kind.slow_delete {
        super::resources::remove(change, object, purge)?;
        return Ok(Reply::empty(200).of(tenant));
    }
    if let Some([_, _, deleting]) = kind.states {
        operations::set_state(&mut object.body, deleting);
    }
    (kind.starting)(change, &object)?;
    let work = if purge { Work::Purge } else { Work::Delete };
    let operation = operations::start(change, &mut object, work, kind.seconds.2)?;
    let reply = operations::announce(Reply::empty(202), call, &operation, Follow::Location, change.now);
    Ok(with_timeout(reply, kind).of(tenant))
}
