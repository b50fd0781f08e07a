//! The span of an invocation: which trace it belongs to, and its attributes.
//!
//! A message belongs to its sender's trace. The trace context is in the property `traceparent` or `Diagnostic-Id` of
//! the message (written by the Azure SDKs), otherwise in the member `traceparent` of its body, which a CloudEvent may
//! have (CloudEvents, "Distributed Tracing Extension") and each wake-up has. The host's own header names the host's
//! trace. If the two differ, the message's trace is used, and the host's becomes a link. The host's sampling flag is
//! ignored: with Application Insights on, the flag is "not sampled" in each call without a sampled caller.

use serde::Deserialize;
use tenantry_core::ids::TenantId;

use super::{Answer, HttpCall, Invocation, Message, Trigger, functions::FunctionTrigger};
use crate::{
    intake::MAX_BODY_BYTES,
    ports::{Clock as _, SystemClock},
    telemetry::{KeyValue, Span, SpanKind, Trace, metrics},
};

/// The message properties in which senders write their trace context.
const PROPERTIES: [&str; 2] = ["traceparent", "Diagnostic-Id"];

/// The members of a body that telemetry needs.
#[derive(Debug, Default, Deserialize)]
struct Peek {
    traceparent: Option<String>,
    #[serde(rename = "tenantId", alias = "tenantid")]
    tenant_id: Option<String>,
}

impl Peek {
    /// Reads the members of a body. An invalid or too large body has none; intake reports what is wrong with it.
    fn into(body: &[u8]) -> Self {
        if body.len() > MAX_BODY_BYTES {
            Self::default()
        } else {
            serde_json::from_slice(body).unwrap_or_default()
        }
    }

    fn trace(&self) -> Option<Trace> {
        Trace::parse(self.traceparent.as_deref()?)
    }
}

/// Starts the span of an invocation.
pub(super) fn begin(invocation: &Invocation) -> Span {
    let function = invocation.function;
    let host = invocation.traceparent.as_deref().and_then(Trace::parse);
    let (sent, mut span_attributes, kind, name) = match &invocation.trigger {
        Trigger::Message(message) => {
            let peek = Peek::into(&message.body);
            let sent = of_properties(message).or_else(|| peek.trace());
            let queue =
                if let FunctionTrigger::QueueMessage { queue, .. } = function.kind() { queue } else { "" };
            (sent, of_message(message, &peek, queue), SpanKind::Consumer, format!("process {queue}"))
        }
        Trigger::Timer(_) => {
            let attributes = vec![KeyValue::new("faas.trigger", "timer")];
            (None, attributes, SpanKind::Internal, function.name().to_owned())
        }
        Trigger::Http(call) => {
            let peek = Peek::into(call.body.as_deref().unwrap_or_default());
            let sent = call.header("traceparent").and_then(Trace::parse).or_else(|| peek.trace());
            (sent, of_call(call), SpanKind::Server, format!("{} {}", method(call), function.name()))
        }
    };
    let (parent, link) = match (sent, host) {
        // The host has continued the sender's trace, so the host's span is the parent; the sender's flag decides the
        // sampling.
        (Some(sent), Some(host)) if sent.id() == host.id() => (Some(host.recorded_as(sent)), None),
        (Some(sent), host) => (Some(sent), host),
        (None, host) => (host.map(Trace::undecided), None),
    };
    span_attributes.push(KeyValue::new("faas.name", function.name()));
    if let Some(id) = &invocation.id {
        span_attributes.push(KeyValue::new("faas.invocation_id", id.clone()));
    }
    Span::under(parent, link, kind, || name, || span_attributes)
}

/// Records the outcome of an invocation in its span.
pub(super) fn ended(span: &mut Span, answer: &Answer) {
    match answer {
        Answer::Done { .. } => {}
        Answer::Http { status, .. } => {
            span.set("http.response.status_code", i64::from(*status));
            if *status >= 500 {
                span.fail(status.to_string());
            }
        }
        Answer::TryAgain { .. } => span.fail("not-saved"),
    }
}

/// Records in a metric how long a message was in its queue.
pub(super) fn queue_age(invocation: &Invocation) {
    let Trigger::Message(Message { enqueued_at: Some(at), .. }) = &invocation.trigger else { return };
    let age = SystemClock.now().duration_since(*at).as_secs_f64().max(0.0);
    metrics::record(&metrics::QUEUE_AGE, age, || [invocation.function.name().to_owned()]);
}

fn of_properties(message: &Message) -> Option<Trace> {
    let named = PROPERTIES.iter().filter_map(|name| {
        let found = message.application_properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        Trace::parse(found?.1.as_str()?)
    });
    named.into_iter().next()
}

/// The attributes of a message's span. Sources: OpenTelemetry, "Semantic conventions for Azure messaging systems" and
/// "for FaaS spans".
fn of_message(message: &Message, peek: &Peek, queue: &'static str) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("faas.trigger", "pubsub"),
        KeyValue::new("messaging.system", "servicebus"),
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("messaging.destination.name", queue),
    ];
    if let Some(count) = message.delivery_count {
        attributes.push(KeyValue::new("azure.servicebus.message.delivery_count", i64::from(count)));
    }
    if let Some(at) = message.enqueued_at {
        attributes.push(KeyValue::new("azure.servicebus.message.enqueued_time", at.as_second()));
    }
    // Of the ids in a message only the tenant's becomes an attribute. The message id is any text of the sender's.
    let named = [peek.tenant_id.as_deref(), message.session_id.as_deref()];
    if let Some(tenant) = named.into_iter().flatten().find_map(|id| id.parse::<TenantId>().ok()) {
        attributes.push(KeyValue::new("tenant.id", tenant.to_string()));
    }
    attributes
}

fn of_call(call: &HttpCall) -> Vec<KeyValue> {
    vec![KeyValue::new("faas.trigger", "http"), KeyValue::new("http.request.method", method(call))]
}

/// The HTTP method for telemetry: a supported one, otherwise `_OTHER`, because callers may send any text.
fn method(call: &HttpCall) -> &'static str {
    match call.method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}
