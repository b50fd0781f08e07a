//! Entra applications and their service principals, through Microsoft Graph's keyed upserts.
//!
//! Source: Microsoft Graph, "Upsert application" and "Upsert servicePrincipal": `PATCH` by an alternate key with
//! `Prefer: create-if-missing` answers 201 with the object when it made one, 204 when it changed one.

use serde_json::Value;

use super::{
    Comparison, Failure, GraphPath, Method, ObjectId, Remains, Reply, Request, Restorable, Step, Target,
    Trace, deleted::Deleted, failure, target::owner_tags,
};
use crate::{
    blueprint::{EntraApplication, Outputs, ServicePrincipal},
    compare,
};

/// A Graph object that is found by an alternate key.
struct Keyed {
    /// The collection with its key, e.g. `/v1.0/applications(uniqueName='x')`.
    path: GraphPath,
    /// The collection alone.
    collection: &'static str,
    /// The type in Graph's words.
    kind: &'static str,
    /// The key's name and value.
    key: (&'static str, String),
    /// Tags that say whose it is.
    owner: Vec<String>,
}

impl Keyed {
    fn application(unique_name: &str, owner: Vec<String>) -> Self {
        let path = GraphPath::of("/v1.0/applications").keyed("uniqueName", unique_name);
        let key = ("uniqueName", unique_name.to_owned());
        Self { path, collection: "/v1.0/applications", kind: compare::graph::APPLICATION, key, owner }
    }

    fn service_principal(app_id: &str, owner: Vec<String>) -> Self {
        let path = GraphPath::of("/v1.0/servicePrincipals").keyed("appId", app_id);
        let key = ("appId", app_id.to_owned());
        Self {
            path,
            collection: "/v1.0/servicePrincipals",
            kind: compare::graph::SERVICE_PRINCIPAL,
            key,
            owner,
        }
    }

    fn target(&self) -> Target {
        let (owner, (key, value)) = (self.owner.clone(), self.key.clone());
        match key {
            "appId" => Target::ServicePrincipal { app_id: value, owner },
            _ => Target::EntraApplication { unique_name: value, owner },
        }
    }

    fn look(&self) -> Request {
        Request::graph(Method::Get, self.path.clone())
    }

    fn ours(&self, object: &Value) -> bool {
        let tags = object.get("tags").and_then(Value::as_array);
        let has = |tag: &String| tags.is_some_and(|tags| tags.iter().any(|seen| seen.as_str() == Some(tag)));
        self.owner.iter().all(has)
    }

    fn upsert(&self, body: &Value) -> Request {
        Request::graph(Method::Patch, self.path.clone())
            .with_header("prefer", "create-if-missing")
            .with_body(body.clone())
    }

    fn judge(&self, body: &Value, reply: &Reply) -> Result<Comparison, Failure> {
        let Some(object) = self.shown(reply, &["id", "appId"])? else { return Ok(Comparison::Absent) };
        if !self.ours(object) {
            return Ok(Comparison::Foreign("somebody else: it lacks tenantry's tags".to_owned()));
        }
        let differences = compare::differences(self.kind, body, object);
        Ok(if differences.is_empty() {
            Comparison::Matches(ids(object))
        } else {
            Comparison::Differs(differences)
        })
    }

    /// The object that an answer shows; `None` when there is nothing. One without these ids is none, and one with another
    /// key is another: nothing may be concluded from it, least of all that ours is gone.
    fn shown<'a>(&self, reply: &'a Reply, needed: &[&str]) -> Result<Option<&'a Value>, Failure> {
        let told = ids(&reply.body);
        let (key, value) = &self.key;
        let seen = reply.body.get(*key).and_then(Value::as_str);
        match reply.status {
            404 => Ok(None),
            200 | 201 if seen.is_some_and(|seen| !compare::same_word(seen, value)) => {
                Err(Failure::nonsense("the answer is about another object"))
            }
            200 | 201 if needed.iter().all(|id| told.contains_key(*id)) => Ok(Some(&reply.body)),
            200..=299 => Err(Failure::nonsense("the answer shows no object")),
            _ => Err(failure::classify(reply)),
        }
    }
}

