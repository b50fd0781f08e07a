//! Dispatches requests to Graph by what their path refers to.

use serde_json::json;

use crate::{
    call::Call,
    error::CloudError,
    graph::{
        applications,
        body::{missing, selected, with_context},
        credentials, deleted,
        find::{Key, application, principal},
        kinds::APPLICATION,
        principals,
        target::{Target, target},
    },
    reply::{Outcome, Reply, refuse},
    store::{Change, Object, Snapshot, StoreQuery},
};

/// The id of the application or service principal that a request is about, deleted or not; `None` if it does not exist.
pub(crate) fn touched(view: &impl StoreQuery, call: &Call) -> Outcome<Option<String>> {
    let object = match target(call)? {
        Target::Application(key) | Target::Credentials(key) | Target::Credential(key, _) => {
            application(view, &key)?
        }
        Target::Principal(key) => principal(view, &key)?,
        Target::Owners(kind, key) => owned(view, kind, &key)?,
        Target::DeletedItem(id) | Target::Restore(id) => deleted::find(view, &id)?,
        Target::DeletedItems(_) => None,
    };
    Ok(object.map(|object| object.id))
}

/// Answers a GET request to Graph.
pub(crate) fn read(view: &Snapshot, call: &Call) -> Outcome {
    let seen = |object: &Object| object.visible <= view.now;
    match target(call)? {
        Target::Application(key) => show(call, &key, application(view, &key)?.filter(seen)),
        Target::Principal(key) => show(call, &key, principal(view, &key)?.filter(seen)),
        Target::Credentials(key) => credentials::list(view, &key),
        Target::Credential(owner, key) => {
            show(call, &key, credentials::find(view, &owner, &key)?.filter(seen))
        }
        Target::Owners(kind, key) => owners(view, kind, &key),
        Target::DeletedItems(kind) => deleted::list(view, call, kind),
        Target::DeletedItem(id) => {
            show(call, &Key::Id(id.clone()), deleted::find(view, &id)?.map(deleted::typed))
        }
        Target::Restore(_) => not_allowed(call),
    }
}

/// Carries out a PATCH, POST or DELETE request to Graph. Other methods are refused.
pub(crate) fn change(change: &mut Change<'_>, call: &Call) -> Outcome {
    match (call.method.as_str(), target(call)?) {
        ("PATCH", Target::Application(key)) => applications::upsert(change, call, &key),
        ("DELETE", Target::Application(key)) => applications::delete(change, &key),
        ("PATCH", Target::Principal(key)) => principals::upsert(change, call, &key),
        ("DELETE", Target::Principal(key)) => principals::delete(change, &key),
        ("PATCH", Target::Credential(application, key)) => {
            credentials::upsert(change, call, &application, &key)
        }
        ("DELETE", Target::Credential(application, key)) => credentials::delete(change, &application, &key),
        ("DELETE", Target::DeletedItem(id)) => deleted::purge(change, &id),
        ("POST", Target::Restore(id)) => deleted::restore(change, &id),
        (
            _,
            Target::Application(_)
            | Target::Principal(_)
            | Target::Credentials(_)
            | Target::Credential(..)
            | Target::Owners(..)
            | Target::DeletedItems(_)
            | Target::DeletedItem(_)
            | Target::Restore(_),
        ) => not_allowed(call),
    }
}

/// The application or service principal whose owners are requested.
fn owned(view: &impl StoreQuery, kind: &str, key: &Key) -> Result<Option<Object>, CloudError> {
    match kind {
        APPLICATION => application(view, key),
        _ => principal(view, key),
    }
}

/// Answers a request for the owners of an object. The list is always empty: callers are not objects of the simulated
/// directory.
fn owners(view: &Snapshot, kind: &str, key: &Key) -> Outcome {
    let object = owned(view, kind, key)?;
    let Some(object) = object.filter(|object| object.visible <= view.now) else {
        return Err(missing(key.shown()).into());
    };
    let context = "https://graph.microsoft.com/v1.0/$metadata#directoryObjects";
    Ok(Reply::json(200, json!({ "@odata.context": context, "value": [] })).of(object.tenant))
}

fn not_allowed(call: &Call) -> Outcome {
    let message = format!("The method {} is not allowed on '{}'.", call.method, call.path);
    refuse(405, "Request_BadRequest", message)
}

fn show(call: &Call, key: &Key, object: Option<Object>) -> Outcome {
    let Some(object) = object else { return Err(missing(key.shown()).into()) };
    let body = with_context(selected(call, object.body), &object.kind);
    Ok(Reply::json(200, body).of(object.tenant))
}
