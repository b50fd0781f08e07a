//! Long-running operations: durable records, both ways of polling, and what happens when one ends.
//!
//! Source: Azure docs, async-operations. `Azure-AsyncOperation` answers 200 with a status; `Location` answers 202 while
//! running and 200 or 204 afterwards. Nothing runs in the background: whatever has fallen due is carried out before
//! the next request looks, in order of its instants.

use crate::{
    call::Call,
    error::CloudError,
    graph::{deleted, kinds::PREFIX},
    path,
    reply::{Outcome, Refusal, Reply, refuse},
    resources::{self, Ending},
    stamp::REGION,
    store::{Change, Due, Look, Object, Operation, Snapshot, Work},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How a caller follows an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follow {
    /// By the `Azure-AsyncOperation` header.
    Status,
    /// By the `Location` header.
    Location,
    /// By reading the resource.
    Resource,
}

/// Starts an operation on an object that is then busy; with nothing to wait for it ends at once.
pub(crate) fn start(
    change: &mut Change<'_>,
    object: &mut Object,
    work: Work,
    seconds: u32,
) -> Result<Operation, CloudError> {
    let id = change.identity(&object.id)?;
    let ends = change.now.checked_add(change.speed.scale(seconds)).unwrap_or(change.now);
    let operation = Operation {
        id: id.clone(),
        target: object.id.clone(),
        work,
        started: change.now,
        ends,
        failure: change.failure.take(),
        done: false,
        tenant: object.tenant.clone(),
        caller: change.caller.clone(),
    };
    object.busy = Some(id.clone());
    change.put(object)?;
    change.put_operation(&operation)?;
    if ends <= change.now {
        return end(change, operation);
    }
    change.schedule(ends, &Due::Operation(id))?;
    Ok(operation)
}

/// Carries out all that has fallen due, each thing at its own instant, however late anybody asks.
pub(crate) fn settle(change: &mut Change<'_>) -> Result<(), CloudError> {
    let now = change.now;
    while let Some((at, what)) = change.next_due(now)? {
        change.now = at;
        match what {
            Some(Due::Operation(id)) => {
                if let Some(operation) = change.operation(&id)?.filter(|operation| !operation.done) {
                    end(change, operation)?;
                }
            }
            Some(Due::Expiry(id)) => expire(change, &id)?,
            None => {}
        }
    }
    change.now = now;
    Ok(())
}

fn expire(change: &mut Change<'_>, id: &str) -> Result<(), CloudError> {
    let Some(object) = change.object(id)? else { return Ok(()) };
    let is_graph = object.kind.starts_with(PREFIX);
    let at = if is_graph { deleted::expiry(&object) } else { resources::expiry(&object) };
    match at {
        Some(at) if at <= change.now && is_graph => deleted::erase(change, &object),
        Some(at) if at <= change.now => resources::erase(change, &object),
        Some(_) | None => Ok(()),
    }
}

fn end(change: &mut Change<'_>, mut operation: Operation) -> Result<Operation, CloudError> {
    operation.done = true;
    change.put_operation(&operation)?;
    let ours = |object: &Object| object.busy.as_deref() == Some(operation.id.as_str());
    let Some(mut object) = change.object(&operation.target)?.filter(ours) else {
        return Ok(operation);
    };
    object.busy = None;
    match (operation.work, operation.failure.is_some()) {
        (Work::Write, false) => resources::end(change, object, Ending::Written)?,
        (Work::Delete, false) => resources::end(change, object, Ending::Deleted)?,
        (Work::Purge, false) => resources::end(change, object, Ending::Purged)?,
        (Work::Write | Work::Delete | Work::Purge, true) => {
            let state = operation.failure.as_ref().map_or("Failed", |failure| &failure.state);
            set_state(&mut object.body, state);
            change.put(&object)?;
        }
    }
    Ok(operation)
}

/// Sets `properties.provisioningState`.
pub(crate) fn set_state(body: &mut Value, state: &str) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("provisioningState".to_owned(), json!(state));
    }
}

/// Adds the headers by which the caller follows an operation.
pub(crate) fn announce(
    reply: Reply,
    call: &Call,
    operation: &Operation,
    follow: Follow,
    now: Timestamp,
) -> Reply {
    let header = match follow {
        Follow::Status => "Azure-AsyncOperation",
        Follow::Location => "Location",
        Follow::Resource => return reply,
    };
    let word = word(operation, follow);
    let url = format!("{}{}", call.base, poll_path(operation, word, call));
    with_pause(reply.with(header, url), operation, now)
}

