//! Entra applications and their service principals, written by Microsoft Graph's upserts with an alternate key.
//!
//! Source: Microsoft Graph, "Upsert application" and "Upsert servicePrincipal": `PATCH` by an alternate key with
//! `Prefer: create-if-missing` answers 201 with the object if it created one, 204 if it changed one.

use serde_json::Value;

use super::{
    Comparison, Deletion, DeletionState, Failure, GraphPath, Method, ObjectId, Reply, Request, Restorable,
    Step, Target, deleted::Deleted, failure, target::owner_tags,
};
use crate::{
    blueprint::{EntraApplication, Outputs, ServicePrincipal},
    compare,
};

/// A Graph object that is found by an alternate key.
struct Keyed {
    /// The path of the object, i.e. the collection with the key, e.g. `/v1.0/applications(uniqueName='x')`.
    path: GraphPath,
    /// The path of the collection.
    collection: &'static str,
    /// The type's name in Graph.
    kind: &'static str,
    /// The key's name and value.
    key: (&'static str, String),
    /// The tags that mark the object's owner.
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

    fn read(&self) -> Request {
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
            Comparison::Drifted(differences)
        })
    }

    /// The object in an answer; `None` if there is none. An answer without the ids in `needed`, or with another key, is
    /// an error: it shows nothing about the object, and least of all that the object is deleted.
    fn shown<'a>(&self, reply: &'a Reply, needed: &[&str]) -> Result<Option<&'a Value>, Failure> {
        let outputs = ids(&reply.body);
        let (key, value) = &self.key;
        let seen = reply.body.get(*key).and_then(Value::as_str);
        match reply.status {
            404 => Ok(None),
            200 | 201 if seen.is_some_and(|seen| !compare::eq_ignore_case(seen, value)) => {
                Err(Failure::nonsense("the answer is about another object"))
            }
            200 | 201 if needed.iter().all(|id| outputs.contains_key(*id)) => Ok(Some(&reply.body)),
            200..=299 => Err(Failure::nonsense("the answer shows no object")),
            _ => Err(failure::classify(reply)),
        }
    }
}

/// The outputs of applications and service principals: `id` and `appId`, if the object shows them.
fn ids(object: &Value) -> Outputs {
    let is_id = |id: &&Value| id.as_str().and_then(ObjectId::read).is_some();
    let member = |name: &str| Some((name.to_owned(), object.get(name).filter(is_id)?.clone()));
    ["id", "appId"].into_iter().filter_map(member).collect()
}

/// The step of an application or a service principal: both are upserted by key and carry tags.
pub(super) struct Entry {
    keyed: Keyed,
    body: Value,
    /// How the object is found after somebody else has deleted it.
    deleted: Deleted,
}

impl Entry {
    pub(super) fn application(application: &EntraApplication<Value>, outputs: &Outputs) -> Self {
        let EntraApplication { unique_name, body } = application;
        let owner = owner_tags(body.pointer("/tags"));
        let deleted = Deleted::application(unique_name, &owner, known_id(outputs));
        Self { keyed: Keyed::application(unique_name, owner), body: body.clone(), deleted }
    }

    pub(super) fn service_principal(principal: &ServicePrincipal<String, Value>, outputs: &Outputs) -> Self {
        let ServicePrincipal { app_id, body } = principal;
        let deleted = Deleted::service_principal(app_id, known_id(outputs));
        let keyed = Keyed::service_principal(app_id, owner_tags(body.pointer("/tags")));
        Self { keyed, body: body.clone(), deleted }
    }
}

impl Step for Entry {
    fn target(&self) -> Value {
        self.keyed.target().to_json()
    }

    fn read(&self) -> Request {
        self.keyed.read()
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
    fn reads(&self) -> Vec<Request> {
        self.deleted.reads()
    }

    fn judge(&self, read: usize, reply: &Reply) -> Result<Option<String>, Failure> {
        let object = self.deleted.shown(read, reply)?.filter(|object| self.keyed.ours(object));
        Ok(object.and_then(|object| Some(object.get("id")?.as_str()?.to_owned())))
    }

    fn restore(&self, id: &str) -> Option<Request> {
        Some(Deleted::restore(&ObjectId::read(id)?))
    }
}

/// The deletion of an application or a service principal: of the object itself, then of the soft-deleted object that
/// Entra keeps for thirty days.
pub(super) struct EntryDeletion {
    keyed: Keyed,
    deleted: Deleted,
}

/// The object's id, if the step has it among its outputs.
fn known_id(outputs: &Outputs) -> Option<ObjectId> {
    ObjectId::read(outputs.get("id")?.as_str()?)
}

impl EntryDeletion {
    pub(super) fn application(unique_name: &str, owner: Vec<String>, outputs: &Outputs) -> Self {
        let deleted = Deleted::application(unique_name, &owner, known_id(outputs));
        Self { keyed: Keyed::application(unique_name, owner), deleted }
    }

    pub(super) fn service_principal(app_id: &str, owner: Vec<String>, outputs: &Outputs) -> Self {
        let deleted = Deleted::service_principal(app_id, known_id(outputs));
        Self { keyed: Keyed::service_principal(app_id, owner), deleted }
    }
}

impl Deletion for EntryDeletion {
    fn reads(&self) -> Vec<Request> {
        std::iter::once(self.keyed.read()).chain(self.deleted.reads()).collect()
    }

    fn judge(&self, read: usize, reply: &Reply) -> Result<DeletionState, Failure> {
        if let Some(read) = read.checked_sub(1) {
            let by_id = self.deleted.is_by_id(read);
            let ours = self.deleted.shown(read, reply)?.filter(|object| by_id || self.keyed.ours(object));
            return Ok(ours.map_or(DeletionState::Nothing, |object| DeletionState::SoftDeleted(ids(object))));
        }
        Ok(match self.keyed.shown(reply, &["id"])? {
            None => DeletionState::Nothing,
            Some(object) if !self.keyed.ours(object) => DeletionState::Foreign,
            Some(object) => DeletionState::Present(ids(object)),
        })
    }

    fn delete(&self, state: &DeletionState) -> Option<Request> {
        match state {
            DeletionState::Present(outputs) => {
                let path = GraphPath::of(self.keyed.collection).item(&known_id(outputs)?);
                Some(Request::graph(Method::Delete, path))
            }
            DeletionState::SoftDeleted(outputs) => Some(Deleted::purge(&known_id(outputs)?)),
            DeletionState::Nothing
            | DeletionState::InProgress
            | DeletionState::Retained(_)
            | DeletionState::Foreign => None,
        }
    }
}
