//! Answers where the simulated Azure can't: providers that are not registered yet. Only the requests matter then; these
//! answers are not compared with anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::ports::Transport;
use tenantry_core::steps::{Failure, Method, Reply, Request};

/// The header that marks its answers.
pub(crate) const HEADER: &str = "x-unregistered";

/// The writes whose first attempt finds the provider not registered.
const UNREGISTERED: [&str; 2] = ["microsoft.cognitiveservices", "microsoft.storage"];

pub(crate) struct UnregisteredProviders {
    inner: Arc<dyn Transport>,
    registered: Mutex<BTreeSet<&'static str>>,
}

impl UnregisteredProviders {
    pub(crate) fn new(inner: Arc<dyn Transport>) -> Self {
        Self { inner, registered: Mutex::default() }
    }

    /// The answer, unless the simulated Azure has to give it.
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
