//! The protocol between the Functions host and the handler, compared with the recorded and derived payloads.

mod answers;
mod seen;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use proptest::prelude::{any, prop_assert_eq, proptest};
use serde_json::{Value, json};
use tenantry::host::{
    Answer, Functions, Invocation, Message, Timer, Trigger, bind,
    functions::{Function, FunctionTrigger},
    serve,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

/// Functions that record their calls, and give the answer that a test has set.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<Invocation>>,
    answer: Mutex<Option<Answer>>,
}

impl Functions for Recorder {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let panics = matches!(&invocation.trigger, Trigger::Message(m) if m.body == b"panic");
            self.calls.lock().unwrap().push(invocation);
            assert!(!panics, "as the test says");
            self.answer.lock().unwrap().clone().unwrap_or_else(Answer::done)
        })
    }
}

struct Served {
    recorder: Arc<Recorder>,
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Reply {
    status: u16,
    content_type: String,
    body: Value,
}

async fn served() -> Served {
    let listener = bind(0).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let recorder = Arc::<Recorder>::default();
    let functions: Arc<dyn Functions> = recorder.clone();
    let task = tokio::spawn(async move { serve(listener, functions, std::future::pending()).await.unwrap() });
    Served { recorder, port, task }
}

impl Served {
    /// Sends bytes as they are, so that the test controls the framing.
    async fn raw(&self, head: &str, rest: &str) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let request = format!("{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{rest}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.unwrap();
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let content_type = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        Reply {
            status,
            content_type: content_type.unwrap_or_default().to_owned(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    async fn post(&self, function: &str, body: &str) -> Reply {
        let rest = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        self.raw(&format!("POST /{function}"), &rest).await
    }

    async fn post_chunked(&self, function: &str, body: &str) -> Reply {
        let middle = (0..=body.len() / 2).rev().find(|at| body.is_char_boundary(*at)).unwrap();
        let (a, b) = body.split_at(middle);
        let chunks: String = [a, b, ""].map(|part| format!("{:x}\r\n{part}\r\n", part.len())).concat();
        let rest = format!("Transfer-Encoding: chunked\r\n\r\n{chunks}");
        self.raw(&format!("POST /{function}"), &rest).await
    }

    fn only_call(&self) -> Invocation {
        let mut calls = self.recorder.calls.lock().unwrap();
        assert_eq!(calls.len(), 1);
        calls.pop().unwrap()
    }

    async fn message(&self, value: &Value, metadata: &Value) -> Message {
        let envelope = json!({ "Data": { "requestMsg": value }, "Metadata": metadata }).to_string();
        assert_eq!(self.post("requests", &envelope).await.status, 200);
        message(self.only_call())
    }
}

fn message(invocation: Invocation) -> Message {
    let Trigger::Message(message) = invocation.trigger else { panic!("no message: {invocation:?}") };
    message
}

/// The folder with the Functions host's payloads, which is not part of the checkout.
fn payloads() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut above = here.ancestors().map(|up| up.join("shared/functions-host/payloads"));
    above.find(|path| path.is_dir()).unwrap()
}

fn payload(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

const CLOUD_EVENT_ID: &str = "0b9f2c0e-3a44-4c0c-9a2e-6a0c9f0b7a10";

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn each_payload_is_understood_in_both_framings() {
    let folder = payloads();
    let served = served().await;
    let cases = [
        ("admin-invoke", "requests", 400),
        ("eventgrid-cloudevent", "requests", 200),
        ("eventgrid-egschema", "deadletter", 200),
        ("http-get", "tenants", 200),
        ("http-post", "retry", 200),
        ("servicebus-json-shadowing", "requests", 200),
        ("servicebus-session-binary", "requests", 200),
        ("servicebus-session-json", "requests", 200),
        ("servicebus-text", "requests", 200),
        ("storage-queue", "wakeup", 200),
        ("timer", "sweep", 200),
        ("timer-no-monitor", "sweep", 200),
    ];
    for (name, function, status) in cases {
        let body = payload(&folder, &format!("{name}.request.json"));
        for reply in [served.post(function, &body).await, served.post_chunked(function, &body).await] {
            assert_eq!(reply.status, status, "{name}");
            assert_eq!(reply.content_type, "application/json", "{name}");
            assert!(reply.body.is_object(), "{name}");
        }
    }
    let names = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let requests = names.filter(|name| name.ends_with(".request.json")).count();
    assert_eq!(cases.len(), requests, "a payload has no case here");
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn a_binary_message_arrives_exactly_with_its_metadata() {
    let folder = payloads();
    let served = served().await;
    served.post("Requests", &payload(&folder, "servicebus-session-binary.request.json")).await;
    let invocation = served.only_call();
    assert_eq!(invocation.function, Function::Requests);
    let message = message(invocation);
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["id"], CLOUD_EVENT_ID);
    assert!(message.metadata_trusted);
    assert_eq!(message.message_id.as_deref(), Some("contoso-0b9f2c0e"));
    assert_eq!(message.session_id.as_deref(), Some("contoso"));
    assert_eq!((message.delivery_count, message.sequence_number), (Some(1), Some(42)));
    assert_eq!(message.enqueued_at, Some("2026-08-20T10:00:00Z".parse().unwrap()));
    assert_eq!(message.correlation_id.as_deref(), Some("req-8812"));
    assert_eq!(message.content_type.as_deref(), Some("application/json"));
    assert_eq!(message.application_properties["schemaVersion"], 1);
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn text_messages_are_unwrapped_and_their_metadata_is_not_trusted() {
    let folder = payloads();
    let served = served().await;
    served.post("requests", &payload(&folder, "servicebus-session-json.request.json")).await;
    let wrapped = message(served.only_call());
    assert_eq!(serde_json::from_slice::<Value>(&wrapped.body).unwrap()["id"], CLOUD_EVENT_ID);
    assert!(!wrapped.metadata_trusted);

    served.post("requests", &payload(&folder, "servicebus-json-shadowing.request.json")).await;
    let shadowed = message(served.only_call());
    assert_eq!(shadowed.message_id.as_deref(), Some("spoofed"));
    assert_eq!(shadowed.delivery_count, Some(99));
    assert!(!shadowed.metadata_trusted);

    served.post("requests", &payload(&folder, "servicebus-text.request.json")).await;
    let text = message(served.only_call());
    assert_eq!(String::from_utf8(text.body).unwrap(), "plain \"text\" body – not JSON");
    assert_eq!(text.delivery_count, Some(3));
}

#[tokio::test]
async fn message_bodies_are_decoded_from_every_encoding() {
    let served = served().await;
    // (the value of Data, the body, whether the metadata is trusted)
    let cases: [(Value, &[u8], bool); 10] = [
        (json!("eyJhIjoxfQ=="), b"{\"a\":1}", true),
        (json!("\"{\\\"a\\\":1}\""), b"{\"a\":1}", false),
        (json!("{\"a\":1}"), b"{\"a\":1}", false),
        (json!(" [1]"), b" [1]", false),
        (json!(""), b"", true),
        (json!(null), b"", false),
        (json!("\"\\\"twice\\\"\""), b"\"twice\"", false),
        (json!("done"), &[0x76, 0x89, 0xde], true),
        (json!("done!"), b"done!", false),
        (json!("\"open"), b"\"open", false),
    ];
    for (value, body, trusted) in cases {
        let message = served.message(&value, &Value::Null).await;
        assert_eq!((message.body.as_slice(), message.metadata_trusted), (body, trusted), "{value}");
    }
}

#[tokio::test]
async fn invalid_metadata_is_ignored() {
    let served = served().await;
    let metadata = json!({
        "MessageId": {}, "sessionid": "\"s\"", "DeliveryCount": "many", "SequenceNumber": 7,
        "EnqueuedTime": "yesterday", "EnqueuedTimeUtc": "2026-08-20T10:00:00",
        "ApplicationProperties": "{\"a\":1}", "ContentType": "plain", "CorrelationId": "",
    });
    let message = served.message(&json!("e30="), &metadata).await;
    assert_eq!(message.message_id, None);
    assert_eq!(message.session_id.as_deref(), Some("s"));
    assert_eq!((message.delivery_count, message.sequence_number), (None, Some(7)));
    assert_eq!(message.enqueued_at, Some("2026-08-20T10:00:00Z".parse().unwrap()));
    assert_eq!(message.application_properties["a"], 1);
    assert_eq!(message.content_type.as_deref(), Some("plain"));
    assert_eq!(message.correlation_id, None);
    for metadata in [json!(null), json!("no"), json!([])] {
        assert_eq!(served.message(&json!("e30="), &metadata).await.message_id, None);
    }
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn an_http_request_comes_without_its_keys() {
    let folder = payloads();
    let served = served().await;
    let mut envelope: Value = serde_json::from_str(&payload(&folder, "http-get.request.json")).unwrap();
    let request = &mut envelope["Data"]["req"];
    request["Url"] = json!("http://localhost:7071/api/tenants/contoso?verbose=true&code=hunter2");
    request["Query"]["code"] = json!("hunter2");
    request["Headers"]["x-functions-key"] = json!(["hunter2"]);
    request["Headers"]["Authorization"] = json!(["Bearer hunter2"]);
    served.post("tenants", &envelope.to_string()).await;
    let Trigger::Http(call) = served.only_call().trigger else { panic!("no HTTP call") };
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/api/tenants/contoso"));
    assert_eq!(call.query, BTreeMap::from([("verbose".to_owned(), "true".to_owned())]));
    assert_eq!(call.params["tenantId"], "contoso");
    assert_eq!(call.header("user-agent"), Some("curl/8.5.0"));
    assert_eq!(call.body, None);
    let everything = format!("{call:?}{:?}{:?}{:?}", call.headers, call.query, call.path);
    assert!(!everything.contains("hunter2"));

    served.post("retry", &payload(&folder, "http-post.request.json")).await;
    let Trigger::Http(call) = served.only_call().trigger else { panic!("no HTTP call") };
    let body: Value = serde_json::from_slice(&call.body.unwrap()).unwrap();
    assert_eq!(body["options"]["fromStep"], "role-assignments");
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn a_timer_has_the_times_of_its_ticks() {
    let folder = payloads();
    let served = served().await;
    served.post("sweep", &payload(&folder, "timer.request.json")).await;
    let tick = Timer {
        past_due: false,
        last: Some("2026-08-20T09:55:00.0012345Z".parse().unwrap()),
        next: Some("2026-08-20T10:00:00Z".parse().unwrap()),
    };
    assert_eq!(served.only_call().trigger, Trigger::Timer(tick));
    served.post("sweep", &payload(&folder, "timer-no-monitor.request.json")).await;
    assert_eq!(served.only_call().trigger, Trigger::Timer(Timer::default()));
    let first = json!({ "Data": { "sweepTimer": {
        "ScheduleStatus": { "Last": "0001-01-01T00:00:00+00:00" }, "IsPastDue": true } } });
    served.post("sweep", &first.to_string()).await;
    assert_eq!(served.only_call().trigger, Trigger::Timer(Timer { past_due: true, ..Timer::default() }));
}
