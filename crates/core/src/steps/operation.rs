//! Long-running operations: whether a write is done, and what a poll means.
//!
//! Source: Microsoft, "Track asynchronous Azure operations": poll `Azure-AsyncOperation` if it is there, else
//! `Location`; the two answer differently; every state but Succeeded, Failed and Canceled means running ([`codes`] has
//! the synonyms of some providers). A service may say in `x-ms-async-operation-timeout`, an ISO 8601 duration, for how
//! long an operation can be polled.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde_json::Value;

use super::{Api, Failure, Reply, Request, codes, failure};
use crate::{
    blueprint::ResourceType,
    compare,
    tenant::{Poll, PollStyle},
};

/// The longest poll URL that is kept, in bytes; Azure's have up to 4 KB. A longer one is ignored, and the resource
/// itself is read.
const MAX_URL: usize = 8 << 10;

/// The progress that the answer to a write, a delete or a poll shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Done; the answer shows the resource, or the resource has to be read.
    Done,
    /// The operation continues.
    Running {
        /// The operation to poll; `None` means the same URL as before or, if there is none, a read of the resource.
        operation: Option<Poll>,
        /// The service's `Retry-After`.
        after: Option<Duration>,
    },
    /// The operation has failed, or may not be polled; only the answer to a poll shows that.
    Ended(Failure),
}

/// Whether a resource's `provisioningState` is final. A resource without that member is not being changed.
pub fn is_terminal(resource: &Value) -> bool {
    state(resource).is_none_or(|state| codes::ended(state).is_some())
}

/// The provisioning state of a resource whose last write failed; `None` for other resources.
pub(super) fn failed_state(resource: &Value) -> Option<&str> {
    state(resource).filter(|state| codes::ended(state) == Some(false))
}

fn state(resource: &Value) -> Option<&str> {
    Some(compare::text_at(resource, "/properties/provisioningState")).filter(|state| !state.is_empty())
}

/// Judges the answer to a write or delete.
///
/// # Errors
/// The classified failure if the service refused.
pub fn after_write(reply: &Reply) -> Result<Progress, Failure> {
    if !reply.is_success() {
        return Err(failure::classify(reply));
    }
    let after = reply.retry_after();
    let poll = |header: &str, style| {
        let url = reply.header(header).filter(|url| fits(url))?;
        Some(Poll { url: url.to_owned(), style, limit: limit(reply) })
    };
    // With 200 and 201 a `Location` is the resource's own URL.
    let operation = poll("azure-asyncoperation", PollStyle::AsyncOperation)
        .or_else(|| (reply.status == 202).then(|| poll("location", PollStyle::Location)).flatten());
    if operation.is_some() || reply.status == 202 || !is_terminal(&reply.body) {
        return Ok(Progress::Running { operation, after });
    }
    Ok(Progress::Done)
}

/// The request that polls an operation.
pub fn poll(operation: &Poll, api: Api) -> Request {
    Request::given(api, operation.url.clone())
}

/// Judges the answer to a poll. [`Progress::Done`] means: read the resource. Only the resource is authoritative,
/// whatever the API description says about the final state (`final-state-via`).
///
/// # Errors
/// The classified failure if the poll failed, which says nothing about the operation.
pub fn after_poll(asked: &Poll, reply: &Reply) -> Result<Progress, Failure> {
    match (asked.style, reply.status) {
        // The operation is no longer known, which says nothing about the resource.
        (_, 404 | 410) => Ok(Progress::Done),
        (PollStyle::Location, 202) => {
            Ok(Progress::Running { operation: moved(asked, reply), after: reply.retry_after() })
        }
        (PollStyle::Location, 200..=299) => Ok(Progress::Done),
        (_, 403) if names_a_missing_right(reply) => Ok(Progress::Ended(failure::classify(reply))),
        // The answer is the one that a synchronous call would have returned.
        (PollStyle::Location, 400 | 402 | 405..=407 | 409 | 411..=428 | 430..=499) => {
            Ok(Progress::Ended(failure::classify(reply)))
        }
        (PollStyle::AsyncOperation, 200..=299) => by_status(reply),
        (PollStyle::AsyncOperation | PollStyle::Location, _) => Err(failure::classify(reply)),
    }
}

/// Whether a refused poll names an action that a role can grant. Then a person has to assign the role, and another poll
/// does not help. Other refusals, e.g. because another identity started the operation, say nothing about the operation.
fn names_a_missing_right(reply: &Reply) -> bool {
    let cause = failure::classify(reply).cause;
    let named = |action: &str| cause.message.to_ascii_lowercase().contains(&action.to_ascii_lowercase());
    let rights = ResourceType::all().flat_map(|row| [row.asks_write, row.asks_delete]).flatten();
    cause.code == "AuthorizationFailed" && rights.into_iter().any(named)
}

fn by_status(reply: &Reply) -> Result<Progress, Failure> {
    let status = compare::member(&reply.body, "status").and_then(Value::as_str);
    let status = status.ok_or_else(|| Failure::nonsense("the operation's answer has no status"))?;
    // An unknown state means running, unless there is an error.
    let has_error = || compare::at(&reply.body, "/error/code").is_some_and(Value::is_string);
    Ok(match codes::ended(status) {
        Some(true) => Progress::Done,
        Some(false) => Progress::Ended(failure::ended(reply, status)),
        None if has_error() => Progress::Ended(failure::ended(reply, status)),
        None => Progress::Running { operation: None, after: reply.retry_after() },
    })
}

fn fits(url: &str) -> bool {
    (1..=MAX_URL).contains(&url.len())
}

/// The operation with the URL for further polls, if the answer gives another URL; otherwise `None`.
fn moved(asked: &Poll, reply: &Reply) -> Option<Poll> {
    let url = reply.header("location").filter(|url| fits(url) && *url != asked.url)?;
    Some(Poll { url: url.to_owned(), ..asked.clone() })
}

/// The service's time limit for the operation; `None` if it gives none or an invalid one.
fn limit(reply: &Reply) -> Option<SignedDuration> {
    let span: Span = reply.header("x-ms-async-operation-timeout")?.trim().parse().ok()?;
    let limit = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    limit.is_positive().then_some(limit)
}
