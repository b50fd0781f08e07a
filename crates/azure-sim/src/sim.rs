//! The endpoints below `/_sim/`, for tests and debugging: they show journal, objects, events and messages, and set
//! faults. Azure has nothing like them.

use crate::{
    call::Call,
    chaos::FaultRate,
    events,
    faults::Fault,
    flaws::Flawed,
    forms::Form,
    inner::Inner,
    reply::{Body, Outcome, Reply, refuse},
    service_bus, stamp,
    store::{Object, Snapshot, StoreQuery as _},
};
use serde_json::{Value, json};

/// The start of a path that shows the messages of a queue; the queue's name follows.
const QUEUES: &str = "/_sim/queues/";
/// The start of a path that shows the messages of a topic; the topic's name follows.
const TOPICS: &str = "/_sim/topics/";
/// How many messages of a queue are shown at most.
const MOST_MESSAGES: usize = 1000;

/// Answers a request below `/_sim/`.
pub(crate) fn answer(inner: &Inner, view: &Snapshot, call: &Call) -> Outcome {
    let tenant = call.query.get("tenant").map(String::as_str);
    let all = call.query.get("all").is_some_and(|all| all == "true");
    match (call.method.as_str(), call.path.trim_end_matches('/')) {
        ("GET", "/_sim/journal") => {
            Ok(Reply { body: Some(Body::Journal(tenant.map(str::to_owned))), ..Reply::empty(200) })
        }
        ("GET", "/_sim/events") => {
            let matches = |event: &Value| {
                tenant.is_none_or(|id| event.as_object().and_then(events::tenant_of).as_deref() == Some(id))
            };
            Ok(Reply::json(200, view.events()?.into_iter().filter(matches).collect()))
        }
        ("GET", "/_sim/objects") => {
            let matches = |object: &Object| {
                (all || !object.seeded) && tenant.is_none_or(|id| object.tenant.as_deref() == Some(id))
            };
            Ok(Reply::json(200, view.under("")?.iter().filter(|object| matches(object)).map(show).collect()))
        }
        ("GET", "/_sim/subscribers") => Ok(Reply::json(200, inner.subscribers.show())),
        ("GET", "/_sim/access") => Ok(Reply::json(200, inner.used.show())),
        ("GET", "/_sim/stamp") => Ok(Reply::json(200, stamp::local_stamp())),
        ("GET", path) if path.strip_prefix(TOPICS) == Some(service_bus::TOPIC) => {
            Ok(Reply::json(200, json!(view.topic()?)))
        }
        ("GET", path) if path.starts_with(QUEUES) => messages(inner, &path[QUEUES.len()..]),
        (_, "/_sim/faults") => faults(inner, call),
        (_, "/_sim/flaws") => flaws(inner, call),
        (_, "/_sim/forms") => forms(inner, call),
        (_, "/_sim/chaos") => chaos(inner, call),
        _ => refuse(
            404,
            "NotFound",
            "There are /_sim/journal, /_sim/events, /_sim/subscribers, /_sim/objects, /_sim/access, /_sim/stamp, \
             /_sim/queues/<name>, /_sim/topics/<name>, /_sim/faults, /_sim/flaws, /_sim/forms and /_sim/chaos.",
        ),
    }
}

/// Shows the first messages of a queue, including locked and scheduled ones.
fn messages(inner: &Inner, queue: &str) -> Outcome {
    match inner.queue.as_ref().and_then(|broker| broker.peek(queue, MOST_MESSAGES).ok()) {
        Some(messages) => Ok(Reply::json(200, messages.iter().map(|m| service_bus::show(m)).collect())),
        None => refuse(404, "NotFound", format!("There is no queue '{queue}'.")),
    }
}

fn faults(inner: &Inner, call: &Call) -> Outcome {
    match call.method.as_str() {
        "GET" => Ok(Reply::json(200, json!(inner.faults.list()))),
        "DELETE" => {
            inner.faults.clear();
            Ok(Reply::empty(204))
        }
        "POST" => match serde_json::from_slice::<Fault>(&call.body) {
            Ok(fault) => {
                inner.faults.add(fault);
                Ok(Reply::empty(204))
            }
            Err(e) => refuse(400, "BadFault", format!("This is no fault: {e}.")),
        },
        _ => refuse(405, "MethodNotAllowed", "Faults are read, added and removed."),
    }
}

fn flaws(inner: &Inner, call: &Call) -> Outcome {
    match call.method.as_str() {
        "GET" => Ok(Reply::json(200, json!(inner.flaws.list()))),
        "DELETE" => {
            inner.flaws.clear();
            Ok(Reply::empty(204))
        }
        "POST" => match serde_json::from_slice::<Flawed>(&call.body) {
            Ok(flawed) => {
                inner.flaws.set(flawed);
                Ok(Reply::empty(204))
            }
            Err(e) => refuse(400, "BadFlaw", format!("This is no flaw: {e}.")),
        },
        _ => refuse(405, "MethodNotAllowed", "Flaws are read, set and removed."),
    }
}

fn forms(inner: &Inner, call: &Call) -> Outcome {
    match call.method.as_str() {
        "GET" => Ok(Reply::json(200, json!(inner.forms.get()))),
        "DELETE" => {
            inner.forms.set(Form::default());
            Ok(Reply::empty(204))
        }
        "POST" => match serde_json::from_slice::<Form>(&call.body) {
            Ok(form) => {
                inner.forms.set(form);
                Ok(Reply::empty(204))
            }
            Err(e) => refuse(400, "BadForm", format!("This is no form of answers: {e}.")),
        },
        _ => refuse(405, "MethodNotAllowed", "Forms are read, set and reset."),
    }
}

fn chaos(inner: &Inner, call: &Call) -> Outcome {
    match call.method.as_str() {
        "GET" => Ok(Reply::json(200, inner.chaos.show())),
        "DELETE" => {
            inner.chaos.end();
            Ok(Reply::empty(204))
        }
        "POST" => {
            let rate = serde_json::from_slice::<FaultRate>(&call.body).map_err(|e| e.to_string());
            match rate.and_then(|rate| inner.chaos.begin(rate).map_err(str::to_owned)) {
                Ok(()) => Ok(Reply::empty(204)),
                Err(why) => refuse(400, "BadChaos", format!("This is no chaos: {why}.")),
            }
        }
        _ => refuse(405, "MethodNotAllowed", "Chaos is read, started and ended."),
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
