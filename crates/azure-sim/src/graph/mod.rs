//! Microsoft Graph v1.0, as far as applications, service principals and federated credentials go.
//!
//! Source: Microsoft Graph documentation of the upsert calls, of deleted items and of federated identity credentials.
//! Writes reach the primary at once; reads see a new object only when replicas have it.

pub(crate) mod applications;
pub(crate) mod credentials;
pub(crate) mod deleted;
pub(crate) mod principals;

use crate::{
    call::Call,
    error::CloudError,
    path::segments,
    reply::{Outcome, Refusal, Reply, refuse},
    store::{Change, Look, Object, Snapshot},
};
use serde_json::{Value, json};

/// How the kinds and ids of Graph objects begin.
pub(crate) const PREFIX: &str = "graph/";
/// Which tag of an object says whose it is.
const TENANT_TAG: &str = "tenantry-tenant:";

/// A path segment: `name`, `name(key='value')`, or an id.
struct Word {
    name: String,
    key: Option<(String, String)>,
}

impl Word {
    fn parse(text: &str) -> Option<Self> {
        let Some((name, rest)) = text.split_once('(') else {
            return Some(Self { name: text.to_owned(), key: None });
        };
        let (key, value) = rest.strip_suffix(')')?.split_once('=')?;
        let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        let plain = value.replace("''", "");
        if plain.contains('\'') {
            return None;
        }
        Some(Self { name: name.to_owned(), key: Some((key.trim().to_owned(), value.replace("''", "'"))) })
    }
}

/// By what an object is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// Its object id.
    Id(String),
    /// The `appId` of an application or of a service principal's application.
    AppId(String),
    /// The `uniqueName` of an application, or the `name` of a credential.
    Name(String),
}

impl Key {
    fn shown(&self) -> &str {
        match self {
            Self::Id(text) | Self::AppId(text) | Self::Name(text) => text,
        }
    }
}

/// What a path speaks of.
enum Target {
    Application(Key),
    Principal(Key),
    Credentials(Key),
    Credential(Key, Key),
    /// Who owns an application, or a service principal.
    Owners(&'static str, Key),
    DeletedItems(&'static str),
    DeletedItem(String),
    Restore(String),
}

fn target(call: &Call) -> Outcome<Target> {
    let unknown = || {
        let message = format!("Resource not found for the segment '{}'.", call.path);
        Refusal::new(400, "BadRequest", message)
    };
    let words = segments(&call.path).ok_or_else(unknown)?;
    let words: Option<Vec<Word>> = words.iter().skip(1).map(|word| Word::parse(word)).collect();
    let words = words.ok_or_else(unknown)?;
    let (key, rest) = object_key(&words).ok_or_else(unknown)?;
    let rest: Vec<&str> = rest.iter().map(|word| word.name.as_str()).collect();
    let credential = words.last().and_then(|word| word.key.clone());
    Ok(match (words[0].name.as_str(), rest.as_slice(), key) {
        ("applications", [], Some(key)) => Target::Application(key),
        ("servicePrincipals", [], Some(key)) => Target::Principal(key),
        ("applications", ["federatedIdentityCredentials"], Some(key)) => match credential {
            None => Target::Credentials(key),
            Some((by, name)) if by == "name" => Target::Credential(key, Key::Name(name)),
            Some(_) => return Err(unknown().into()),
        },
        ("applications", ["federatedIdentityCredentials", id], Some(key)) => {
            Target::Credential(key, Key::Id((*id).to_owned()))
        }
        ("applications", ["owners"], Some(key)) => Target::Owners(applications::KIND, key),
        ("servicePrincipals", ["owners"], Some(key)) => Target::Owners(principals::KIND, key),
        ("directory", ["deletedItems", "microsoft.graph.application"], None) => {
            Target::DeletedItems(applications::KIND)
        }
        ("directory", ["deletedItems", "microsoft.graph.servicePrincipal"], None) => {
            Target::DeletedItems(principals::KIND)
        }
        ("directory", ["deletedItems", id], None) => Target::DeletedItem((*id).to_owned()),
        (
            "directory",
            ["deletedItems", id, "microsoft.graph.application" | "microsoft.graph.servicePrincipal"],
            None,
        ) => Target::DeletedItem((*id).to_owned()),
        ("directory", ["deletedItems", id, "restore" | "microsoft.graph.restore"], None) => {
            Target::Restore((*id).to_owned())
        }
        _ => return Err(unknown().into()),
    })
}

/// The key of the first object in a path, and the words behind it.
fn object_key(words: &[Word]) -> Option<(Option<Key>, &[Word])> {
    let first = words.first()?;
    if first.name == "directory" {
        return Some((None, &words[1..]));
    }
    match &first.key {
        Some((by, value)) => {
            let key = match by.as_str() {
                "appId" => Key::AppId(value.clone()),
                "uniqueName" if first.name == "applications" => Key::Name(value.clone()),
                _ => return None,
            };
            Some((Some(key), &words[1..]))
        }
        None => Some((Some(Key::Id(words.get(1)?.name.clone())), words.get(2..)?)),
    }
}

/// The id of the application or service principal that a request is about, living or deleted; `None` if it is new.
pub(crate) fn touched(look: &impl Look, call: &Call) -> Outcome<Option<String>> {
    let object = match target(call)? {
        Target::Application(key) | Target::Credentials(key) | Target::Credential(key, _) => {
            applications::find(look, &key)?
        }
        Target::Principal(key) => principals::find_by(look, &key)?,
        Target::Owners(kind, key) => owned(look, kind, &key)?,
        Target::DeletedItem(id) | Target::Restore(id) => deleted::find(look, &id)?,
        Target::DeletedItems(_) => None,
    };
    Ok(object.map(|object| object.id))
}

/// Answers a GET.
pub(crate) fn read(look: &Snapshot, call: &Call) -> Outcome {
    let seen = |object: &Object| object.visible <= look.now;
    match target(call)? {
        Target::Application(key) => show(call, &key, applications::find(look, &key)?.filter(seen)),
        Target::Principal(key) => show(call, &key, principals::find_by(look, &key)?.filter(seen)),
        Target::Credentials(key) => credentials::list(look, &key),
        Target::Credential(application, key) => {
            show(call, &key, credentials::find(look, &application, &key)?.filter(seen))
        }
        Target::Owners(kind, key) => owners(look, kind, &key),
        Target::DeletedItems(kind) => deleted::list(look, call, kind),
        Target::DeletedItem(id) => {
            show(call, &Key::Id(id.clone()), deleted::find(look, &id)?.map(deleted::typed))
        }
        Target::Restore(_) => not_allowed(call),
    }
}

/// Carries out a PATCH, POST or DELETE.
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

/// The application or service principal whose owners are asked for.
fn owned(look: &impl Look, kind: &str, key: &Key) -> Result<Option<Object>, CloudError> {
    match kind {
        applications::KIND => applications::find(look, key),
        _ => principals::find_by(look, key),
    }
}

/// The owners of an object: nobody is one here, for callers have no names.
fn owners(look: &Snapshot, kind: &str, key: &Key) -> Outcome {
    let object = owned(look, kind, key)?;
    let Some(object) = object.filter(|object| object.visible <= look.now) else {
        return Err(missing(key.shown()).into());
    };
    let context = "https://graph.microsoft.com/v1.0/$metadata#directoryObjects";
    Ok(Reply::json(200, json!({ "@odata.context": context, "value": [] })).of(object.tenant))
}

fn not_allowed(call: &Call) -> Outcome {
    let message = format!("The method {} is not allowed on '{}'.", call.method, call.path);
    refuse(405, "Request_BadRequest", message)
}

/// Graph's 404.
pub(crate) fn missing(key: &str) -> Refusal {
    Refusal::new(
        404,
        "Request_ResourceNotFound",
        format!(
            "Resource '{key}' does not exist or one of its queried reference-property objects are not present."
        ),
    )
}

/// Graph's usual 400.
pub(crate) fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "Request_BadRequest", message)
}

