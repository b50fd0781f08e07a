//! A federated identity credential: the customer's workload trades its own identity for the tenant's, without a secret.

use serde_json::Value;

use super::{
    Comparison, Failure, GraphPath, Method, ObjectId, Remains, Reply, Request, Step, Target, Trace, failure,
};
use crate::{
    blueprint::{self, BadField, Outputs},
    compare,
};

/// The step, and what it left behind: both are found by application and name. The name can't be changed by others
/// without the application, so it is proof of ownership.
pub(super) struct FederatedCredential {
    application: ObjectId,
    /// The same as it is remembered.
    remembered: String,
    name: String,
    body: Value,
}

impl FederatedCredential {
    /// The credential that is to be there.
    pub(super) fn new(credential: &blueprint::FederatedCredential<String, Value>) -> Result<Self, Failure> {
        let (application, name) = (credential.application.clone(), credential.name.clone());
        Self::remembered(application, name).map(|found| Self { body: credential.body.clone(), ..found })
    }

    /// The credential that may be there.
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

/// The id of the credential that an answer shows; without one it shows none.
fn shown(reply: &Reply) -> Result<&Value, Failure> {
    let id = reply.body.get("id").filter(|id| id.is_string());
    id.ok_or_else(|| Failure::nonsense("the answer shows no credential"))
}

impl Step for FederatedCredential {
    fn target(&self) -> Value {
        let (application, name) = (self.remembered.clone(), self.name.clone());
        Target::FederatedCredential { application, name }.to_json()
    }

    fn look(&self) -> Request {
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
                    false => Comparison::Differs(differences),
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

impl Remains for FederatedCredential {
    fn looks(&self) -> Vec<Request> {
        vec![self.request(Method::Get)]
    }

    fn judge(&self, _look: usize, reply: &Reply) -> Result<Trace, Failure> {
        match reply.status {
            404 => Ok(Trace::Nothing),
            200..=299 => shown(reply).map(|_| Trace::Present(Outputs::new())),
            _ => Err(failure::classify(reply)),
        }
    }

    fn erase(&self, trace: &Trace) -> Option<Request> {
        matches!(trace, Trace::Present(_)).then(|| self.request(Method::Delete))
    }
}
