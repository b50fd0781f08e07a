//! Classifies failures: reads the errors in a service's answer and finds their class in the table ([`super::codes`]).
//!
//! Messages that override codes decide first. Otherwise the innermost known code decides, because `DeploymentFailed`,
//! `BadRequest` and the like are wrappers; other messages decide only if no code does. Some services capitalize member
//! names, leave `code` null, put another error as text into a message, or answer with problem details (RFC 9457).

use std::time::Duration;

use serde_json::Value;

use super::{
    Reply,
    codes::{by_status, is_known, of_code, of_hint, of_message},
    redact,
};
use crate::{
    compare::member,
    tenant::{Cause, FailureClass, RawAnswer},
};

use FailureClass::{Ambiguous, Denied, Permanent, ReplicationLag, Transient, Unknown};

/// The code of a request that was not sent because its URL is not on the service's own host.
pub const REFUSED_URL: &str = "refused-url";

/// A failed request or operation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// What failed, with the failure class.
    pub cause: Cause,
    /// The service's `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The service's answer, if there was one.
    pub raw: Option<Box<RawAnswer>>,
    /// Whether the service gave a code that is not in the table, and nothing else determined the class: then the code
    /// is counted as unknown.
    pub unlisted: bool,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, retry_after: None, raw: None, unlisted: false }
    }
}

impl Failure {
    /// The failure of a request without an answer in time: the request may have been carried out, or may still be.
    pub fn ambiguous(message: impl Into<String>) -> Self {
        Cause::ours(Ambiguous, "no-answer", message).into()
    }

    /// The failure of a request that was certainly not sent.
    pub fn not_sent(message: impl Into<String>) -> Self {
        Cause::ours(Transient, "not-sent", message).into()
    }

    /// The class to report once the failure is no longer retried: `Denied` for a 403 that was taken for lag or has an
    /// unknown code, `Permanent` for any other unknown code.
    pub fn last_class(&self) -> FailureClass {
        let refused = self.raw.as_ref().is_some_and(|raw| raw.status == 403);
        let class = self.cause.class;
        if refused && matches!(class, Unknown | ReplicationLag) {
            return Denied;
        }
        if class == Unknown { Permanent } else { class }
    }

    /// The failure for an answer that can't be interpreted. It is retried: reading again is cheap and safe.
    pub fn nonsense(message: impl Into<String>) -> Self {
        Cause::ours(Transient, "unexpected-answer", message).into()
    }
}

/// How many characters are kept of a code, an id or an owner's name.
const TOKEN_CHARACTERS: usize = 120;
/// How many characters are kept of a service's message.
const MESSAGE_CHARACTERS: usize = 600;
/// How many characters are kept of a service's answer, for the history.
const RAW_CHARACTERS: usize = 2000;
/// How deeply nested errors are read.
const DEPTH: usize = 8;

/// Classifies a reply that is not a success.
pub fn classify(reply: &Reply) -> Failure {
    from_answer(reply, by_status(reply.status), &format!("HTTP {}", reply.status))
}

/// Classifies the answer to a poll that shows that the operation has ended without success, in the state `state`.
///
/// The request itself was allowed, so a missing permission concerns the tenant's own identities, to which roles were
/// granted just before: such a role assignment takes effect within about ten minutes.
pub fn ended(reply: &Reply, state: &str) -> Failure {
    let mut failure = from_answer(reply, Unknown, "the operation failed");
    if failure.cause.code == NO_CODE {
        state.clone_into(&mut failure.cause.code);
    }
    if failure.cause.class == Denied && failure.cause.code.ends_with("AuthorizationFailed") {
        failure.cause.class = ReplicationLag;
    }
    failure
}

/// The code of an error that has none.
const NO_CODE: &str = "unknown";

