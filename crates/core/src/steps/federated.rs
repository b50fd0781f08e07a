//! A federated identity credential: a customer's workload exchanges its own token for a token of the tenant's
//! application, without a secret.

use serde_json::Value;

use super::{
    Comparison, Deletion, DeletionState, Failure, GraphPath, Method, ObjectId, Reply, Request, Step, Target,
    failure,
};
use crate::{
    blueprint::{self, BadField, Outputs},
    compare,
};

/// The step and its deletion: both identify the credential by application and name. Only the application's owner can
/// set the name, so it proves ownership.
pub(super) struct FederatedCredential {
    application: ObjectId,
    /// The application's object id as the document records it, not encoded.
    remembered: String,
    name: String,
    body: Value,
}

impl FederatedCredential {
    /// A credential that should exist.
    pub(super) fn new(credential: &blueprint::FederatedCredential<String, Value>) -> Result<Self, Failure> {
        let (application, name) = (credential.application.clone(), credential.name.clone());
        Self::remembered(application, name).map(|found| Self { body: credential.body.clone(), ..found })
    }

    /// A credential that may exist, from its recorded target.
    pub(super) fn remembered(application: String, name: String) -> Result<Self, Failure> {
        let id = ObjectId::read(&application);
        let id = id.ok_or_else(|| BadField::new("application", "an object's id is one segment of a path"))?;
        Ok(Self { application: id, remembered: application, name, body: Value::Null })
    }

    fn request(&self, method: Method) -> Request {
        let of = GraphPath::of("/v1.0/applications").item(&self.application);
        Request::graph(method, of.then("/federatedIdentityCredentials").keyed("name", &self.name))
    }
}

/// The credential in an answer; an answer without an id shows none.
fn shown(reply: &Reply) -> Result<&Value, Failure> {
    let id = reply.body.get("id").filter(|id| id.is_string());
    id.ok_or_else(|| Failure::nonsense("the answer shows no credential"))
}

impl Step for FederatedCredential {
    fn target(&self) -> Value {
        let (application, name) = (self.remembered.clone(), self.name.clone());
        Target::FederatedCredential { application, name }.to_json()
    }

    fn read(&self) -> Request {
        self.request(Method::Get)
    }

    fn judge(&self, reply: &Reply) -> Result<Comparison, Failure> {
        match reply.status {
            404 => Ok(Comparison::Absent),
            200..=299 => {
                let id = shown(reply)?.clone();
                let differences =
                    compare::differences(compare::graph::FEDERATED_CREDENTIAL, &self.body, &reply.body);
                Ok(match differences.is_empty() {
                    true => Comparison::Matches(Outputs::from([("id".to_owned(), id)])),
                    false => Comparison::Drifted(differences),
                })
            }
            _ => Err(failure::classify(reply)),
        }
    }

    fn write(&self, _seen: Option<&Value>) -> Option<Request> {
        let request = self.request(Method::Patch).with_header("prefer", "create-if-missing");
        Some(request.with_body(self.body.clone()))
    }
}

impl Deletion for FederatedCredential {
    fn reads(&self) -> Vec<Request> {
        vec![self.request(Method::Get)]
    }

    fn judge(&self, _read: usize, reply: &Reply) -> Result<DeletionState, Failure> {
        match reply.status {
            404 => Ok(DeletionState::Nothing),
            200..=299 => shown(reply).map(|_| DeletionState::Present(Outputs::new())),
            _ => Err(failure::classify(reply)),
        }
    }

    fn delete(&self, state: &DeletionState) -> Option<Request> {
        matches!(state, DeletionState::Present(_)).then(|| self.request(Method::Delete))
    }
}
