//! A proxy between the program and Azurite that replaces or drops a share of the answers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use reqwest::Url;
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) struct FaultProxy {
    pub(crate) url: Url,
    inner: Arc<Inner>,
    server: JoinHandle<()>,
}

struct Inner {
    client: reqwest::Client,
    target: Url,
    /// One of this many answers is replaced or dropped; 0 means none.
    one_of: u64,
    requests: AtomicU64,
    spoilt: AtomicU64,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FaultProxy {
    pub(crate) async fn before(target: &Url, one_of: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        url.set_path(target.path());
        let inner = Arc::new(Inner {
            client: crate::testkit::client(),
            target: target.clone(),
            one_of,
            requests: AtomicU64::new(0),
            spoilt: AtomicU64::new(0),
        });
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, server }
    }

    pub(crate) fn spoilt(&self) -> u64 {
        self.inner.spoilt.load(Ordering::Relaxed)
    }
}

async fn pass_on(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let number = inner.requests.fetch_add(1, Ordering::Relaxed);
    let spoils = inner.one_of > 0 && number % inner.one_of == inner.one_of - 1;
    if !spoils {
        return forward(&inner, request).await;
    }
    match inner.spoilt.fetch_add(1, Ordering::Relaxed) % 3 {
        0 => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "1")]).into_response(),
        1 => {
            // The request is carried out, and its answer is lost.
            forward(&inner, request).await;
            cut()
        }
        _ => cut(),
    }
}

async fn forward(inner: &Inner, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap();
    let mut url = inner.target.clone();
    url.set_path(head.uri.path());
    url.set_query(head.uri.query());
    let mut headers = head.headers;
    headers.remove("host");
    let sent = inner.client.request(head.method, url).headers(headers).body(body).send().await;
    let Ok(answer) = sent else { return cut() };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// An answer whose connection breaks before the answer is complete.
fn cut() -> Response {
    let error = std::io::Error::other("cut");
    Response::new(Body::from_stream(futures_util::stream::once(async { Err::<axum::body::Bytes, _>(error) })))
}
