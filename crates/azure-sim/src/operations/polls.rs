//! Polls of long-running operations: the headers with the poll URL, and the answers to polls.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::Call,
    path::ResourcePath,
    reply::{Outcome, Refusal, Reply, refuse},
    resources::{
        profile::{Follow, PollTypes, Profile},
        registry,
    },
    stamp::REGION,
    store::{Operation, Snapshot, StoreQuery as _, Work},
};

/// Adds the header with the poll URL of an operation, and `Retry-After`. Adds neither if the caller polls the resource
/// itself.
pub(crate) fn with_poll_url(
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
    let url = format!("{}{}", call.base, poll_path(operation, follow, call));
    with_pause(reply.with(header, url), operation, now)
}

/// Adds the header with the timeout of an operation, if the resource type has one.
pub(crate) fn with_timeout(reply: Reply, profile: &Profile) -> Reply {
    match profile.operation_timeout {
        Some(timeout) => reply.with("x-ms-async-operation-timeout", timeout),
        None => reply,
    }
}

fn with_pause(reply: Reply, operation: &Operation, now: Timestamp) -> Reply {
    match operation.pause(now) {
        Some(seconds) => reply.with("Retry-After", seconds.to_string()),
        None => reply,
    }
}

/// Which answer a poll gets if its path contains this type of operations, in lower case: `true` for a status (the URL
/// in `Azure-AsyncOperation`), `false` for the result (the URL in `Location`). `None` if it is not a type of
/// operations.
pub(crate) fn is_status(kind: &str) -> Option<bool> {
    let known = |of: fn(PollTypes) -> &'static str| {
        registry::all().any(|resource| of(resource.profile().polls).eq_ignore_ascii_case(kind))
    };
    if known(|polls| polls.location) {
        return Some(false);
    }
    known(|polls| polls.status).then_some(true)
}

fn poll_path(operation: &Operation, follow: Follow, call: &Call) -> String {
    let version = call.query.get("api-version").map_or("", String::as_str);
    let path = ResourcePath::of(&operation.target);
    let polls = path.as_ref().and_then(registry::of).map_or(PollTypes::USUAL, |kind| kind.profile().polls);
    let kind = polls.of(follow);
    let subscription = path.as_ref().map_or("", |path| path.subscription.as_str());
    match path.as_ref().and_then(|path| path.provider.as_deref()) {
        None => format!("/subscriptions/{subscription}/{kind}/{}?api-version={version}", operation.id),
        Some(provider) => format!(
            "/subscriptions/{subscription}/providers/{provider}/locations/{}/{kind}/{}?api-version={version}",
            REGION, operation.id
        ),
    }
}

/// Answers a poll of the operation with this id: with a status if `by_status`, as the URL in `Azure-AsyncOperation`;
/// otherwise with the result, as the URL in `Location`.
pub(crate) fn poll(view: &Snapshot, call: &Call, id: &str, by_status: bool) -> Outcome {
    let Some(operation) = view.operation(&id.to_lowercase())? else {
        return refuse(404, "OperationNotFound", format!("The operation '{id}' could not be found."));
    };
    let tenant = operation.tenant.clone();
    let reply = match (by_status, operation.done) {
        (true, _) => Reply::json(200, status_body(&operation, call)),
        (false, false) => {
            let here = format!("{}{}", call.base, call.target());
            Reply::empty(202).with("Location", here)
        }
        (false, true) => result(view, &operation)?,
    };
    let reply = if operation.done { reply } else { with_pause(reply, &operation, view.now) };
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

fn result(view: &Snapshot, operation: &Operation) -> Outcome {
    if let Some(failure) = &operation.failure {
        let status = if failure.code == "InternalServerError" { 500 } else { 400 };
        return Err(Refusal::new(status, &failure.code, failure.message.clone()).into());
    }
    match operation.work {
        Work::Delete | Work::Purge => Ok(Reply::empty(200)),
        Work::Write => {
            let object = view.alive(&operation.target)?;
            Ok(object.map_or_else(|| Reply::empty(204), |object| Reply::json(200, object.body)))
        }
    }
}
