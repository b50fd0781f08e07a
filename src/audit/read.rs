//! Reads one thing or a whole list over the wire, and says of each whether it could.

use serde_json::Value;

use crate::{
    ids::{ApiVersion, BadId, ResourceId},
    isolation::Seen,
    ports::Wire,
    steps::{Method, Reply, Request},
};

/// How many pages of a list are read; a longer one counts as not read.
const MAX_PAGES: usize = 500;

/// A look at what is below a resource (`what` is empty for the resource itself).
///
/// # Errors
/// In words, if the text is no id.
pub(super) fn look_at(id: &str, what: &'static str, version: &ApiVersion) -> Result<Request, String> {
    let id: ResourceId = id.parse().map_err(|why: BadId| why.to_string())?;
    Ok(Request::arm_of(Method::Get, &id, what, version))
}

/// One object. 404 says that it is not there.
pub(super) async fn one(wire: &dyn Wire, request: Request) -> Seen<Value> {
    match wire.send(request).await {
        Err(failure) => Seen::Unread(failure.cause.message),
        Ok(reply) => match reply.status {
            404 => Seen::Absent,
            200 if reply.body.is_object() => Seen::Shown(reply.body),
            _ => Seen::Unread(refusal(&reply)),
        },
    }
}

/// All items of a list, page after page. The wire follows only addresses on the service's own host.
pub(super) async fn all(wire: &dyn Wire, first: Request) -> Seen<Vec<Value>> {
    let mut items = Vec::new();
    let mut request = first;
    for page in 0..MAX_PAGES {
        let api = request.api;
        let mut reply = match wire.send(request).await {
            Ok(reply) => reply,
            Err(failure) => return Seen::Unread(failure.cause.message),
        };
        if reply.status == 404 && page == 0 {
            return Seen::Absent;
        }
        let Some(Value::Array(more)) =
            reply.body.get_mut("value").map(Value::take).filter(|_| reply.status == 200)
        else {
            return Seen::Unread(refusal(&reply));
        };
        items.extend(more);
        let next = ["nextLink", "@odata.nextLink"].iter().find_map(|name| reply.body.get(*name)?.as_str());
        match next.filter(|next| !next.is_empty()) {
            Some(next) => request = Request::given(api, next),
            None => return Seen::Shown(items),
        }
    }
    Seen::Unread(format!("the list has more than {MAX_PAGES} pages"))
}

/// Whether it was not for the asker to read. That does not pass, as an answer that did not come does.
pub(super) fn is_refused<T>(seen: &Seen<T>) -> bool {
    matches!(seen, Seen::Unread(why) if why.starts_with("HTTP 403 "))
}

/// What kept from reading.
fn refusal(reply: &Reply) -> String {
    let code = reply.body.pointer("/error/code").and_then(Value::as_str).unwrap_or("no code");
    let plain: String = code.chars().filter(|c| c.is_ascii_graphic()).take(80).collect();
    format!("HTTP {} ({plain})", reply.status)
}
