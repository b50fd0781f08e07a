//! A handler that a test scripts, and a fixture with the queue whose messages the host delivers to the handler.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use azure_sim::{
    db::Db,
    queue::{BrokerSettings, NewMessage, Queue},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::local::host::{AppFiles, EmbeddedHost, Handler, HostClock, HostSettings};
use tokio::{net::TcpListener, sync::watch};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the host under test runs at the speed of the real clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// One request that a handler got.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) headers: HeaderMap,
    pub(crate) envelope: Value,
}

impl Call {
    /// The body of the queue message with which the handler was called.
    pub(crate) fn body(&self) -> String {
        let data = self.envelope["Data"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
        String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap()
    }

    pub(crate) fn delivery(&self) -> &str {
        self.envelope["Metadata"]["DeliveryCount"].as_str().unwrap()
    }

    pub(crate) fn is(&self, function: &str) -> bool {
        self.function == function
    }
}

pub(crate) type Script = dyn Fn(Call) -> BoxFuture<'static, Response> + Send + Sync;

/// A handler that answers as a test's script says, and records its calls.
pub(crate) struct Harness {
    pub(crate) calls: watch::Sender<Vec<Call>>,
    script: Box<Script>,
}

pub(crate) fn done() -> Response {
    Json(json!({ "Outputs": {}, "Logs": null, "ReturnValue": null })).into_response()
}

pub(crate) fn refused() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "not now" }))).into_response()
}

pub(crate) fn harness<F>(script: impl Fn(Call) -> F + Send + Sync + 'static) -> Arc<Harness>
where
    F: Future<Output = Response> + Send + 'static,
{
    Arc::new(Harness {
        calls: watch::Sender::default(),
        script: Box::new(move |call| Box::pin(script(call))),
    })
}

impl Harness {
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        if request.method() == Method::GET {
            return done();
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let call = Call {
            function: head.uri.path().trim_start_matches('/').to_owned(),
            headers: head.headers,
            envelope: serde_json::from_slice(&body).unwrap(),
        };
        self.calls.send_modify(|calls| calls.push(call.clone()));
        (self.script)(call).await
    }

    pub(crate) fn handler(self: &Arc<Self>) -> Handler {
        let harness = Arc::clone(self);
        Handler::InProcess(Arc::new(move |listener: TcpListener| {
            let harness = Arc::clone(&harness);
            let router = Router::new().fallback(move |request: Request| Arc::clone(&harness).answer(request));
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
        }))
    }

    /// Waits until the calls so far fulfil a condition, and returns them.
    pub(crate) async fn until(&self, enough: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let mut calls = self.calls.subscribe();
        let found = tokio::time::timeout(TIMEOUT, calls.wait_for(|calls| enough(calls))).await;
        match found {
            Ok(calls) => calls.unwrap().clone(),
            Err(_) => panic!("never happened; the calls were {:#?}", self.calls.borrow()),
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) queue: Queue,
    pub(crate) settings: HostSettings,
    pub(crate) folder: TempDir,
}

pub(crate) fn fixture_with(lock: Duration) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = BrokerSettings::default();
    for queue in broker.queues.values_mut() {
        queue.lock = lock;
    }
    let queue = Queue::open(Db::open(&folder.path().join("state.redb")).unwrap(), broker).unwrap();
    let mut settings = HostSettings::new(AppFiles::embedded().unwrap());
    settings.timeout_grace = Duration::ZERO;
    // A timer tick at the full minute would be a call that no test expects.
    settings.timer_interval = Some(Duration::from_secs(3600));
    Fixture { queue, settings, folder }
}

pub(crate) fn fixture() -> Fixture {
    fixture_with(Duration::from_secs(60))
}

impl Fixture {
    pub(crate) async fn start(&self, handler: Handler) -> EmbeddedHost {
        self.start_at(handler, Arc::new(now)).await
    }

    pub(crate) async fn start_at(&self, handler: Handler, clock: HostClock) -> EmbeddedHost {
        EmbeddedHost::start(self.settings.clone(), handler, self.queue.clone(), clock).await.unwrap()
    }

    pub(crate) async fn request(&self, id: &str, session: &str) {
        let message = NewMessage {
            message_id: Some(id.to_owned()),
            session_id: Some(session.to_owned()),
            body: id.as_bytes().to_vec(),
            properties: BTreeMap::from([("schemaVersion".to_owned(), json!(1))]),
            content_type: Some("application/json".to_owned()),
            ..NewMessage::default()
        };
        self.queue.send("tenant-requests", message, now()).await.unwrap();
    }

    pub(crate) async fn idle(&self, host: &EmbeddedHost) {
        let mut changes = self.queue.changes();
        let idle = async {
            while !host.is_idle() {
                // An invocation ends a moment after its message is settled, and its end does not change the queue.
                let _ = tokio::time::timeout(Duration::from_millis(20), changes.changed()).await;
            }
        };
        tokio::time::timeout(TIMEOUT, idle).await.unwrap();
    }
}
