//! Answers that a resource provider is not registered, which the simulated Azure does not do. Only the requests that
//! follow are of interest; these answers are not compared with a description.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::ports::Transport;
use tenantry_core::steps::{Failure, Method, Reply, Request};

/// The header that marks these answers, so that they are not compared.
pub(crate) const HEADER: &str = "x-unregistered";

/// The resource providers for which the first write is answered with "not registered".
const UNREGISTERED: [&str; 2] = ["microsoft.cognitiveservices", "microsoft.storage"];

pub(crate) struct UnregisteredProviders {
    inner: Arc<dyn Transport>,
    registered: Mutex<BTreeSet<&'static str>>,
}

impl UnregisteredProviders {
    pub(crate) fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, registered: Mutex::default() }
    }

    /// The answer to the first write of an unregistered provider; `None` if the simulated Azure answers the request.
    fn answer(&self, request: &Request) -> Option<Reply> {
        let path = request.path.to_lowercase();
        let is_write = request.method == Method::Put;
        let unknown =
            UNREGISTERED.into_iter().find(|name| is_write && path.contains(&format!("/{name}/")))?;
        let is_first = self.registered.lock().unwrap().insert(unknown);
        let error = json!({"code": "MissingSubscriptionRegistration", "message": "Not registered."});
        is_first.then(|| reply(409, json!({"error": error})))
    }
}

fn reply(status: u16, body: Value) -> Reply {
    Reply { status, headers: BTreeMap::from([(HEADER.to_owned(), "yes".to_owned())]), body }
}

impl Transport for UnregisteredProviders {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        match self.answer(&request) {
            Some(reply) => Box::pin(async { Ok(reply) }),
            None => self.inner.send(request),
        }
    }
}
