//! The HTTP server that the Functions host calls: `GET /` for readiness and health, `POST /<Function>` for invocations.

use std::{
    future::{Future, IntoFuture as _},
    io,
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header::ALLOW},
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

use super::{Answer, BadEnvelope, Functions, Invocation, Trigger, functions::Function, late, trace};
use crate::ports::{Clock as _, SystemClock};

/// The largest envelope that is read, in bytes. A Standard message of 256 KiB makes about 350 KiB of base64, a Premium
/// one of 1 MiB (the default there) about 1.4 MiB.
pub const ENVELOPE_LIMIT: usize = 8 << 20;

/// How long running functions may continue after the shutdown has begun. A platform that removes an instance does not
/// wait long.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// Listens where the host expects its handler: on 127.0.0.1, at the port in `FUNCTIONS_CUSTOMHANDLER_PORT`. Port 0
/// selects any free port.
///
/// # Errors
/// When the port is in use, or when the process may not use it.
pub async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Serves invocations until `shutdown` is ready, then accepts no more and lets running ones finish, for
/// [`SHUTDOWN_GRACE`] at most. Functions that are still running then are dropped, which is as safe as a kill.
///
/// # Guarantees
/// - Every answer is a JSON object with `Content-Type: application/json`, even after a panic in a function.
/// - `GET /` answers without calling a function.
/// - A function continues when the host disconnects. All functions end when this future is dropped.
/// - A failed message is answered late ([`late`]), but at once after `shutdown` is ready.
///
/// # Errors
/// When the listener fails permanently.
pub async fn serve(
    listener: TcpListener,
    functions: Arc<dyn Functions>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (alive, dropped) = watch::channel(());
    let ending = watch::Sender::new(false);
    let mut ended = ending.subscribe();
    let served = Served { functions, dropped, ending: ended.clone() };
    let router = Router::new().fallback(answer).with_state(served);
    let shutdown = async move {
        shutdown.await;
        ending.send_replace(true);
    };
    let grace_is_over = async move {
        // If the sender was dropped, the server is too, and there is nothing to wait for.
        let _ = ended.wait_for(|ended| *ended).await;
        SystemClock.sleep_until(SystemClock.now() + SHUTDOWN_GRACE).await;
    };
    let served = tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(shutdown).into_future() => served,
        () = grace_is_over => {
            tracing::warn!("functions were still running at the end of the shutdown grace period");
            Ok(())
        }
    };
    drop(alive);
    served
}

#[derive(Clone)]
struct Served {
    functions: Arc<dyn Functions>,
    /// Closed when the server is dropped: functions must not outlive the server.
    dropped: watch::Receiver<()>,
    /// Whether the shutdown has begun.
    ending: watch::Receiver<bool>,
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let name = head.uri.path().trim_matches('/');
    if name.is_empty() {
        return if matches!(head.method, Method::GET | Method::HEAD) {
            (StatusCode::OK, Json(json!({ "service": "tenantry", "status": "ready" }))).into_response()
        } else {
            not_allowed("GET")
        };
    }
    let Some(function) = Function::named(name) else {
        let known = Function::ALL.map(Function::name);
        return failure(StatusCode::NOT_FOUND, &format!("no such function; there are {}", known.join(", ")));
    };
    if head.method != Method::POST {
        return not_allowed("POST");
    }
    let read = read(&head.headers, body).await.and_then(|envelope| {
        let bad = |bad: BadEnvelope| (StatusCode::BAD_REQUEST, bad.to_string());
        Trigger::parse(function, &envelope).map_err(bad)
    });
    let trigger = match read {
        Ok(trigger) => trigger,
        Err((status, why)) => {
            tracing::warn!(function.name = function.name(), why, "an envelope was refused");
            late::hold(function, served.ending).await;
            return failure(status, &why);
        }
    };
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let invocation = Invocation {
        function,
        id: header("x-azure-functions-invocationid"),
        traceparent: header("traceparent"),
        trigger,
    };
    run(served, invocation).await
}

/// Runs a function in a separate task, so that the function continues when the host disconnects, and a panic ends only
/// this task.
async fn run(served: Served, invocation: Invocation) -> Response {
    let (function, id) = (invocation.function, invocation.id.clone());
    trace::queue_age(&invocation);
    let mut span = trace::begin(&invocation);
    let Served { functions, mut dropped, ending } = served;
    let ended = ending.clone();
    let task = tokio::spawn(async move {
        let work = span.around(late::call(functions.as_ref(), invocation, ended));
        let answer = tokio::select! {
            answer = work => Some(answer),
            _ = dropped.changed() => None,
        };
        if let Some(answer) = &answer {
            trace::ended(&mut span, answer);
        }
        answer
    });
    let answer = match task.await {
        Ok(Some(answer)) => answer,
        Ok(None) => Answer::TryAgain { why: "the handler is shutting down".to_owned() },
        Err(error) => {
            tracing::error!(function.name = function.name(), invocation.id = id, %error, "a function panicked");
            late::hold(function, ending).await;
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "the function panicked; its log says where");
        }
    };
    if let Answer::TryAgain { why } = &answer {
        tracing::warn!(
            function.name = function.name(),
            invocation.id = id,
            why,
            "nothing was saved; the host will deliver it again"
        );
    }
    let (status, body) = answer.to_host_json(function.kind());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(body)).into_response()
}

/// Reads the body of a request, with `Content-Length` or chunked, up to [`ENVELOPE_LIMIT`].
async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, (StatusCode, String)> {
    let too_large = || {
        let why = format!("the envelope is larger than {} MiB", ENVELOPE_LIMIT >> 20);
        (StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    let declared = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > ENVELOPE_LIMIT) {
        return Err(too_large());
    }
    let mut envelope = Vec::with_capacity(declared.unwrap_or_default());
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk: Bytes =
            chunk.map_err(|error| (StatusCode::BAD_REQUEST, format!("the envelope ended early: {error}")))?;
        if envelope.len() + chunk.len() > ENVELOPE_LIMIT {
            return Err(too_large());
        }
        envelope.extend_from_slice(&chunk);
    }
    Ok(envelope)
}

fn failure(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

fn not_allowed(method: &'static str) -> Response {
    let why = json!({ "error": format!("only {method} is supported here") });
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, method)], Json(why)).into_response()
}
