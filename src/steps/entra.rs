//! Entra applications and their service principals, through Microsoft Graph's keyed upserts.
//!
//! Source: Microsoft Graph, "Upsert application" and "Upsert servicePrincipal": `PATCH` by an alternate key with
//! `Prefer: create-if-missing` answers 201 with the object when it made one, 204 when it changed one.

use serde_json::{Value, json};

use super::{
    Api, Failure, Method, Remains, Reply, Request, Step, Trace, Verdict, compare, failure,
    request::odata_key, text,
};
use crate::blueprint::Outputs;

/// A Graph object that is found by an alternate key.
struct Keyed {
    /// The collection with its key, e.g. `/v1.0/applications(uniqueName='x')`.
    path: String,
    /// The collection alone.
    collection: &'static str,
    /// Tags that say whose it is.
    owner: Vec<String>,
}

impl Keyed {
    fn application(unique_name: &str, owner: Vec<String>) -> Self {
        let path = format!("/v1.0/applications(uniqueName='{}')", odata_key(unique_name));
        Self { path, collection: "/v1.0/applications", owner }
    }

    fn service_principal(app_id: &str, owner: Vec<String>) -> Self {
        let path = format!("/v1.0/servicePrincipals(appId='{}')", odata_key(app_id));
        Self { path, collection: "/v1.0/servicePrincipals", owner }
    }

    fn look(&self) -> Request {
        Request::new(Api::Graph, Method::Get, self.path.clone())
    }

    fn ours(&self, object: &Value) -> bool {
        let tags = object.get("tags").and_then(Value::as_array);
        let has = |tag: &String| tags.is_some_and(|tags| tags.iter().any(|seen| seen.as_str() == Some(tag)));
        self.owner.iter().all(has)
    }

    fn upsert(&self, body: &Value) -> Request {
        Request::new(Api::Graph, Method::Patch, self.path.clone())
            .with_header("prefer", "create-if-missing")
            .with_body(body.clone())
    }

    fn judge(&self, body: &Value, reply: &Reply) -> Result<Verdict, Failure> {
        let Some(object) = shown(reply, &["id", "appId"])? else { return Ok(Verdict::Absent) };
        if !self.ours(object) {
            return Ok(Verdict::Foreign("somebody else: it lacks tenantry's tags".to_owned()));
        }
        let differences = compare::differences(body, object, &["/tags"], &[]);
        Ok(if differences.is_empty() { Verdict::Matches(ids(object)) } else { Verdict::Differs(differences) })
    }
}

/// The object that an answer shows; `None` when there is nothing. One without these ids is none: nothing may be
/// concluded from it, least of all that ours is gone.
fn shown<'a>(reply: &'a Reply, needed: &[&str]) -> Result<Option<&'a Value>, Failure> {
    let told = ids(&reply.body);
    match reply.status {
        404 => Ok(None),
        200 | 201 if needed.iter().all(|id| told.contains_key(*id)) => Ok(Some(&reply.body)),
        200..=299 => Err(Failure::nonsense("the answer shows no object")),
        _ => Err(failure::classify(reply)),
    }
}

/// The tags in a body that say whose the object is.
fn owner_tags(holder: &Value) -> Vec<String> {
    let tags = holder.pointer("/body/tags").or_else(|| holder.get("owner")).and_then(Value::as_array);
    let text = tags.into_iter().flatten().filter_map(Value::as_str);
    text.filter(|tag| tag.starts_with("tenantry-")).map(str::to_owned).collect()
}

/// What applications and service principals tell.
fn ids(object: &Value) -> Outputs {
    let member = |name: &str| Some((name.to_owned(), object.get(name).filter(|id| id.is_string())?.clone()));
    ["id", "appId"].into_iter().filter_map(member).collect()
}

/// An application or a service principal: both are upserted by key and carry tags.
pub(super) struct Entry {
    keyed: Keyed,
    /// The key's name and value, which find the object again.
    key: (&'static str, String),
    body: Value,
}

impl Entry {
    pub(super) fn application(fields: &Value) -> Result<Self, Failure> {
        Self::new(fields, "uniqueName", Keyed::application)
    }

    pub(super) fn service_principal(fields: &Value) -> Result<Self, Failure> {
        Self::new(fields, "appId", Keyed::service_principal)
    }

    fn new(
        fields: &Value,
        key: &'static str,
        keyed: fn(&str, Vec<String>) -> Keyed,
    ) -> Result<Self, Failure> {
        let value = text(fields, key)?.to_owned();
        let keyed = keyed(&value, owner_tags(fields));
        Ok(Self { keyed, key: (key, value), body: fields.get("body").cloned().unwrap_or_default() })
    }
}

impl Step for Entry {
    fn target(&self) -> Value {
        let (key, value) = &self.key;
        json!({*key: value, "owner": self.keyed.owner})
    }

    fn look(&self) -> Request {
        self.keyed.look()
    }

    fn judge(&self, reply: &Reply) -> Result<Verdict, Failure> {
        self.keyed.judge(&self.body, reply)
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        Some(self.keyed.upsert(&self.body))
    }
}

/// What either left behind: the object itself, or the soft-deleted one that Entra keeps for thirty days.
pub(super) struct Remnant {
    keyed: Keyed,
    object_id: Option<String>,
}

impl Remnant {
    pub(super) fn application(target: &Value, told: &Outputs) -> Result<Self, Failure> {
        Ok(Self::new(Keyed::application(text(target, "uniqueName")?, owner_tags(target)), told))
    }

    pub(super) fn service_principal(target: &Value, told: &Outputs) -> Result<Self, Failure> {
        Ok(Self::new(Keyed::service_principal(text(target, "appId")?, owner_tags(target)), told))
    }

    fn new(keyed: Keyed, told: &Outputs) -> Self {
        Self { keyed, object_id: told.get("id").and_then(Value::as_str).map(str::to_owned) }
    }
}

/// Where Entra keeps what was deleted.
fn deleted_item(id: &str) -> String {
    format!("/v1.0/directory/deletedItems/{}", odata_key(id))
}

impl Remains for Remnant {
    fn looks(&self) -> Vec<Request> {
        let deleted = self.object_id.as_deref().map(deleted_item);
        let deleted = deleted.map(|path| Request::new(Api::Graph, Method::Get, path));
        std::iter::once(self.keyed.look()).chain(deleted).collect()
    }

    fn judge(&self, look: usize, reply: &Reply) -> Result<Trace, Failure> {
        Ok(match shown(reply, &["id"])? {
            None => Trace::Nothing,
            Some(object) if look > 0 => Trace::Lingering(ids(object)),
            Some(object) if !self.keyed.ours(object) => Trace::Foreign,
            Some(object) => Trace::Present(ids(object)),
        })
    }

    fn erase(&self, trace: &Trace) -> Option<Request> {
        let path = match trace {
            Trace::Present(told) => {
                format!("{}/{}", self.keyed.collection, odata_key(told.get("id")?.as_str()?))
            }
            Trace::Lingering(told) => deleted_item(told.get("id")?.as_str()?),
            Trace::Nothing | Trace::Settling | Trace::Foreign => return None,
        };
        Some(Request::new(Api::Graph, Method::Delete, path))
    }
}
