//! Reads one thing or a whole list over the wire, and says of each whether it could.

use serde_json::Value;
use tenantry_core::{
    compare,
    ids::{ApiVersion, BadId, ResourceId},
    isolation::Reading,
    steps::{Method, Reply, Request, items},
};

use crate::{paging::ask, ports::Wire};

/// The version at which role assignments and definitions are read and taken back.
pub(super) const AUTHORIZATION: ApiVersion = ApiVersion::known("2022-04-01");

/// A look at what is below a resource (`what` is empty for the resource itself).
///
/// # Errors
/// In words, if the text is no id.
pub(super) fn look_at(id: &str, what: &'static str, version: &ApiVersion) -> Result<Request, String> {
    let id: ResourceId = id.parse().map_err(|why: BadId| why.to_string())?;
    Ok(Request::arm_of(Method::Get, &id, what, version))
}

/// One object. 404 says that it is not there.
pub(super) async fn one(wire: &dyn Wire, request: Request) -> Reading<Value> {
    match wire.send(request).await {
        Err(failure) => Reading::Unread(failure.cause.message),
        Ok(reply) => match reply.status {
            404 => Reading::Absent,
            200 if reply.body.is_object() => Reading::Shown(reply.body),
            _ => Reading::Unread(refusal(&reply)),
        },
    }
}

/// All items of a list; one that breaks off counts as not read.
pub(super) async fn all(wire: &dyn Wire, list: Request) -> Reading<Vec<Value>> {
    match ask(wire, list.every_page()).await {
        Err(failure) => Reading::Unread(failure.cause.message),
        Ok(reply) => match (reply.status, items(&reply)) {
            (404, _) => Reading::Absent,
            (200, Ok(items)) => Reading::Shown(items.to_vec()),
            (200, Err(failure)) => Reading::Unread(failure.cause.message),
            (_, _) => Reading::Unread(refusal(&reply)),
        },
    }
}

/// Whether it was not for the asker to read. That does not pass, as an answer that did not come does.
pub(super) fn is_refused<T>(seen: &Reading<T>) -> bool {
    matches!(seen, Reading::Unread(why) if why.starts_with("HTTP 403 "))
}

/// What kept from reading.
fn refusal(reply: &Reply) -> String {
    let code = compare::at(&reply.body, "/error/code").and_then(Value::as_str).unwrap_or("no code");
    let plain: String = code.chars().filter(|c| c.is_ascii_graphic()).take(80).collect();
    format!("HTTP {} ({plain})", reply.status)
}
