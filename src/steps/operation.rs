//! Long-running operations: is a write done, and what does a poll say?
//!
//! Source: Microsoft, "Track asynchronous Azure operations": poll `Azure-AsyncOperation` if it is there, else
//! `Location`; the two answer differently; every state but Succeeded, Failed and Canceled means running.

use std::time::Duration;

use serde_json::Value;

use super::{Api, Failure, Method, Reply, Request, failure};
use crate::tenant::{Cause, FailureClass, Poll, PollStyle};

/// What the answer to a write or delete says about progress.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Done; the answer shows the resource, or the resource has to be looked at.
    Done,
    /// Azure goes on with it.
    Running {
        /// Where to ask; `None` means: look at the resource.
        operation: Option<Poll>,
        /// When the service wants to be asked.
        after: Option<Duration>,
    },
}

/// Whether a resource's `provisioningState` is final. A resource without one is done.
pub fn is_terminal(resource: &Value) -> bool {
    match resource.pointer("/properties/provisioningState").and_then(Value::as_str) {
        None => true,
        Some(state) => ["Succeeded", "Failed", "Canceled"].iter().any(|end| end.eq_ignore_ascii_case(state)),
    }
}

/// What the answer to a write or delete says.
///
/// # Errors
/// The classified failure when the service refused.
pub fn after_write(reply: &Reply) -> Result<Progress, Failure> {
    if !reply.is_success() {
        return Err(failure::classify(reply));
    }
    let after = reply.retry_after();
    let poll = |header: &str, style| {
        let url = reply.header(header).filter(|url| !url.is_empty())?;
        Some(Poll { url: url.to_owned(), style })
    };
    let operation = poll("azure-asyncoperation", PollStyle::AsyncOperation)
        .or_else(|| (reply.status == 202).then(|| poll("location", PollStyle::Location)).flatten());
    if operation.is_some() || reply.status == 202 || !is_terminal(&reply.body) {
        return Ok(Progress::Running { operation, after });
    }
    Ok(Progress::Done)
}

/// The request that asks about an operation.
pub fn poll(operation: &Poll, api: Api) -> Request {
    Request::new(api, Method::Get, operation.url.clone())
}

/// What the answer to a poll says. [`Progress::Done`] means: look at the resource, which alone is the truth.
///
/// # Errors
/// The classified failure when the operation failed or the service refused.
pub fn after_poll(style: PollStyle, reply: &Reply) -> Result<Progress, Failure> {
    // The operation is no longer known, which says nothing about the resource.
    if matches!(reply.status, 404 | 410) {
        return Ok(Progress::Done);
    }
    if !reply.is_success() {
        return Err(failure::classify(reply));
    }
    match style {
        PollStyle::Location if reply.status == 202 => still_running(reply),
        PollStyle::Location => Ok(Progress::Done),
        PollStyle::AsyncOperation => match reply.body.get("status").and_then(Value::as_str) {
            None => Err(Failure::nonsense("the operation's answer has no status")),
            Some(status) if status.eq_ignore_ascii_case("Succeeded") => Ok(Progress::Done),
            Some(status) if ["Failed", "Canceled"].iter().any(|end| end.eq_ignore_ascii_case(status)) => {
                Err(ended_badly(&reply.body, status))
            }
            Some(_) => still_running(reply),
        },
    }
}

fn still_running(reply: &Reply) -> Result<Progress, Failure> {
    Ok(Progress::Running { operation: None, after: reply.retry_after() })
}

fn ended_badly(body: &Value, status: &str) -> Failure {
    match body.get("error") {
        Some(error) => failure::from_error(error, FailureClass::Permanent, "the operation failed"),
        None => Cause::ours(FailureClass::Permanent, status, "the operation failed without a reason").into(),
    }
}
