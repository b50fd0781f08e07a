//! Invokes a function: sends the request to the handler, evaluates its answer, and enforces the timeout.
//!
//! Source: azure-functions-host, `DefaultHttpWorkerService` and `HttpScriptInvocationContextExtensions`.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING, USER_AGENT};
use serde_json::{Map, Value, json};

use super::{
    encode, pause,
    supervisor::{Endpoint, State, Supervised},
};

/// The version of the Functions host that this host reports.
pub(super) const VERSION: &str = "4.1037.0.0";

/// A handler's answer: a JSON object.
pub(super) type Answer = Map<String, Value>;

/// Calls the handler.
pub(super) struct Invoker {
    pub(super) handler: Supervised,
    pub(super) function_timeout: Option<Duration>,
    pub(super) start_limit: Duration,
    pub(super) grace: Duration,
    /// How many requests were sent. Framing and trace header alternate with this number.
    pub(super) requests: AtomicU64,
}

impl Invoker {
    /// Calls a function. With `kill_after` the handler is killed that long after the start of the request.
    ///
    /// # Errors
    /// A message about why the invocation failed. The caller then abandons a queue message.
    pub(super) async fn invoke(
        &self,
        function: &str,
        envelope: &Value,
        kill_after: Option<Duration>,
    ) -> Result<Answer, String> {
        let endpoint = self.ready().await?;
        let generation = endpoint.generation;
        tokio::select! {
            answer = self.exchange(&endpoint, function, envelope) => answer,
            () = self.handler.replaced(generation) => Err("the handler ended".to_owned()),
            () = after(self.function_timeout) => {
                pause(self.grace).await;
                self.handler.kill(generation);
                Err(format!("{function} ran into functionTimeout; the handler is killed"))
            }
            () = after(kill_after) => {
                self.handler.kill(generation);
                Err("the handler was killed in the middle of the request".to_owned())
            }
        }
    }

    /// Waits until the handler is ready, and returns its endpoint. As on the real host the limit is four times that of
    /// one start.
    async fn ready(&self) -> Result<Endpoint, String> {
        let mut state = self.handler.state.clone();
        let known = state.wait_for(|state| !matches!(state, State::Starting));
        let limit = self.start_limit.saturating_mul(4);
        let known = tokio::time::timeout(limit, known).await.map_err(|_| "the handler does not start")?;
        match &*known.map_err(|_| "the host is stopping")? {
            State::Ready(endpoint) => Ok(endpoint.clone()),
            State::Stopped(why) => Err(why.clone()),
            State::Starting => Err("the handler does not start".to_owned()),
        }
    }

    async fn exchange(
        &self,
        endpoint: &Endpoint,
        function: &str,
        envelope: &Value,
    ) -> Result<Answer, String> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let request = endpoint
            .client
            .post(format!("{}/{function}", endpoint.url))
            .headers(headers(number, upstream(envelope))?)
            .body(envelope.to_string());
        let response =
            request.send().await.map_err(|error| format!("the handler did not answer: {error}"))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the handler answered {status}"));
        }
        let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = media_type.is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            matches!(media_type.as_str(), "application/json" | "text/json")
        });
        let body = response.bytes().await.map_err(|error| format!("the answer ended early: {error}"))?;
        if body.is_empty() || (is_json && body.trim_ascii() == b"null") {
            // No result is ever set for this invocation: it is pending until its timeout.
            tracing::warn!(function.name = function, "an empty answer completes nothing; this hangs");
            return std::future::pending().await;
        }
        if !is_json {
            return Err("the answer is not JSON by its Content-Type".to_owned());
        }
        serde_json::from_slice(&body).map_err(|error| format!("the answer is no JSON object: {error}"))
    }
}

/// The headers of a request to the handler. To cover all kinds of hosts, every second request is chunked, and every
/// third one has a trace context, as from a host with Application Insights.
fn headers(number: u64, upstream: Option<&str>) -> Result<HeaderMap, String> {
    let invocation = encode::random_guid();
    let text = |text: String| HeaderValue::try_from(text).map_err(|error| error.to_string());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(USER_AGENT, text(format!("Azure-Functions-Host/{VERSION}"))?);
    headers.insert("X-Azure-Functions-HostVersion", HeaderValue::from_static(VERSION));
    headers.insert("X-Azure-Functions-InvocationId", text(invocation.to_string())?);
    if number.is_multiple_of(2) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if number.is_multiple_of(3) {
        let (_, span) = encode::random_guid().as_u64_pair();
        let (trace, flags) = upstream
            .and_then(|parent| Some((parent.get(3..35)?.to_owned(), parent.get(53..55)?)))
            .unwrap_or_else(|| (invocation.simple().to_string(), "00"));
        headers.insert("traceparent", text(format!("00-{trace}-{span:016x}-{flags}"))?);
    }
    Ok(headers)
}

/// The trace context of the message's sender or of the HTTP caller, which the host continues. Without one the host
/// starts a trace that is not sampled.
fn upstream(envelope: &Value) -> Option<&str> {
    let properties = envelope.pointer("/Metadata/ApplicationProperties");
    let property = |name: &str| properties?.get(name)?.as_str();
    let called = || {
        let call = envelope.get("Data")?.as_object()?.values().next()?;
        let headers = call.get("Headers")?.as_object()?;
        let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("traceparent"))?.1;
        header.get(0)?.as_str()
    };
    property("traceparent").or_else(|| property("Diagnostic-Id")).or_else(called)
}

/// The body of a request to the handler: the value of the trigger's binding, and the metadata.
pub(super) fn envelope(binding: &str, data: &Value, metadata: &Map<String, Value>) -> Value {
    json!({ "Data": { binding: data }, "Metadata": metadata })
}

async fn after(limit: Option<Duration>) {
    match limit {
        Some(limit) => pause(limit).await,
        None => std::future::pending().await,
    }
}
