//! Reads an object or a whole list, and reports whether it could.

use serde_json::Value;
use tenantry_core::{
    compare,
    ids::{ApiVersion, BadId, ResourceId},
    isolation::Reading,
    steps::{Method, Reply, Request, items},
};

use crate::{paging::ask, ports::Transport};

/// The API version for reading and revoking role assignments, and for reading role definitions.
pub(super) const AUTHORIZATION: ApiVersion = ApiVersion::known("2022-04-01");

/// A GET below a resource (`what` is empty for the resource itself).
///
/// # Errors
/// A message, if `id` is no resource id.
pub(super) fn get(id: &str, what: &'static str, version: &ApiVersion) -> Result<Request, String> {
    let id: ResourceId = id.parse().map_err(|why: BadId| why.to_string())?;
    Ok(Request::arm_of(Method::Get, &id, what, version))
}

/// Reads one object. 404 means that it is absent.
pub(super) async fn one(transport: &dyn Transport, request: Request) -> Reading<Value> {
    match transport.send(request).await {
        Err(failure) => Reading::Unread(failure.cause.message),
        Ok(reply) => match reply.status {
            404 => Reading::Absent,
            200 if reply.body.is_object() => Reading::Shown(reply.body),
            _ => Reading::Unread(refusal(&reply)),
        },
    }
}

/// Reads all items of a list; a list that ends early counts as not read.
pub(super) async fn all(transport: &dyn Transport, list: Request) -> Reading<Vec<Value>> {
    match ask(transport, list.every_page()).await {
        Err(failure) => Reading::Unread(failure.cause.message),
        Ok(reply) => match (reply.status, items(&reply)) {
            (404, _) => Reading::Absent,
            (200, Ok(items)) => Reading::Shown(items.to_vec()),
            (200, Err(failure)) => Reading::Unread(failure.cause.message),
            (_, _) => Reading::Unread(refusal(&reply)),
        },
    }
}

/// Whether the caller lacks the right to read. That is permanent, unlike a missing answer.
pub(super) fn is_refused<T>(seen: &Reading<T>) -> bool {
    matches!(seen, Reading::Unread(why) if why.starts_with("HTTP 403 "))
}

/// Why a reply does not have the object: its status and error code.
fn refusal(reply: &Reply) -> String {
    let code = compare::at(&reply.body, "/error/code").and_then(Value::as_str).unwrap_or("no code");
    let plain: String = code.chars().filter(|c| c.is_ascii_graphic()).take(80).collect();
    format!("HTTP {} ({plain})", reply.status)
}
