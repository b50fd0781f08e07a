//! The functions of the app. [`App`] takes an invocation, calls the intake, the reconciler or a scan, and returns the
//! answer.
//!
//! The file `functions.rs` dispatches by function, `timers.rs` has the timer functions, and `http.rs` routes HTTP
//! calls. The other files serve those calls with a [`Response`]: tenants and their history, actions on a tenant,
//! isolation, drift, blueprints, and the events that Event Grid posts.

mod action;
mod blueprints;
mod drift;
mod events;
mod functions;
mod http;
mod isolation;
mod quarantine;
mod tenants;
mod timers;
mod view;

use std::collections::BTreeMap;

pub use action::{Call, act};
pub use blueprints::blueprints;
pub use drift::{drift, drift_of_all};
pub use events::{deliver, handshake, reject_delivery};
pub use functions::App;
pub use isolation::{isolation, isolation_of_all};
use serde_json::{Value, json};
pub use tenants::{history, list, one, submit, wake};
pub use view::view;

use crate::{
    intake::{IntakeDecision, RequestAnswer},
    ports::StoreError,
};

/// An HTTP response with a JSON body.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers; `Content-Type` is always among them.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Value,
}

impl Response {
    /// Creates a response with the media type `application/json`.
    pub fn json(status: u16, body: Value) -> Self {
        Self::typed(status, "application/json", body)
    }

    /// Creates an error response as in RFC 9457, "Problem Details for HTTP APIs".
    pub fn problem(status: u16, title: &str, detail: &str) -> Self {
        let body = json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
        Self::typed(status, "application/problem+json", body)
    }

    fn typed(status: u16, content_type: &str, body: Value) -> Self {
        let headers = BTreeMap::from([("Content-Type".to_owned(), content_type.to_owned())]);
        Self { status, headers, body }
    }

    /// The response when the state can't be read or saved: 500 for an unreadable row, otherwise 503.
    fn unavailable(error: &StoreError) -> Self {
        tracing::warn!(error = %error, "a call could not be served");
        if let StoreError::Unreadable { why, .. } = error {
            // Not retryable: docs/runbooks.md says what to do.
            return Self::problem(
                500,
                "stored row unreadable",
                &format!("{why}; see the runbook unreadable-rows"),
            );
        }
        let mut response =
            Self::problem(503, "state unavailable", "the state can't be read or saved; try again");
        response.headers.insert("Retry-After".to_owned(), "5".to_owned());
        response
    }

    /// The 404 for a tenant that does not exist. An id that is invalid gets the same response.
    fn unknown_tenant() -> Self {
        Self::problem(404, "tenant not found", "there is no tenant of that id")
    }

    /// The response that carries an answer of the intake.
    fn of_answer(answer: &RequestAnswer) -> Self {
        let id = answer.tenant_id.as_ref().map(ToString::to_string).unwrap_or_default();
        match answer.decision {
            IntakeDecision::Accepted => {
                // A repeat starts no work, so it is 200 and not 202.
                let mut response = Self::json(if answer.replayed { 200 } else { 202 }, json!(answer));
                response.headers.insert("Location".to_owned(), format!("/api/tenants/{id}"));
                response
            }
            IntakeDecision::Planned => Self::json(200, json!(answer)),
            IntakeDecision::Rejected => {
                let status = status_of(answer.code.as_deref().unwrap_or_default());
                let mut body = json!(answer);
                let detail: Vec<String> = answer.faults.iter().map(|fault| fault.message.clone()).collect();
                body["type"] = json!("about:blank");
                body["title"] = json!("request refused");
                body["status"] = json!(status);
                body["detail"] = json!(detail.join("; "));
                Self::typed(status, "application/problem+json", body)
            }
        }
    }
}

/// The 411 for a call whose body the Functions host dropped.
pub fn length_required() -> Response {
    Response::problem(
        411,
        "length required",
        "the Functions host drops a body that is sent with Transfer-Encoding: chunked, so nothing was taken in; send \
         it with a Content-Length",
    )
}

/// The HTTP status for the code of a refusal: 403 for a tenant of another sender, 404 for an unknown tenant, 409 for a
/// conflict with the tenant's or the request's current state, 413 for a message that is too large, otherwise 400.
fn status_of(code: &str) -> u16 {
    match code {
        "not_your_tenant" => 403,
        "unknown_tenant" => 404,
        "request_conflict"
        | "external_conflict"
        | "tenant_exists"
        | "tenant_removed"
        | "stale"
        | "nothing_to_retry"
        | "not_suspendable"
        | "blueprint_unreadable"
        | "replace_not_allowed" => 409,
        "too_large" => 413,
        _ => 400,
    }
}
