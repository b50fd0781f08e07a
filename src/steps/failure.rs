//! The one table of errors: what an answer means, and what can be done about it.
//!
//! Source: Microsoft's troubleshooting pages for ARM deployments, role-based access control, online endpoints and
//! Graph, and public issues of their SDKs. The innermost known code decides, for `DeploymentFailed`, `BadRequest` and
//! the like are wrappers; a message decides only where a service gives nothing better. Some services write their
//! members with a capital, leave `code` null, or put another error as text into a message.

use std::time::Duration;

use serde_json::Value;

use super::{Reply, redact};
use crate::tenant::{Cause, FailureClass, RawAnswer};

use FailureClass::{
    Ambiguous, Denied, NameHeld, NeedsProvider, Permanent, Quota, ReplicationLag, Throttled, Transient, Wait,
};

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
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, retry_after: None, raw: None }
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

    /// An answer that makes no sense; asking again is cheap and safe.
    pub fn nonsense(message: impl Into<String>) -> Self {
        Cause::ours(Transient, "unexpected-answer", message).into()
    }
}

/// Codes that say more than their HTTP status. Compared without case.
const CODES: &[(&str, FailureClass)] = &[
    ("InternalServerError", Transient),
    ("AnotherOperationInProgress", Transient),
    ("RetryableError", Transient),
    ("RetryableErrorDueToAnotherOperation", Throttled),
    ("ReferencedResourceNotProvisioned", Transient),
    ("StorageAccountOperationInProgress", Transient),
    ("OperationCanceled", Transient),
    ("SecretsInjectionError", ReplicationLag),
    ("PrincipalNotFound", ReplicationLag),
    ("NoBackingApplicationObject", ReplicationLag),
    ("Request_ResourceNotFound", ReplicationLag),
    ("ResourceNotFound", ReplicationLag),
    ("ParentResourceNotFound", ReplicationLag),
    ("ResourceGroupNotFound", ReplicationLag),
    ("ResourceGroupBeingDeleted", Wait),
    ("WorkspaceManagedNetworkNotReady", Wait),
    ("MissingSubscriptionRegistration", NeedsProvider),
    ("InvalidSubscriptionRegistrationState", NeedsProvider),
    ("NoRegisteredProviderFound", NeedsProvider),
    ("FlagMustBeSetForRestore", NameHeld),
    ("CustomDomainInUse", NameHeld),
    ("VaultAlreadyExists", NameHeld),
    ("StorageAccountAlreadyTaken", NameHeld),
    ("RoleAssignmentUpdateNotPermitted", Permanent),
    ("RoleAssignmentLimitExceeded", Quota),
    ("OutOfQuota", Quota),
    ("ResourceQuotaExceeded", Quota),
    ("QuotaExceeded", Quota),
    ("Directory_QuotaExceeded", Quota),
    ("SkuNotAvailable", Quota),
    ("RequestDisallowedByPolicy", Permanent),
    ("LinkedAuthorizationFailed", Denied),
    ("AuthorizationFailed", Denied),
    ("Authorization_RequestDenied", Denied),
    ("InvalidAuthenticationTokenTenant", Denied),
    ("InvalidAuthenticationToken", Transient),
    ("ScopeLocked", Denied),
    ("PropertyChangeNotAllowed", Permanent),
    ("ImageBuildFailure", Permanent),
    ("BadArgument", Permanent),
    ("ResourceNotReady", Permanent),
];

/// How families of codes begin; for codes that are not among [`CODES`]. Compared without case.
const FAMILIES: &[(&str, FailureClass)] = &[("DeploymentActive", Transient), ("Invalid", Permanent)];

/// Message parts that decide where the code is only a wrapper. Compared without case.
const MESSAGES: &[(&str, FailureClass)] = &[
    ("soft-deleted workspace exists", NameHeld),
    ("does not reference a valid application object", ReplicationLag),
    ("updating provisioning state", Wait),
    // Graph's answer (400 `Request_BadRequest`) while a deleted application holds the name, which it does for 30 days.
    ("same value for property uniquename already exists", NameHeld),
];

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
    let mut failure = told_by(reply, Permanent, "the operation failed");
    if failure.cause.code == UNKNOWN {
        state.clone_into(&mut failure.cause.code);
    }
    if failure.cause.class == Denied && failure.cause.code.ends_with("AuthorizationFailed") {
        failure.cause.class = ReplicationLag;
    }
    failure
}

/// The code of an error that has none.
const UNKNOWN: &str = "unknown";

/// The one place where the words of a service become a cause: nothing of them is kept that is not redacted.
fn told_by(reply: &Reply, otherwise: FailureClass, without_words: &str) -> Failure {
    let error = member(&reply.body, "error").unwrap_or(&reply.body);
    let mut words = Vec::new();
    collect(error, &mut words, 0);
    // Innermost first: the outer ones are wrappers.
    let by_message = words.iter().rev().find_map(|said| Some((said, of_message(said.message.as_deref()?)?)));
    let by_code = || words.iter().rev().find_map(|said| Some((said, of_code(said.code.as_deref()?)?)));
    let decisive = by_message.or_else(by_code);
    let said = decisive.map(|(said, _)| said).or_else(|| words.iter().rev().find(|said| said.code.is_some()));
    let first =
        |of: fn(&Said) -> Option<&String>| said.and_then(of).or_else(|| words.iter().find_map(of)).cloned();
    let azure_request_id = reply.header("x-ms-request-id").or_else(|| reply.header("request-id")).map(word);
    let message = first(|said| said.message.as_ref()).unwrap_or_else(|| without_words.to_owned());
    let cause = Cause {
        code: first(|said| said.code.as_ref()).map_or_else(|| UNKNOWN.to_owned(), |code| word(&code)),
        class: decisive.map_or(otherwise, |(_, class)| class),
        message: sentence(&message),
        azure_request_id: azure_request_id.clone(),
    };
    let body = if reply.body.is_null() { String::new() } else { reply.body.to_string() };
    let raw = RawAnswer { status: reply.status, azure_request_id, body: cut(&redact(&body), RAW_CHARACTERS) };
    Failure { cause, retry_after: reply.retry_after(), raw: Some(Box::new(raw)) }
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
    let said = Said { code: text("code"), message: text("message") };
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

/// A member by its name, however it is written.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    let twin = || members.iter().find(|(other, value)| other.eq_ignore_ascii_case(name) && !value.is_null());
    members.get(name).filter(|value| !value.is_null()).or_else(|| twin().map(|(_, value)| value))
}

fn of_code(code: &str) -> Option<FailureClass> {
    let begins =
        |family: &str| code.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family));
    let known = CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code));
    known.or_else(|| FAMILIES.iter().find(|(family, _)| begins(family))).map(|(_, class)| *class)
}

fn of_message(message: &str) -> Option<FailureClass> {
    let message = message.to_ascii_lowercase();
    MESSAGES.iter().find(|(part, _)| message.contains(part)).map(|(_, class)| *class)
}

fn by_status(status: u16) -> FailureClass {
    match status {
        429 => Throttled,
        // A redirect is never followed: whoever stands in the service's place may be gone the next time.
        300..=399 | 401 | 408 | 500..=599 => Transient,
        403 => Denied,
        409 | 412 | 423 => Wait,
        _ => Permanent,
    }
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
