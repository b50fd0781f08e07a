//! A server on loopback that gives scripted answers and records its requests.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tenantry::ports::Clock;
use tokio::{net::TcpListener, task::JoinHandle};

/// A request that the server received.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    peer: SocketAddr,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A scripted answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Status 200 with a body of this many spaces.
    Flood(usize),
    /// No answer; the connection stays open.
    Silence,
    /// The connection is closed before the answer is complete.
    Cut,
}

pub(crate) fn json(status: u16, body: &Value) -> Answer {
    Answer::Whole {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string(),
    }
}

pub(crate) fn with_header(answer: Answer, name: &'static str, value: impl Into<String>) -> Answer {
    match answer {
        Answer::Whole { status, mut headers, body } => {
            headers.push((name, value.into()));
            Answer::Whole { status, headers, body }
        }
        other @ (Answer::Flood(_) | Answer::Silence | Answer::Cut) => other,
    }
}

#[derive(Default)]
struct Inner {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

pub(crate) struct Script {
    pub(crate) url: String,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Script {
    /// Starts a server that gives these answers in order, and `200 {}` to each request after the last one.
    pub(crate) async fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let inner =
            Arc::new(Inner { answers: Mutex::new(answers.into_iter().collect()), ..Inner::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { url, inner, server }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// The number of connections over which requests arrived.
    pub(crate) fn connections(&self) -> usize {
        self.asked().iter().map(|asked| asked.peer).collect::<BTreeSet<_>>().len()
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = String::from_utf8_lossy(&body).into_owned();
    let asked = Asked { method: head.method.to_string(), target: head.uri.to_string(), headers, body, peer };
    inner.asked.lock().unwrap().push(asked);
    let next = inner.answers.lock().unwrap().pop_front();
    match next.unwrap_or_else(|| json(200, &Value::Object(serde_json::Map::new()))) {
        Answer::Whole { status, headers, body } => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Answer::Flood(bytes) => Response::new(Body::from(vec![b' '; bytes])),
        Answer::Silence => std::future::pending().await,
        Answer::Cut => {
            let error = std::io::Error::other("cut");
            let cut = futures_util::stream::once(async { Err::<axum::body::Bytes, _>(error) });
            Response::new(Body::from_stream(cut))
        }
    }
}

/// A clock that moves only when code waits on it or a test calls [`Jumping::pass`].
pub(crate) struct Jumping(Mutex<Timestamp>);

impl Jumping {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())))
    }

    pub(crate) fn pass(&self, span: Duration) {
        let mut now = self.0.lock().unwrap();
        *now += span;
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(at);
        Box::pin(std::future::ready(()))
    }
}