fn with_pause(reply: Reply, operation: &Operation, now: Timestamp) -> Reply {
    match operation.pause(now) {
        Some(seconds) => reply.with("Retry-After", seconds.to_string()),
        None => reply,
    }
}

/// The type below which an operation is asked about, as each provider has it (Microsoft's list "Azure permissions").
fn word(operation: &Operation, follow: Follow) -> &'static str {
    let kind = path::Place::of(&operation.target).map(|place| place.kind()).unwrap_or_default();
    let provider = kind.split('/').next().unwrap_or_default();
    match (provider, follow) {
        ("Microsoft.Network", Follow::Status) => "operations",
        ("Microsoft.MachineLearningServices", _) if kind.matches('/').count() == 1 => {
            "workspaceOperationsStatus"
        }
        ("Microsoft.MachineLearningServices", Follow::Status) => "mfeOperationsStatus",
        ("Microsoft.MachineLearningServices", _) => "mfeOperationResults",
        ("Microsoft.Storage", _) => "asyncoperations",
        ("", _) => "operationresults",
        (_, Follow::Status) => "operationStatuses",
        (_, Follow::Location | Follow::Resource) => "operationResults",
    }
}

/// How a poll of a type is answered, by its name in lower case: with a status, or as the operation itself would be;
/// `None` for what is no type of operations.
pub(crate) fn is_status(word: &str) -> Option<bool> {
    match word {
        "operations" | "mfeoperationsstatus" | "operationstatuses" => Some(true),
        "operationresults" | "mfeoperationresults" | "workspaceoperationsstatus" | "asyncoperations" => {
            Some(false)
        }
        _ => None,
    }
}

fn poll_path(operation: &Operation, word: &str, call: &Call) -> String {
    let version = call.query.get("api-version").map_or("", String::as_str);
    let place = path::Place::of(&operation.target);
    let subscription = place.as_ref().map_or("", |place| place.subscription.as_str());
    match place.as_ref().and_then(|place| place.provider.as_deref()) {
        None => format!("/subscriptions/{subscription}/{word}/{}?api-version={version}", operation.id),
        Some(provider) => format!(
            "/subscriptions/{subscription}/providers/{provider}/locations/{}/{word}/{}?api-version={version}",
            REGION, operation.id
        ),
    }
}

/// Answers a poll: `by_status` for `Azure-AsyncOperation`, otherwise `Location`.
pub(crate) fn poll(look: &Snapshot, call: &Call, id: &str, by_status: bool) -> Outcome {
    let Some(operation) = look.operation(&id.to_lowercase())? else {
        return refuse(404, "OperationNotFound", format!("The operation '{id}' could not be found."));
    };
    let tenant = operation.tenant.clone();
    let reply = match (by_status, operation.done) {
        (true, _) => Reply::json(200, status_body(&operation, call)),
        (false, false) => {
            let here = format!("{}{}", call.base, call.target());
            Reply::empty(202).with("Location", here)
        }
        (false, true) => result(look, &operation)?,
    };
    let reply = if operation.done { reply } else { with_pause(reply, &operation, look.now) };
    Ok(reply.of(tenant))
}

fn status_body(operation: &Operation, call: &Call) -> Value {
    let status = match (operation.done, &operation.failure) {
        (false, _) => "InProgress",
        (true, None) => "Succeeded",
        (true, Some(failure)) => failure.state.as_str(),
    };
    let mut body = json!({
        "id": call.path, "name": operation.id, "status": status, "startTime": operation.started.to_string(),
    });
    if operation.done {
        body["endTime"] = json!(operation.ends.to_string());
    }
    if let (true, Some(failure)) = (operation.done, &operation.failure) {
        body["error"] = json!({ "code": failure.code, "message": failure.message });
    }
    body
}

fn result(look: &Snapshot, operation: &Operation) -> Outcome {
    if let Some(failure) = &operation.failure {
        let status = if failure.code == "InternalServerError" { 500 } else { 400 };
        return Err(Refusal::new(status, &failure.code, failure.message.clone()).into());
    }
    match operation.work {
        Work::Delete | Work::Purge => Ok(Reply::empty(200)),
        Work::Write => {
            let object = look.alive(&operation.target)?;
            Ok(object.map_or_else(|| Reply::empty(204), |object| Reply::json(200, object.body)))
        }
    }
}
