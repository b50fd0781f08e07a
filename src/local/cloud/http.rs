//! The HTTP side: reads a request whole, finds its service, answers with the headers that Azure sends.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::Response,
};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::{
    CloudError, Inner, arm, events,
    faults::Failure,
    graph, operations,
    reply::{Call, Outcome, Refusal, Reply, Stop},
    sim,
    store::{Change, Entry, Look as _, Snapshot},
};

/// More than any service takes; beyond, reading stops.
const MOST_BYTES: usize = 4 << 20;
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Which service a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Arm,
    Graph,
    EventGrid,
    Simulator,
}

impl Service {
    fn of(path: &str) -> Self {
        if path.starts_with("/_sim/") {
            Self::Simulator
        } else if path.starts_with("/v1.0/") {
            Self::Graph
        } else if path == "/api/events" {
            Self::EventGrid
        } else {
            Self::Arm
        }
    }
}

/// Answers any request.
pub(crate) async fn handle(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let service = Service::of(request.uri().path());
    let request_id = request_id(&inner);
    let (reply, method) = match read(request).await {
        Err(refusal) => (refusal.arm(), String::new()),
        Ok(call) => {
            let method = call.method.clone();
            match respond(&inner, service, call, &request_id).await {
                Ok(Some(reply)) => (reply, method),
                Ok(None) => return cut(),
                Err(error) => (broken(&error), method),
            }
        }
    };
    finish(service, &method, reply, &request_id)
}

fn request_id(inner: &Inner) -> String {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}|{number}", (inner.now)()).as_bytes()).to_string()
}

fn broken(error: &CloudError) -> Reply {
    tracing::error!(error = %error, "the simulated Azure failed");
    Refusal::new(500, "InternalServerError", "The simulated Azure failed; its log says why.").arm()
}

/// A response whose body fails before its first byte: the connection is closed without an answer.
fn cut() -> Response {
    let gone = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the reply is dropped on request");
    Response::new(Body::from_stream(futures_util::stream::once(
        async move { Err::<axum::body::Bytes, _>(gone) },
    )))
}

async fn read(request: Request) -> Result<Call, Refusal> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MOST_BYTES).await.map_err(|e| {
        Refusal::new(413, "RequestEntityTooLarge", format!("The request can't be read: {e}."))
    })?;
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let host = headers.get("host").cloned().or_else(|| parts.uri.authority().map(ToString::to_string));
    let query_text = parts.uri.query().unwrap_or_default().to_owned();
    Ok(Call {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: query(&query_text),
        query_text,
        headers,
        body: body.to_vec(),
        base: format!("http://{}", host.unwrap_or_else(|| "127.0.0.1".to_owned())),
    })
}

fn query(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name).to_lowercase(), decode(value)))
        .collect()
}

/// The reply, or nothing if it is to be dropped.
async fn respond(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    request_id: &str,
) -> Result<Option<Reply>, CloudError> {
    if service == Service::Simulator {
        flush(inner).await?;
        return look(inner, |look| {
            sim::answer(inner, look, &call).or_else(|stop| refused(stop, service, request_id, inner))
        })
        .await
        .map(Some);
    }
    if let Some(refusal) = unauthorized(service, &call) {
        return note(inner, &call, worded(refusal, service, request_id, inner)).await.map(Some);
    }
    let fault = inner.faults.take(&call);
    if let Some(answer) = fault.as_ref().and_then(|fault| fault.answer.clone()) {
        let reply = Reply {
            headers: answer.headers.into_iter().collect(),
            body: answer.body,
            ..Reply::empty(answer.status)
        };
        return note(inner, &call, reply).await.map(Some);
    }
    let drop_reply = fault.as_ref().is_some_and(|fault| fault.drop_reply);
    let failure = fault.and_then(|fault| fault.fail_operation);
    let reply = if call.mutates() {
        write(inner, service, call, failure, request_id).await?
    } else {
        let reply = look(inner, |look| {
            let outcome = match service {
                Service::Graph => graph::read(look, &call),
                Service::EventGrid => {
                    Err(Refusal::new(405, "MethodNotAllowed", "Events are published with POST.").into())
                }
                Service::Arm | Service::Simulator => arm::read(look, &call),
            };
            outcome.or_else(|stop| refused(stop, service, request_id, inner))
        })
        .await?;
        note(inner, &call, reply).await?
    };
    Ok((!drop_reply).then_some(reply))
}

