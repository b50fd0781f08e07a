//! Plays the parts that the simulated Azure does not know: accounts of Cognitive Services, which are kept for a while
//! after they were deleted, and providers that are not registered yet. Only the requests are of interest then; what is answered here is not held against anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::{
    ports::Wire,
    steps::{Failure, Method, Reply, Request},
};

/// The header by which its answers are known.
pub(crate) const HEADER: &str = "x-understudy";

const ACCOUNTS: &str = "/microsoft.cognitiveservices/";
/// The writes whose first attempt finds the provider not registered.
const UNREGISTERED: [&str; 2] = ["microsoft.cognitiveservices", "microsoft.storage"];

pub(crate) struct Understudy {
    inner: Arc<dyn Wire>,
    resources: Mutex<BTreeMap<String, Value>>,
    registered: Mutex<BTreeSet<&'static str>>,
}

impl Understudy {
    pub(crate) fn new(inner: Arc<dyn Wire>) -> Self {
        Self { inner, resources: Mutex::default(), registered: Mutex::default() }
    }

    /// The answer, if it is not the simulated Azure that gives it.
    fn answer(&self, request: &Request) -> Option<Reply> {
        let address = request.path.split('?').next().unwrap();
        let path = address.to_lowercase();
        if request.method == Method::Put {
            let unknown = UNREGISTERED.into_iter().find(|namespace| path.contains(&format!("/{namespace}/")));
            if unknown.is_some_and(|namespace| self.registered.lock().unwrap().insert(namespace)) {
                let error = json!({"code": "MissingSubscriptionRegistration", "message": "Not registered."});
                return Some(reply(409, json!({"error": error})));
            }
        }
        if path.ends_with("/microsoft.cognitiveservices/register") {
            return Some(reply(200, json!({"registrationState": "Registered"})));
        }
        path.contains(ACCOUNTS).then(|| self.play(request, address, path))
    }

    fn play(&self, request: &Request, address: &str, path: String) -> Reply {
        let mut resources = self.resources.lock().unwrap();
        let below = format!("{path}/");
        match request.method {
            Method::Get if path.ends_with("/roleassignments") => {
                let granted = resources.iter().filter(|(id, _)| id.starts_with(&below));
                reply(200, json!({"value": granted.map(|(_, resource)| resource).collect::<Vec<_>>()}))
            }
            Method::Get => match resources.get(&path) {
                Some(resource) => reply(200, resource.clone()),
                None => reply(404, json!({"error": {"code": "ResourceNotFound", "message": "Not there."}})),
            },
            Method::Delete => {
                if let Some((kept, account)) = resources.get(&path).and_then(|account| kept(&path, account)) {
                    resources.insert(kept, account);
                }
                resources.retain(|id, _| *id != path && !id.starts_with(&below));
                reply(200, Value::Null)
            }
            Method::Put | Method::Patch | Method::Post => {
                let mut resource = request.body.clone().unwrap();
                resource["id"] = json!(address);
                resource["properties"]["provisioningState"] = json!("Succeeded");
                resource["properties"]["endpoint"] = json!("https://account.example/");
                if let Some((scope, _)) = address.split_once("/providers/Microsoft.Authorization/") {
                    resource["properties"]["scope"] = json!(scope);
                }
                resources.insert(path, resource.clone());
                reply(201, resource)
            }
        }
    }
}

/// Where an account lies once it is deleted, and how it looks there.
fn kept(path: &str, account: &Value) -> Option<(String, Value)> {
    let (group, name) = path.split_once("/providers/microsoft.cognitiveservices/accounts/")?;
    let (subscription, group) = group.split_once("/resourcegroups/").filter(|_| !name.contains('/'))?;
    let location = account["location"].as_str()?;
    let place = format!("locations/{location}/resourcegroups/{group}/deletedaccounts/{name}");
    let id = format!("{subscription}/providers/microsoft.cognitiveservices/{place}");
    let mut account = account.clone();
    account["id"] = json!(id);
    Some((id, account))
}

fn reply(status: u16, body: Value) -> Reply {
    Reply { status, headers: BTreeMap::from([(HEADER.to_owned(), "yes".to_owned())]), body }
}

impl Wire for Understudy {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        match self.answer(&request) {
            Some(reply) => Box::pin(async { Ok(reply) }),
            None => self.inner.send(request),
        }
    }
}
