//! The simulator's own window, for tests and for the curious: journal, objects, events, faults.

use serde_json::{Value, json};

use super::{
    Inner, events,
    faults::Fault,
    reply::{Call, Outcome, Reply, refuse},
    store::{Look as _, Object, Snapshot},
};

/// Answers a request below `/_sim/`.
pub(crate) fn answer(inner: &Inner, look: &Snapshot, call: &Call) -> Outcome {
    let tenant = call.query.get("tenant").map(String::as_str);
    let all = call.query.get("all").is_some_and(|all| all == "true");
    match (call.method.as_str(), call.path.trim_end_matches('/')) {
        ("GET", "/_sim/journal") => {
            let lines = look
                .journal()?
                .into_iter()
                .filter(|line| tenant.is_none_or(|id| line.tenant.as_deref() == Some(id)));
            Ok(Reply::json(200, json!(lines.collect::<Vec<_>>())))
        }
        ("GET", "/_sim/events") => {
            let wanted = |event: &Value| {
                tenant.is_none_or(|id| event.as_object().and_then(events::tenant_of).as_deref() == Some(id))
            };
            Ok(Reply::json(200, look.events()?.into_iter().filter(wanted).collect()))
        }
        ("GET", "/_sim/objects") => {
            let wanted = |object: &Object| {
                (all || !object.seeded) && tenant.is_none_or(|id| object.tenant.as_deref() == Some(id))
            };
            Ok(Reply::json(200, look.under("")?.iter().filter(|object| wanted(object)).map(show).collect()))
        }
        ("GET", "/_sim/stamp") => Ok(Reply::json(200, super::local_stamp())),
        ("GET", "/_sim/faults") => Ok(Reply::json(200, json!(inner.faults.list()))),
        ("DELETE", "/_sim/faults") => {
            inner.faults.clear();
            Ok(Reply::empty(204))
        }
        ("POST", "/_sim/faults") => match serde_json::from_slice::<Fault>(&call.body) {
            Ok(fault) => {
                inner.faults.add(fault);
                Ok(Reply::empty(204))
            }
            Err(e) => refuse(400, "BadFault", format!("This is no fault: {e}.")),
        },
        _ => refuse(
            404,
            "NotFound",
            "There are /_sim/journal, /_sim/events, /_sim/objects, /_sim/stamp and /_sim/faults.",
        ),
    }
}

fn show(object: &Object) -> Value {
    let state = match (object.deleted.is_some(), object.text("/properties/provisioningState")) {
        (true, _) => "SoftDeleted",
        (false, "") => "Succeeded",
        (false, state) => state,
    };
    json!({ "id": object.id, "kind": object.kind, "tenant": object.tenant, "state": state })
}