fn unauthorized(service: Service, call: &Call) -> Option<Refusal> {
    let header = call.headers.get("authorization")?;
    let token = header.strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    let code = match service {
        Service::Graph => "InvalidAuthenticationToken",
        Service::Arm | Service::EventGrid | Service::Simulator => "AuthenticationFailed",
    };
    token.is_empty().then(|| {
        Refusal::new(401, code, "Authentication failed: the bearer token is missing.")
            .with("WWW-Authenticate", "Bearer")
    })
}

fn worded(refusal: Refusal, service: Service, request_id: &str, inner: &Inner) -> Reply {
    match service {
        Service::Graph => refusal.graph(request_id, (inner.now)()),
        Service::Arm | Service::EventGrid | Service::Simulator => refusal.arm(),
    }
}

fn refused(stop: Stop, service: Service, request_id: &str, inner: &Inner) -> Result<Reply, CloudError> {
    match stop {
        Stop::Refused(refusal) => Ok(worded(*refusal, service, request_id, inner)),
        Stop::Broken(error) => Err(error),
    }
}

/// Looks at a view in which all that has fallen due is done.
async fn look(
    inner: &Arc<Inner>,
    answer: impl Fn(&Snapshot) -> Result<Reply, CloudError>,
) -> Result<Reply, CloudError> {
    let mut view = Snapshot::new(inner.db.read()?, (inner.now)())?;
    if view.is_stale()? {
        let (now, speed) = (Arc::clone(&inner.now), inner.speed);
        inner
            .db
            .write(move |transaction| operations::settle(&mut Change::new(transaction, now(), speed)?))
            .await?;
        view = Snapshot::new(inner.db.read()?, view.now)?;
    }
    answer(&view)
}

async fn write(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    failure: Option<Failure>,
    request_id: &str,
) -> Result<Reply, CloudError> {
    let (own, request_id) = (Arc::clone(inner), request_id.to_owned());
    inner
        .db
        .write(move |transaction| {
            let mut change = Change::new(transaction, (own.now)(), own.speed)?;
            for entry in own.journal.take() {
                change.note(&entry)?;
            }
            operations::settle(&mut change)?;
            change.failure = failure;
            let outcome: Outcome = match service {
                Service::Graph => graph::change(&mut change, &call),
                Service::EventGrid => events::publish(&mut change, &call),
                Service::Arm | Service::Simulator => arm::change(&mut change, &call),
            };
            let reply = outcome.or_else(|stop| refused(stop, service, &request_id, &own))?;
            let tenant = match (&reply.tenant, service) {
                (None, Service::Arm) => change.tenant_at(&call.path)?,
                (tenant, _) => tenant.clone(),
            };
            change.note(&entry(&own, &call, &reply, tenant))?;
            Ok(reply)
        })
        .await
}

fn entry(inner: &Inner, call: &Call, reply: &Reply, tenant: Option<String>) -> Entry {
    Entry {
        at: (inner.now)(),
        method: call.method.clone(),
        path: call.target(),
        status: reply.status,
        tenant,
    }
}

/// Journals what no change has journalled: durably if the request could have changed something.
async fn note(inner: &Arc<Inner>, call: &Call, reply: Reply) -> Result<Reply, CloudError> {
    let full = inner.journal.hold(entry(inner, call, &reply, reply.tenant.clone()));
    if full || call.mutates() {
        flush(inner).await?;
    }
    Ok(reply)
}

/// Writes the journal's waiting lines.
pub(crate) async fn flush(inner: &Arc<Inner>) -> Result<(), CloudError> {
    let entries = inner.journal.take();
    if entries.is_empty() {
        return Ok(());
    }
    let (now, speed) = (Arc::clone(&inner.now), inner.speed);
    inner
        .db
        .write(move |transaction| {
            let mut change = Change::new(transaction, now(), speed)?;
            entries.iter().try_for_each(|entry| change.note(entry))
        })
        .await
}

fn finish(service: Service, method: &str, reply: Reply, request_id: &str) -> Response {
    let mut headers = reply.headers;
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
        Service::EventGrid | Service::Simulator => {}
    }
    add("x-ms-request-id", request_id);
    add("x-ms-correlation-request-id", request_id);
    let body = match &reply.body {
        Some(body) => {
            add("Content-Type", "application/json; charset=utf-8");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
