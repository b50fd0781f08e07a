//! The host's admin API, as far as people use it, and the keys of callers.
//!
//! Source: azure-functions-host, `FunctionsController`, `HostController` and `FunctionInvocation`; recorded answers of
//! a running host.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    Shared,
    app::{FunctionFile, TriggerKind},
    encode,
    invoke::{VERSION, envelope},
    listener::send_outputs,
    supervisor::State as Handler,
    timer,
};

/// The keys of an app, without the keys of single functions, which allow less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The key that allows calls to every HTTP function.
    pub host: String,
    /// The key that also allows calls to the admin API.
    pub master: String,
}

impl Keys {
    /// The key that a request contains, in the header `x-functions-key` or as `code` in the query.
    pub(super) fn shown<'a>(
        &self,
        headers: &'a HeaderMap,
        query: &'a BTreeMap<String, String>,
    ) -> Option<&'a str> {
        let header = headers.get("x-functions-key").and_then(|key| key.to_str().ok());
        header.or_else(|| query.get("code").map(String::as_str))
    }

    /// Whether a key allows calls to an HTTP function.
    pub(super) fn open(&self, shown: Option<&str>) -> bool {
        shown.is_some_and(|shown| shown == self.host || shown == self.master)
    }
}

/// The routes of the admin API.
pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/admin/functions", get(list))
        .route("/admin/functions/{name}", post(run_function))
        .route("/admin/host/status", get(status))
        .route("/admin/host/ping", get(|| async { StatusCode::OK }).post(|| async { StatusCode::OK }))
}

/// The status with which a call to the admin API is refused: 401 without a valid key, 403 with one that allows only
/// functions. `None` if the call is allowed.
fn refused(shared: &Shared, headers: &HeaderMap) -> Option<StatusCode> {
    let keys = shared.keys.as_ref()?;
    match keys.shown(headers, &BTreeMap::new()) {
        Some(key) if key == keys.master => None,
        shown if keys.open(shown) => Some(StatusCode::FORBIDDEN),
        Some(_) | None => Some(StatusCode::UNAUTHORIZED),
    }
}

async fn list(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refused(&shared, &headers) {
        return refusal.into_response();
    }
    let entry = |function: &Arc<FunctionFile>| json!({ "name": function.name, "language": "custom" });
    Json(shared.functions.iter().map(entry).collect::<Value>()).into_response()
}

/// Answers with the host's state: `Error` after the host gave up on the handler, otherwise `Running`, even after the
/// handler has ended with exit code 0.
async fn status(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = refused(&shared, &headers) {
        return refusal.into_response();
    }
    let state = match &*shared.invoker.handler.state.borrow() {
        Handler::Stopped(_) => "Error",
        Handler::Starting | Handler::Ready(_) => "Running",
    };
    Json(json!({ "state": state, "version": VERSION })).into_response()
}

/// Runs a function in the background with a text as its trigger's value. An HTTP function is accepted like any other,
/// and fails later.
async fn run_function(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = refused(&shared, &headers) {
        return refusal.into_response();
    }
    let Some(function) = shared.functions.iter().find(|f| f.name.eq_ignore_ascii_case(&name)).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let input = serde_json::from_slice::<Value>(&body)
        .ok()
        .and_then(|body| Some(body.get("input")?.as_str()?.to_owned()));
    let Some(input) = input else {
        let why = json!({ "error": "the body must be {\"input\": \"<text>\"}" });
        return (StatusCode::BAD_REQUEST, Json(why)).into_response();
    };
    let busy = shared.busy();
    tokio::spawn(async move {
        run_with(&shared, &function, &input).await;
        drop(busy);
    });
    StatusCode::ACCEPTED.into_response()
}

async fn run_with(shared: &Shared, function: &FunctionFile, input: &str) {
    match function.kind() {
        Some(TriggerKind::Timer) => {
            let (next, by_hand) = (shared.now(), Some(input));
            timer::run(shared, function, timer::Tick { last: None, next, past_due: false, by_hand }).await;
            return;
        }
        Some(TriggerKind::Http) | None => {
            tracing::warn!(function.name = function.name, "an HTTP function can't be invoked by hand");
            return;
        }
        Some(TriggerKind::ServiceBus) => {}
    }
    let trigger = function.trigger();
    let metadata = encode::metadata_by_hand(function, input, shared.now());
    let envelope = envelope(&trigger.name, &encode::body(trigger, input.as_bytes()), &metadata);
    let outcome = match shared.invoker.invoke(&function.name, &envelope, None).await {
        Ok(answer) => send_outputs(shared, function, &answer).await,
        Err(why) => Err(why),
    };
    if let Err(why) = outcome {
        tracing::warn!(function.name = function.name, why, "the invocation by hand failed");
    }
}
