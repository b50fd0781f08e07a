//! The trace to which an invocation belongs: the message sender's, else the host's, else a new one.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::{
    host::{Answer, Functions, Invocation, bind, serve},
    telemetry::Trace,
};

const SENDER: &str = "00-11111111111111111111111111111111-1111111111111111-01";
const HOST: &str = "00-22222222222222222222222222222222-2222222222222222-01";
const BODY: &str = "00-33333333333333333333333333333333-3333333333333333-01";

/// A handler that records the trace in which it is called.
#[derive(Default)]
struct TraceRecorder(Mutex<Option<Trace>>);

impl Functions for TraceRecorder {
    fn call(&self, _: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async {
            *self.0.lock().unwrap() = Trace::current();
            Answer::done()
        })
    }
}

/// Sends a message with these properties, body and header. Returns the digit that the handler's trace id consists of,
/// or `?` if it has several: each trace context of these tests repeats one digit.
async fn trace_of(properties: Value, body: Value, header: Option<&str>) -> char {
    let notebook = Arc::<TraceRecorder>::default();
    let listener = bind(0).await.unwrap();
    let url = format!("http://{}/wakeup", listener.local_addr().unwrap());
    let server = tokio::spawn(serve(listener, notebook.clone(), std::future::pending()));
    let body = BASE64_STANDARD.encode(body.to_string());
    let envelope = json!({"Data": {"wakeupMsg": body}, "Metadata": {"ApplicationProperties": properties}});
    let mut request = crate::testkit::client().post(&url).json(&envelope);
    if let Some(header) = header {
        request = request.header("traceparent", header);
    }
    assert!(request.send().await.unwrap().status().is_success());
    server.abort();
    let trace = notebook.0.lock().unwrap().unwrap();
    let id = trace.id().simple().to_string();
    assert!(trace.span() != 0 && !HOST.contains(&format!("{:016x}", trace.span())), "a span of its own");
    if id.chars().all(|digit| id.starts_with(digit)) { id.chars().next().unwrap() } else { '?' }
}

#[tokio::test]
async fn an_invocation_belongs_to_the_trace_of_the_messages_sender() {
    let none = || json!({});
    let body = json!({"tenantId": "contoso", "traceparent": BODY});
    let property = |name: &str| json!({name: SENDER});
    assert_eq!(trace_of(property("traceparent"), body.clone(), Some(HOST)).await, '1');
    assert_eq!(trace_of(property("Diagnostic-Id"), body.clone(), Some(HOST)).await, '1');
    assert_eq!(trace_of(none(), body.clone(), Some(HOST)).await, '3');
    assert_eq!(trace_of(none(), none(), Some(HOST)).await, '2');
    // `Diagnostic-Id` is what Azure's SDKs send, here in the format from before the W3C trace context.
    assert_eq!(trace_of(json!({"Diagnostic-Id": "|7d7e9a1b.4c2f."}), none(), Some(HOST)).await, '2');
    assert_eq!(trace_of(json!({"traceparent": 7}), json!([]), None).await, '?');
}
