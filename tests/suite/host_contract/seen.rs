//! Requests of a running Functions host, recorded byte for byte, are sent to the handler again.

use jiff::Timestamp;
use serde_json::Value;
use tenantry::host::{HttpCall, Invocation, Message, Timer, Trigger};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Served, payloads, served};

/// Functions that were renamed since the recordings: the beginnings of their requests then and now.
const RENAMED: [(&[u8], &[u8]); 2] =
    [(b"POST /signup ", b"POST /requests "), (b"POST /resume ", b"POST /wakeup ")];

/// The bytes of a recording. A `.txt` file has the body without its chunked encoding, which is added again here.
fn recorded(name: &str) -> Vec<u8> {
    let bytes = std::fs::read(payloads().join("seen").join(name)).unwrap();
    if !name.ends_with(".txt") {
        let renamed =
            RENAMED.iter().find_map(|(before, now)| Some([now, bytes.strip_prefix(*before)?].concat()));
        return renamed.unwrap_or(bytes);
    }
    let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap();
    let body = body.trim_end();
    let head = head.replace('\n', "\r\n");
    format!("{head}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes()
}

impl Served {
    /// Sends a recording over a connection that stays open, as the host's connections do; returns the answer's head and
    /// body.
    async fn replayed(&self, name: &str) -> (String, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(&recorded(name)).await.unwrap();
        let mut reply = Vec::new();
        loop {
            let mut more = [0; 4096];
            let read = stream.read(&mut more).await.unwrap();
            assert!(read > 0, "{name}: it hung up after {}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&more[..read]);
            let text = String::from_utf8_lossy(&reply);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.unwrap_or_else(|| panic!("{name}: {head}")).parse().unwrap() {
                return (head.to_owned(), serde_json::from_str(body).unwrap());
            }
        }
    }

    async fn invocation(&self, name: &str) -> Invocation {
        let (head, body) = self.replayed(name).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{name}: {head}");
        assert!(head.contains("content-type: application/json"), "{name}: {head}");
        assert!(body["Outputs"].is_object(), "{name}: {body}");
        let invocation = self.only_call();
        assert_eq!(invocation.id.as_ref().map(String::len), Some(36), "{name}");
        invocation
    }

    async fn message_of(&self, name: &str) -> (Message, Option<String>) {
        let invocation = self.invocation(name).await;
        let Trigger::Message(message) = invocation.trigger else { panic!("{name}: no message") };
        (message, invocation.traceparent)
    }

    async fn call_of(&self, name: &str) -> (HttpCall, Option<String>) {
        let invocation = self.invocation(name).await;
        let Trigger::Http(call) = invocation.trigger else { panic!("{name}: no call") };
        (call, invocation.traceparent)
    }
}

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn recorded_queue_messages_are_read_to_the_byte() {
    let served = served().await;
    let (message, traceparent) = served.message_of("servicebus-session-binary.req.http").await;
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["requestId"], "signup-adatum-1");
    assert_eq!(
        (message.message_id.as_deref(), message.session_id.as_deref()),
        (Some("msg-adatum-1"), Some("adatum"))
    );
    assert_eq!((message.delivery_count, message.sequence_number), (Some(1), Some(1)));
    assert_eq!(message.enqueued_at, at("2026-11-30T04:48:49Z"));
    assert_eq!((message.correlation_id.as_deref(), traceparent), (Some("corr-1"), None));
    assert_eq!(message.application_properties["Foo"], "bar");
    assert!(message.metadata_trusted);

    let (wake_up, _) = served.message_of("servicebus-nosession-binary.req.http").await;
    let body: Value = serde_json::from_slice(&wake_up.body).unwrap();
    assert_eq!(
        (body["tenantId"].as_str(), wake_up.message_id, wake_up.session_id),
        (Some("http1"), None, None)
    );

    let (dead, traceparent) = served.message_of("servicebus-deadletter.req.http").await;
    assert_eq!(dead.application_properties["DeadLetterReason"], "MaxDeliveryCountExceeded");
    assert_eq!((dead.session_id.as_deref(), dead.sequence_number), (Some("dead1"), Some(11)));
    assert_eq!(traceparent.as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-939499e3871cd4be-01"));
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn an_invocation_by_hand_has_no_number_and_no_time() {
    let served = served().await;
    let (message, _) = served.message_of("admin-invoked-servicebus.req.http").await;
    assert!(message.body.starts_with(b"{\n  \"specversion\": \"1.0\"") && message.metadata_trusted);
    assert_eq!((message.delivery_count, message.sequence_number, message.enqueued_at), (None, None, None));
    assert_eq!((message.message_id, message.session_id), (None, None));
    let tick = |invocation: Invocation| match invocation.trigger {
        Trigger::Timer(tick) => tick,
        other @ (Trigger::Message(_) | Trigger::Http(_)) => panic!("{other:?}"),
    };
    let by_hand = tick(served.invocation("timer-admin-invoked.req.http").await);
    let fired = tick(served.invocation("timer-fired.req.http").await);
    let expected =
        Timer { past_due: false, last: at("2026-11-30T04:48:00Z"), next: at("2026-11-30T04:49:00Z") };
    assert_eq!((by_hand.past_due, fired), (false, expected));
    assert_eq!(by_hand.next, at("2026-11-30T04:42:00Z"));
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn recorded_http_calls_come_with_their_bodies_and_without_their_keys() {
    let served = served().await;
    let (get, traceparent) = served.call_of("http-get.req.http").await;
    assert_eq!((get.method.as_str(), get.path.as_str(), traceparent), ("GET", "/api/tenants", None));
    assert!(get.params.is_empty() && get.body.is_none() && !get.lost_its_body());
    assert!(!format!("{get:?}{:?}", get.headers).contains("HOSTKEY"));

    let (unsampled, traceparent) = served.call_of("http-get-appinsights-no-upstream.req.http").await;
    assert_eq!(unsampled.query["limit"], "1");
    assert_eq!(traceparent.as_deref(), Some("00-17f43224bc93be30dac08d4a4d6392e0-59a010ac9369a60e-00"));
    let (sampled, traceparent) = served.call_of("http-get-appinsights-sampled-upstream.req.http").await;
    let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(sampled.header("traceparent"), Some(caller));
    assert_eq!(traceparent.as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-24b43b1d9520e0ef-01"));

    for name in ["http-post-textplain.req.http", "http-post-octet-stream.req.http"] {
        let (post, _) = served.call_of(name).await;
        let body: Value = serde_json::from_slice(&post.body.unwrap()).unwrap();
        assert_eq!(body["requestId"], "signup-contoso-2026-11-22", "{name}");
    }
    let (chunked, _) = served.call_of("http-post-chunked-body-coretools.req.http").await;
    assert_eq!((chunked.method.as_str(), chunked.body.as_ref()), ("POST", None));
    assert!(chunked.lost_its_body(), "its header distinguishes it from an empty one");
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn the_readiness_probe_has_the_recorded_answer_and_an_unknown_function_is_refused() {
    let served = served().await;
    let (head, body) = served.replayed("readiness-probe.req.http").await;
    let answered = String::from_utf8(recorded("readiness-probe.res.http")).unwrap();
    let (expected, expected_body) = answered.split_once("\r\n\r\n").unwrap();
    let without_date = |head: &str| -> Vec<String> {
        head.lines().filter(|line| !line.starts_with("date")).map(str::to_owned).collect()
    };
    assert_eq!(without_date(&head), without_date(expected));
    assert_eq!(body, serde_json::from_str::<Value>(expected_body.trim()).unwrap());
    for name in
        ["eventgrid-cloudevent.txt", "eventgrid-egschema.txt", "servicebus-string-leaking-metadata.txt"]
    {
        let (head, body) = served.replayed(name).await;
        assert!(head.starts_with("HTTP/1.1 404 ") && body["error"].is_string(), "{name}: {head}");
    }
    assert!(served.recorder.calls.lock().unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn members_of_a_recorded_text_are_in_its_metadata_and_are_not_trusted() {
    let served = served().await;
    let text = String::from_utf8(recorded("servicebus-string-leaking-metadata.txt")).unwrap();
    let body = text.split("\r\n").find(|line| line.starts_with("{\"Data\"")).unwrap();
    assert_eq!(served.post("requests", body).await.status, 200);
    let Trigger::Message(message) = served.only_call().trigger else { panic!("no message") };
    assert_eq!((message.message_id.as_deref(), message.delivery_count), (Some("SENDER"), Some(77)));
    assert!(!message.metadata_trusted);
    assert_eq!(serde_json::from_slice::<Value>(&message.body).unwrap()["arr"], serde_json::json!([1]));
}
