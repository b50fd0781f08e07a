//! HTTP: reads a request completely, selects its service, and answers with the headers that Azure sends.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    answer::respond,
    call::{Call, form},
    error::CloudError,
    inner::Inner,
    journal_stream,
    path::normalised,
    reply::{Body as Content, Refusal, Reply},
    router::route,
    service::Service,
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use uuid::Uuid;

/// The size of the largest request body that is read. No service accepts more.
const MOST_BYTES: usize = 4 << 20;
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Answers any HTTP request; the only handler of the router.
pub(crate) async fn handle(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let service = route(host, request.uri().path());
    let request_id = request_id(&inner);
    let method = request.method().as_str().to_owned();
    let reply = match read(request).await {
        Err(refusal) => service.refusal(refusal, &request_id, (inner.now)()),
        Ok(call) => match respond(&inner, service, call, &request_id).await {
            Ok(Some(reply)) => reply,
            Ok(None) => return cut(),
            Err(error) => failed(&error),
        },
    };
    finish(&inner, service, &method, reply, &request_id)
}

fn request_id(inner: &Inner) -> String {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}|{number}", (inner.now)()).as_bytes()).to_string()
}

fn failed(error: &CloudError) -> Reply {
    tracing::error!(error = %error, "the simulated Azure failed");
    Refusal::new(500, "InternalServerError", "The simulated Azure failed; its log says why.").arm()
}

/// A response whose body fails before its first byte: the connection is closed without an answer.
fn cut() -> Response {
    let cut = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the reply is dropped on request");
    Response::new(Body::from_stream(futures_util::stream::once(
        async move { Err::<axum::body::Bytes, _>(cut) },
    )))
}

async fn read(request: Request) -> Result<Call, Refusal> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MOST_BYTES).await.map_err(|e| {
        Refusal::new(413, "RequestEntityTooLarge", format!("The request can't be read: {e}."))
    })?;
    let mut headers = BTreeMap::new();
    for (name, value) in &parts.headers {
        let Ok(value) = value.to_str() else {
            let why = format!("The header '{name}' has other characters than printable ASCII ones.");
            return Err(Refusal::new(400, "BadRequest", why));
        };
        headers.insert(name.as_str().to_owned(), value.to_owned());
    }
    let host = headers.get("host").cloned().or_else(|| parts.uri.authority().map(ToString::to_string));
    let query_text = parts.uri.query().unwrap_or_default().to_owned();
    Ok(Call {
        method: parts.method.as_str().to_owned(),
        path: normalised(parts.uri.path()),
        query: form(&query_text),
        query_text,
        headers,
        body: body.to_vec(),
        base: format!("http://{}", host.unwrap_or_else(|| "127.0.0.1".to_owned())),
    })
}

fn finish(inner: &Arc<Inner>, service: Service, method: &str, reply: Reply, request_id: &str) -> Response {
    let Reply { status, mut headers, body, .. } = reply;
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    match service {
        Service::Graph => {
            add("request-id", request_id);
            add("client-request-id", request_id);
        }
        Service::Arm => {
            let (kind, left) = match method {
                "DELETE" => ("deletes", "199"),
                "GET" | "HEAD" => ("reads", "249"),
                _ => ("writes", "199"),
            };
            add(&format!("x-ms-ratelimit-remaining-subscription-{kind}"), left);
        }
        Service::EventGrid
        | Service::Bus
        | Service::Identity
        | Service::Login
        | Service::Inference
        | Service::Simulator => {}
    }
    add("x-ms-request-id", request_id);
    add("x-ms-correlation-request-id", request_id);
    let body = match body {
        Some(Content::Json(body)) => {
            add("Content-Type", "application/json; charset=utf-8");
            Body::from(body.to_string())
        }
        Some(Content::Xml(body)) => {
            add("Content-Type", "application/xml; charset=utf-8");
            Body::from(body)
        }
        Some(Content::Journal(tenant)) => {
            add("Content-Type", "application/json; charset=utf-8");
            Body::from_stream(journal_stream::lines(Arc::clone(inner), tenant))
        }
        None => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