/// The only function that makes a cause from a service's text: everything that is kept is redacted.
fn from_answer(reply: &Reply, otherwise: FailureClass, without_message: &str) -> Failure {
    let error = member(&reply.body, "error").unwrap_or(&reply.body);
    let mut text = Vec::new();
    collect(error, &mut text, 0);
    // The innermost error is taken first: the outer ones are wrappers.
    let message = |class: fn(&str) -> Option<FailureClass>| {
        text.iter().rev().find_map(|said| Some((said, class(said.message.as_deref()?)?)))
    };
    let by_code = || text.iter().rev().find_map(|said| Some((said, of_code(said.code.as_deref()?)?)));
    let decisive = message(of_message).or_else(by_code).or_else(|| message(of_hint));
    let said = decisive.map(|(said, _)| said).or_else(|| text.iter().rev().find(|said| said.code.is_some()));
    let first =
        |of: fn(&Said) -> Option<&String>| said.and_then(of).or_else(|| text.iter().find_map(of)).cloned();
    let azure_request_id =
        reply.header("x-ms-request-id").or_else(|| reply.header("request-id")).map(sanitized);
    let message = first(|said| said.message.as_ref()).unwrap_or_else(|| without_message.to_owned());
    let cause = Cause {
        code: first(|said| said.code.as_ref()).map_or_else(|| NO_CODE.to_owned(), |code| sanitized(&code)),
        class: decisive.map_or(otherwise, |(_, class)| class),
        message: sentence(&message),
        azure_request_id: azure_request_id.clone(),
        resource_id: None,
    };
    let body = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    let raw = RawAnswer { status: reply.status, azure_request_id, body: cut(&redact(&body), RAW_CHARACTERS) };
    let settled = matches!(reply.status, 401 | 429 | 500..=599) || cause.code == NO_CODE;
    let unlisted = decisive.is_none() && !settled && !is_known(&cause.code);
    Failure { cause, retry_after: reply.retry_after(), raw: Some(Box::new(raw)), unlisted }
}

/// One error in a tree of errors.
struct Said {
    code: Option<String>,
    message: Option<String>,
}

/// Collects the errors of a tree, outermost first.
fn collect(error: &Value, all: &mut Vec<Said>, depth: usize) {
    let text = |name: &str| {
        let text = member(error, name)?.as_str().filter(|text| !text.is_empty())?;
        Some(text.to_owned())
    };
    let message = text("message").or_else(|| problem(error));
    let said = Said { code: text("code"), message };
    // A message may contain a whole error as text.
    let embedded: Option<Value> = said.message.as_deref().and_then(|text| serde_json::from_str(text).ok());
    all.push(said);
    if depth >= DEPTH {
        return;
    }
    for inner in member(error, "details").and_then(Value::as_array).into_iter().flatten() {
        collect(inner, all, depth + 1);
    }
    let embedded = embedded.as_ref().and_then(|embedded| member(embedded, "error"));
    for inner in [member(error, "innererror"), embedded].into_iter().flatten() {
        collect(inner, all, depth + 1);
    }
}

/// The message of problem details: the first of their errors, else their detail or title. Source: RFC 9457, and the
/// variant of it that online endpoints return (Azure/azureml-examples#1931).
fn problem(error: &Value) -> Option<String> {
    let texts = |value: &Value| {
        let first = value.as_array().and_then(|texts| texts.iter().find_map(Value::as_str));
        first.or(value.as_str()).map(str::to_owned)
    };
    let first =
        member(error, "errors").and_then(Value::as_object).and_then(|all| all.values().find_map(texts));
    let text = |name: &str| Some(member(error, name)?.as_str()?.to_owned());
    first.or_else(|| text("detail")).or_else(|| text("title")).filter(|text| !text.is_empty())
}

/// A code, id or name from a service, redacted and truncated so that it can be kept and published.
pub(super) fn sanitized(text: &str) -> String {
    cut(&redact(text), TOKEN_CHARACTERS)
}

/// A sentence from a service, redacted and truncated so that it can be kept and published.
pub(super) fn sentence(text: &str) -> String {
    cut(&redact(text), MESSAGE_CHARACTERS)
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