/// What applications and service principals tell.
fn ids(object: &Value) -> Outputs {
    let is_id = |id: &&Value| id.as_str().and_then(ObjectId::read).is_some();
    let member = |name: &str| Some((name.to_owned(), object.get(name).filter(is_id)?.clone()));
    ["id", "appId"].into_iter().filter_map(member).collect()
}

/// An application or a service principal: both are upserted by key and carry tags.
pub(super) struct Entry {
    keyed: Keyed,
    body: Value,
    /// Where it lies if somebody has deleted it.
    deleted: Deleted,
}

impl Entry {
    pub(super) fn application(application: &EntraApplication<Value>, told: &Outputs) -> Self {
        let EntraApplication { unique_name, body } = application;
        let owner = owner_tags(body.pointer("/tags"));
        let deleted = Deleted::application(unique_name, &owner, known_id(told));
        Self { keyed: Keyed::application(unique_name, owner), body: body.clone(), deleted }
    }

    pub(super) fn service_principal(principal: &ServicePrincipal<String, Value>, told: &Outputs) -> Self {
        let ServicePrincipal { app_id, body } = principal;
        let deleted = Deleted::service_principal(app_id, known_id(told));
        let keyed = Keyed::service_principal(app_id, owner_tags(body.pointer("/tags")));
        Self { keyed, body: body.clone(), deleted }
    }
}

impl Step for Entry {
    fn target(&self) -> Value {
        self.keyed.target().to_json()
    }

    fn look(&self) -> Request {
        self.keyed.look()
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        self.keyed.judge(&self.body, reply)
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        Some(self.keyed.upsert(&self.body))
    }

    fn restorable(&self) -> Option<&dyn Restorable> {
        Some(self)
    }
}

impl Restorable for Entry {
    fn looks(&self) -> Vec<Request> {
        self.deleted.looks()
    }

    fn judge(&self, look: usize, reply: &Reply) -> Result<Option<String>, Failure> {
        let object = self.deleted.shown(look, reply)?.filter(|object| self.keyed.ours(object));
        Ok(object.and_then(|object| Some(object.get("id")?.as_str()?.to_owned())))
    }

    fn restore(&self, id: &str) -> Option<Request> {
        Some(Deleted::restore(&ObjectId::read(id)?))
    }
}

/// What either left behind: the object itself, or the soft-deleted one that Entra keeps for thirty days.
pub(super) struct Remnant {
    keyed: Keyed,
    deleted: Deleted,
}

/// The object's id, if the step has told it.
fn known_id(told: &Outputs) -> Option<ObjectId> {
    ObjectId::read(told.get("id")?.as_str()?)
}

impl Remnant {
    pub(super) fn application(unique_name: &str, owner: Vec<String>, told: &Outputs) -> Self {
        let deleted = Deleted::application(unique_name, &owner, known_id(told));
        Self { keyed: Keyed::application(unique_name, owner), deleted }
    }

    pub(super) fn service_principal(app_id: &str, owner: Vec<String>, told: &Outputs) -> Self {
        let deleted = Deleted::service_principal(app_id, known_id(told));
        Self { keyed: Keyed::service_principal(app_id, owner), deleted }
    }
}

impl Remains for Remnant {
    fn looks(&self) -> Vec<Request> {
        std::iter::once(self.keyed.look()).chain(self.deleted.looks()).collect()
    }

    fn judge(&self, look: usize, reply: &Reply) -> Result<Trace, Failure> {
        if let Some(look) = look.checked_sub(1) {
            let by_id = self.deleted.is_by_id(look);
            let ours = self.deleted.shown(look, reply)?.filter(|object| by_id || self.keyed.ours(object));
            return Ok(ours.map_or(Trace::Nothing, |object| Trace::Lingering(ids(object))));
        }
        Ok(match self.keyed.shown(reply, &["id"])? {
            None => Trace::Nothing,
            Some(object) if !self.keyed.ours(object) => Trace::Foreign,
            Some(object) => Trace::Present(ids(object)),
        })
    }

    fn erase(&self, trace: &Trace) -> Option<Request> {
        match trace {
            Trace::Present(told) => {
                let path = GraphPath::of(self.keyed.collection).item(&known_id(told)?);
                Some(Request::graph(Method::Delete, path))
            }
            Trace::Lingering(told) => Some(Deleted::purge(&known_id(told)?)),
            Trace::Nothing | Trace::Settling | Trace::Retained(_) | Trace::Foreign => None,
        }
    }
}
