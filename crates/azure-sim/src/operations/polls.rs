//! How a caller follows an operation: the headers that lead to it, and the answers to polls.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::Call,
    path::Place,
    reply::{Outcome, Refusal, Reply, refuse},
    resources::{
        profile::{Follow, PollTypes, Profile},
        registry,
    },
    stamp::REGION,
    store::{Look as _, Operation, Snapshot, Work},
};

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
    let url = format!("{}{}", call.base, poll_path(operation, follow, call));
    with_pause(reply.with(header, url), operation, now)
}

/// Adds how long an operation may take, where the service says so.
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

/// How a poll of a type is answered, by its name in lower case: with a status, or as the operation itself would be;
/// `None` for what is no type of operations.
pub(crate) fn is_status(word: &str) -> Option<bool> {
    let known = |of: fn(PollTypes) -> &'static str| {
        registry::all().any(|kind| of(kind.profile().polls).eq_ignore_ascii_case(word))
    };
    if known(|polls| polls.location) {
        return Some(false);
    }
    known(|polls| polls.status).then_some(true)
}

fn poll_path(operation: &Operation, follow: Follow, call: &Call) -> String {
    let version = call.query.get("api-version").map_or("", String::as_str);
    let place = Place::of(&operation.target);
    let polls = place.as_ref().and_then(registry::of).map_or(PollTypes::USUAL, |kind| kind.profile().polls);
    let word = polls.of(follow);
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
