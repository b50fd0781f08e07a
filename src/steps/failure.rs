//! The one table of errors: what an answer means, and what can be done about it.
//!
//! Source: Microsoft's troubleshooting pages for ARM deployments, role-based access control, online endpoints and
//! Graph, and public issues of their SDKs. The innermost known code decides, for `DeploymentFailed`, `BadRequest` and
//! the like are wrappers; a message decides only where a service gives nothing better.

use std::time::Duration;

use serde_json::Value;

use super::Reply;
use crate::tenant::{Cause, FailureClass};

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
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self { cause, retry_after: None }
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
    ("ScopeLocked", Denied),
    ("PropertyChangeNotAllowed", Permanent),
    ("ImageBuildFailure", Permanent),
    ("BadArgument", Permanent),
    ("ResourceNotReady", Permanent),
];

/// Message parts that decide where the code is only a wrapper. Compared without case.
const MESSAGES: &[(&str, FailureClass)] = &[
    ("soft-deleted workspace exists", NameHeld),
    ("does not reference a valid application object", ReplicationLag),
    ("updating provisioning state", Wait),
];

/// How much of a service's message is kept.
const MESSAGE_CHARACTERS: usize = 600;

/// What a reply that is not a success means.
pub fn classify(reply: &Reply) -> Failure {
    let error = reply.body.get("error").unwrap_or(&reply.body);
    let mut failure = from_error(error, by_status(reply.status), &format!("HTTP {}", reply.status));
    failure.cause.azure_request_id =
        reply.header("x-ms-request-id").or_else(|| reply.header("request-id")).map(str::to_owned);
    failure.retry_after = reply.retry_after();
    failure
}

/// What an error object says, be it of a reply or of a failed operation; `otherwise` where no code is known.
pub fn from_error(error: &Value, otherwise: FailureClass, place: &str) -> Failure {
    let mut codes = Vec::new();
    collect_codes(error, &mut codes, 0);
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let known = |code: &str| {
        CODES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)).map(|(_, class)| *class)
    };
    let by_message = || {
        let lower = message.to_ascii_lowercase();
        MESSAGES.iter().find(|(part, _)| lower.contains(part)).map(|(_, class)| *class)
    };
    // Innermost first: the outer codes are wrappers.
    let decisive = codes.iter().rev().find_map(|code| Some((*code, known(code)?)));
    let (code, class) = match (by_message(), decisive) {
        (Some(class), _) => (codes.first().copied(), class),
        (None, Some((code, class))) => (Some(code), class),
        (None, None) => (codes.last().copied(), otherwise),
    };
    let message = if message.is_empty() { place.to_owned() } else { cut(message) };
    Cause { code: code.unwrap_or("unknown").to_owned(), class, message, azure_request_id: None }.into()
}

fn collect_codes<'a>(error: &'a Value, codes: &mut Vec<&'a str>, depth: usize) {
    codes.extend(error.get("code").and_then(Value::as_str).filter(|code| !code.is_empty()));
    if depth < 8 {
        let inner = error.get("details").and_then(Value::as_array).into_iter().flatten();
        inner.for_each(|detail| collect_codes(detail, codes, depth + 1));
    }
}

fn by_status(status: u16) -> FailureClass {
    match status {
        429 => Throttled,
        401 | 408 | 500..=599 => Transient,
        403 => Denied,
        409 | 412 | 423 => Wait,
        _ => Permanent,
    }
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(status: u16, body: Value) -> FailureClass {
        classify(&Reply { status, body, ..Reply::default() }).cause.class
    }

    #[test]
    fn the_innermost_known_code_decides() {
        let wrapped = json!({"error": {"code": "DeploymentFailed", "message": "At least one failed.", "details": [
            {"code": "Conflict", "message": "", "details": [{"code": "OutOfQuota", "message": "no cores"}]}]}});
        assert_eq!(class(409, wrapped), Quota);
    }

    #[test]
    fn a_message_decides_where_the_code_is_a_wrapper() {
        let held = json!({"error": {"code": "BadRequest", "message": "Soft-deleted workspace exists. Please purge"}});
        assert_eq!(class(400, held), NameHeld);
        let updating =
            json!({"error": {"code": "BadRequest", "message": "Endpoint is in Updating provisioning state"}});
        assert_eq!(class(400, updating), Wait);
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        for (status, expected) in
            [(429, Throttled), (503, Transient), (403, Denied), (409, Wait), (400, Permanent)]
        {
            assert_eq!(
                class(status, json!({"error": {"code": "Odd", "message": "m"}})),
                expected,
                "{status}"
            );
            assert_eq!(class(status, Value::Null), expected, "{status} without a body");
        }
    }
}
