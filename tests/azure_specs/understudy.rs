//! Plays the part that the simulated Azure does not know: providers that are not registered yet. Only the requests are of
//! interest then; what is answered here is not held against anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::ports::Wire;
use tenantry_core::steps::{Failure, Method, Reply, Request};

/// The header by which its answers are known.
pub(crate) const HEADER: &str = "x-understudy";

/// The writes whose first attempt finds the provider not registered.
const UNREGISTERED: [&str; 2] = ["microsoft.cognitiveservices", "microsoft.storage"];

pub(crate) struct Understudy {
    inner: Arc<dyn Wire>,
    registered: Mutex<BTreeSet<&'static str>>,
}

impl Understudy {
    pub(crate) fn new(inner: Arc<dyn Wire>) -> Self {
        Self { inner, registered: Mutex::default() }
    }

    /// The answer, if it is not the simulated Azure that gives it.
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

impl Wire for Understudy {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        match self.answer(&request) {
            Some(reply) => Box::pin(async { Ok(reply) }),
            None => self.inner.send(request),
        }
    }
}