fn show(call: &Call, key: &Key, object: Option<Object>) -> Outcome {
    let Some(object) = object else { return Err(missing(key.shown()).into()) };
    let body = with_context(selected(call, object.body), &object.kind);
    Ok(Reply::json(200, body).of(object.tenant))
}

/// The members that the caller wants to see; all, if it does not say.
fn selected(call: &Call, mut body: Value) -> Value {
    if let (Some(wanted), Some(members)) = (call.query.get("$select"), body.as_object_mut()) {
        members.retain(|name, _| wanted.split(',').any(|one| one.trim() == name));
    }
    body
}

/// Adds the annotation that says what the body is.
pub(crate) fn with_context(mut body: Value, kind: &str) -> Value {
    let set = match kind {
        principals::KIND => "servicePrincipals",
        credentials::KIND => "applications('federatedIdentityCredentials')",
        _ => "applications",
    };
    body["@odata.context"] = json!(format!("https://graph.microsoft.com/v1.0/$metadata#{set}/$entity"));
    body
}

/// Whose an object is, by its tags.
fn tenant_of(body: &Value) -> Option<String> {
    let tags = body.get("tags")?.as_array()?.iter().filter_map(Value::as_str);
    tags.filter_map(|tag| tag.strip_prefix(TENANT_TAG)).next().map(str::to_owned)
}

/// Lays a PATCH over a body: members replace, complex ones are merged one level deep.
fn merge(body: &mut Value, patch: &Value) {
    for (name, value) in patch.as_object().into_iter().flatten() {
        match (body.get_mut(name).and_then(Value::as_object_mut), value.as_object()) {
            (Some(inner), Some(value)) => {
                for (name, value) in value {
                    inner.insert(name.clone(), value.clone());
                }
            }
            _ => body[name.as_str()] = value.clone(),
        }
    }
}

/// Refuses a patch of members that only the directory sets.
fn check_read_only(patch: &Value, names: &[&str]) -> Outcome<()> {
    match names.iter().find(|name| patch.get(**name).is_some()) {
        Some(name) => bad(format!("Property '{name}' is read-only and cannot be set.")),
        None => Ok(()),
    }
}

/// The body of a Graph request.
fn body_of(call: &Call) -> Outcome<Value> {
    match serde_json::from_slice::<Value>(&call.body) {
        Ok(body) if body.is_object() => Ok(body),
        Ok(_) | Err(_) => refuse(
            400,
            "BadRequest",
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
        ),
    }
}

/// Whether the caller asked for an upsert to create.
fn creates(call: &Call) -> bool {
    call.header("prefer").split(',').any(|word| word.trim().eq_ignore_ascii_case("create-if-missing"))
}

/// When a new object is seen by replicas.
fn visible_from(change: &Change<'_>) -> jiff::Timestamp {
    change.now.checked_add(change.speed.replication()).unwrap_or(change.now)
}

/// A name's living object.
fn by_name(look: &impl Look, name: &str) -> Result<Option<Object>, CloudError> {
    Ok(match look.named(name)? {
        Some(id) => look.alive(&id)?,
        None => None,
    })
}
