//! What an answer means, and what can be done about it: reads the words of a service and asks the table
//! ([`super::codes`]) about them.
//!
//! The innermost known code decides, for `DeploymentFailed`, `BadRequest` and the like are wrappers; a message decides
//! only where a service gives nothing better. Some services write their members with a capital, leave `code` null, put
//! another error as text into a message, or answer with RFC 9457's problem details.

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

/// A step that did not come about.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{cause}")]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// When the service wants to be asked again.
    pub retry_after: Option<Duration>,
    /// What the service answered, if it did.
    pub raw: Option<Box<RawAnswer>>,
    /// Whether the service gave a code that the table does not know, and nothing else decided: it is to be learnt.
    pub unlisted: bool,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, retry_after: None, raw: None, unlisted: false }
    }
}

impl Failure {
    /// The request may have been carried out, or may still be: nobody answered in time.
    pub fn ambiguous(message: impl Into<String>) -> Self {
        Cause::ours(Ambiguous, "no-answer", message).into()
    }

    /// The request certainly was not sent.
    pub fn not_sent(message: impl Into<String>) -> Self {
        Cause::ours(Transient, "not-sent", message).into()
    }

    /// The class in which it stays when it was tried for as long as its class is worth: what nobody knows, and what
    /// was taken for lag, turns out to be a refusal.
    pub fn last_class(&self) -> FailureClass {
        let refused = self.raw.as_ref().is_some_and(|raw| raw.status == 403);
        let class = self.cause.class;
        if refused && matches!(class, Unknown | ReplicationLag) {
            return Denied;
        }
        if class == Unknown { Permanent } else { class }
    }

    /// An answer that makes no sense; asking again is cheap and safe.
    pub fn nonsense(message: impl Into<String>) -> Self {
        Cause::ours(Transient, "unexpected-answer", message).into()
    }
}

/// How much is kept of what a service gives as one word: a code, an id, an owner's name.
const WORD_CHARACTERS: usize = 120;
/// How much of a service's message is kept.
const MESSAGE_CHARACTERS: usize = 600;
/// How much of a service's answer is kept for history.
const RAW_CHARACTERS: usize = 2000;
/// How deep errors are looked for in errors.
const DEPTH: usize = 8;

/// What a reply that is not a success means.
pub fn classify(reply: &Reply) -> Failure {
    told_by(reply, by_status(reply.status), &format!("HTTP {}", reply.status))
}

/// What the answer to a poll means that says of an operation that it ended in this state, `Failed` or `Canceled`.
///
/// The request itself was allowed, so a permission that is missing now is one that the tenant's own identities were
/// granted just before: such a grant takes effect within some ten minutes.
pub fn ended(reply: &Reply, state: &str) -> Failure {
    let mut failure = told_by(reply, Unknown, "the operation failed");
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

/// The one place where the words of a service become a cause: nothing of them is kept that is not redacted.
fn told_by(reply: &Reply, otherwise: FailureClass, without_words: &str) -> Failure {
    let error = member(&reply.body, "error").unwrap_or(&reply.body);
    let mut words = Vec::new();
    collect(error, &mut words, 0);
    // Innermost first: the outer ones are wrappers.
    let message = |class: fn(&str) -> Option<FailureClass>| {
        words.iter().rev().find_map(|said| Some((said, class(said.message.as_deref()?)?)))
    };
    let by_code = || words.iter().rev().find_map(|said| Some((said, of_code(said.code.as_deref()?)?)));
    let decisive = message(of_message).or_else(by_code).or_else(|| message(of_hint));
    let said = decisive.map(|(said, _)| said).or_else(|| words.iter().rev().find(|said| said.code.is_some()));
    let first =
        |of: fn(&Said) -> Option<&String>| said.and_then(of).or_else(|| words.iter().find_map(of)).cloned();
    let azure_request_id = reply.header("x-ms-request-id").or_else(|| reply.header("request-id")).map(word);
    let message = first(|said| said.message.as_ref()).unwrap_or_else(|| without_words.to_owned());
    let cause = Cause {
        code: first(|said| said.code.as_ref()).map_or_else(|| NO_CODE.to_owned(), |code| word(&code)),
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

/// What one error in a tree of errors says.
struct Said {
    code: Option<String>,
    message: Option<String>,
}

/// The errors of a tree, from the outermost inwards.
fn collect(error: &Value, all: &mut Vec<Said>, depth: usize) {
    let text = |name: &str| {
        let text = member(error, name)?.as_str().filter(|text| !text.is_empty())?;
        Some(text.to_owned())
    };
    let message = text("message").or_else(|| problem(error));
    let said = Said { code: text("code"), message };
    // A whole error may stand in a message, as text.
    let told: Option<Value> = said.message.as_deref().and_then(|text| serde_json::from_str(text).ok());
    all.push(said);
    if depth >= DEPTH {
        return;
    }
    for inner in member(error, "details").and_then(Value::as_array).into_iter().flatten() {
        collect(inner, all, depth + 1);
    }
    let told = told.as_ref().and_then(|told| member(told, "error"));
    for inner in [member(error, "innererror"), told].into_iter().flatten() {
        collect(inner, all, depth + 1);
    }
}

/// What problem details say: the first of their errors, else their detail or title. Source: RFC 9457, and the form of
/// it that online endpoints answer with (Azure/azureml-examples#1931).
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

/// One word of a stranger's, as it may be kept and told.
pub(super) fn word(text: &str) -> String {
    cut(&redact(text), WORD_CHARACTERS)
}

/// What a stranger says, as it may be kept and told.
pub(super) fn sentence(text: &str) -> String {
    cut(&redact(text), MESSAGE_CHARACTERS)
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
