//! Messages that are sent to the simulated Azure over the REST API of Service Bus.

use azure_sim::Speed;
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture};

/// A simulated Azure with queues, and a valid token for sending to them.
struct Sender {
    fixture: Fixture,
    bearer: String,
}

impl Sender {
    async fn new() -> Self {
        let fixture = Fixture::strict().await;
        let bearer = fixture.bearer("https://servicebus.azure.net").await;
        Self { fixture, bearer }
    }

    async fn send(&self, entity: &str, broker: Value, more: &[(&str, &str)], body: Value) -> Answer {
        let broker = broker.to_string();
        let mut headers = vec![("authorization", self.bearer.as_str()), ("brokerproperties", &broker)];
        headers.extend(more);
        let path = format!("/{entity}/messages");
        self.fixture.try_send("POST", &path, &headers, Some(body)).await.unwrap()
    }

    async fn wake(&self, broker: Value) -> Answer {
        self.send("tenant-wakeups", broker, &[], json!({ "tenantId": "acme" })).await
    }

    async fn messages(&self, queue: &str) -> Vec<Value> {
        self.fixture.sim(&format!("queues/{queue}")).await.as_array().unwrap().clone()
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let begin = format!("<Error><Code>{status}</Code><Detail>{code}: ");
    let reported = answer.body.as_str().unwrap_or_default();
    assert!(answer.status == status && reported.starts_with(&begin), "{answer:?}");
}

#[tokio::test]
async fn a_queue_message_is_stored_as_it_was_sent() {
    let sender = Sender::new().await;
    let broker = json!({ "MessageId": "m1", "SessionId": "acme", "PartitionKey": "acme", "CorrelationId": "c1",
        "Label": "signup", "TimeToLive": 90.5, "Whatever": true });
    let more =
        [("content-type", "application/json"), ("region", "\"west\""), ("tries", "3"), ("urgent", "true")];
    let sent = sender.send("tenant-requests", broker, &more, json!({ "tenantId": "acme" })).await.is(201);
    assert_eq!((sent.header("content-type"), &sent.body), (Some("application/json"), &Value::Null));
    let messages = sender.messages("tenant-requests").await;
    assert_eq!(messages.len(), 1);
    let message = &messages[0];
    assert_eq!(message["messageId"], "m1");
    assert_eq!((&message["sessionId"], &message["correlationId"]), (&json!("acme"), &json!("c1")));
    assert_eq!(message["properties"], json!({ "region": "west", "tries": 3, "urgent": true }));
    assert_eq!(message["contentType"], "application/json");
    assert_eq!(message["body"], json!({ "tenantId": "acme" }));
    assert_eq!(message["visibleAt"], message["enqueuedAt"]);
    let journal = sender.fixture.sim("journal?tenant=acme").await;
    assert_eq!(journal[0]["path"], "/tenant-requests/messages");
    assert_eq!(journal[0]["status"], 201);
}

#[tokio::test]
async fn the_same_message_again_is_dropped_and_answered_the_same() {
    let sender = Sender::new().await;
    for _ in 0..3 {
        sender.wake(json!({ "MessageId": "once" })).await.is(201);
    }
    sender.wake(json!({})).await.is(201);
    sender.wake(json!({})).await.is(201);
    assert_eq!(sender.messages("tenant-wakeups").await.len(), 3);
}

#[tokio::test]
async fn a_scheduled_message_waits_and_only_the_documented_form_is_accepted() {
    let sender = Sender::new().await;
    let at = |text: &str| json!({ "ScheduledEnqueueTimeUtc": text });
    sender.wake(at("Mon, 21 Sep 2026 15:00:00 GMT")).await.is(201);
    assert_eq!(sender.messages("tenant-wakeups").await[0]["visibleAt"], "2026-09-21T15:00:00Z");
    let other_forms = [
        "Mon, 21 Sep 2026 15:00:00 +0000",
        "Tue, 21 Sep 2026 15:00:00 GMT",
        "Mon, 21 Sep 2026 15:00:00 UTC",
        "Mon, 21 Sep 2026 15:00:00",
        "2026-09-21T15:00:00Z",
        "Mon, 31 Sep 2026 15:00:00 GMT",
        "",
    ];
    for text in other_forms {
        refused(&sender.wake(at(text)).await, 400, "BadRequest");
    }
    assert_eq!(sender.messages("tenant-wakeups").await.len(), 1);
}

#[tokio::test]
async fn malformed_unknown_and_too_large_messages_are_refused() {
    let sender = Sender::new().await;
    let wrong = [
        json!([]),
        json!("x"),
        json!({ "MessageId": 7 }),
        json!({ "MessageId": "x".repeat(129) }),
        json!({ "TimeToLive": "90" }),
        json!({ "TimeToLive": 0 }),
        json!({ "SessionId": "a", "PartitionKey": "b" }),
    ];
    for broker in wrong {
        refused(&sender.wake(broker).await, 400, "BadRequest");
    }
    let body = json!({ "tenantId": "acme" });
    let unfinished = sender.send("tenant-wakeups", json!({}), &[("region", "\"west")], body.clone()).await;
    refused(&unfinished, 400, "BadRequest");
    // In a queue with sessions, every message needs a session id.
    refused(&sender.send("tenant-requests", json!({}), &[], body.clone()).await, 400, "BadRequest");
    refused(&sender.send("tenant-nothing", json!({}), &[], body).await, 410, "EntityNotFound");
    let large = json!("x".repeat(256 << 10));
    refused(&sender.send("tenant-wakeups", json!({}), &[], large).await, 403, "MessageSizeExceeded");
    let headers = [("authorization", sender.bearer.as_str())];
    for (method, path) in [("DELETE", "/tenant-wakeups/messages/head"), ("GET", "/tenant-events/messages")] {
        let answer = sender.fixture.try_send(method, path, &headers, None).await.unwrap();
        refused(&answer, 405, "MethodNotAllowed");
    }
    assert!(sender.messages("tenant-wakeups").await.is_empty());
    sender.fixture.send("GET", "/_sim/queues/none", None).await.refuses(404, "NotFound");
}

#[tokio::test]
async fn a_property_outside_ascii_is_refused() {
    let sender = Sender::new().await;
    let url = format!("{}/tenant-wakeups/messages", sender.fixture.base());
    let value = reqwest::header::HeaderValue::from_bytes("\"Zürich\"".as_bytes()).unwrap();
    let request = crate::testkit::client().post(url).header("authorization", &sender.bearer);
    assert_eq!(request.header("city", value).body("{}").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn the_topic_keeps_its_messages() {
    let mut sender = Sender::new().await;
    let event = json!({ "specversion": "1.0", "id": "e1", "type": "io.tenantry.x.v1", "tenantid": "acme" });
    let broker = json!({ "MessageId": "e1", "Label": "io.tenantry.x.v1", "TimeToLive": 60 });
    let more = [("content-type", "application/cloudevents+json"), ("tenantid", "\"acme\"")];
    sender.send("tenant-events", broker, &more, event.clone()).await.is(201);
    sender.send("tenant-events", json!({ "MessageId": "e2" }), &[], json!("plain")).await.is(201);
    sender.fixture.restart().await;
    let messages = sender.fixture.sim("topics/tenant-events").await;
    assert_eq!(messages.as_array().unwrap().len(), 2);
    let first = &messages[0];
    assert_eq!((&first["messageId"], &first["body"]), (&json!("e1"), &event));
    assert_eq!((&first["label"], &first["timeToLive"]), (&json!("io.tenantry.x.v1"), &json!(60.0)));
    assert_eq!(first["properties"], json!({ "tenantid": "acme" }));
    assert_eq!(messages[1]["messageId"], "e2");
    let journal = sender.fixture.sim("journal?tenant=acme").await;
    assert_eq!(journal.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cloud_without_queues_has_its_topic() {
    let fixture = Fixture::new(Speed::Max).await;
    let missing = fixture.send("POST", "/tenant-wakeups/messages", Some(json!({}))).await;
    refused(&missing, 410, "EntityNotFound");
    fixture.send("POST", "/tenant-events/messages", Some(json!({}))).await.is(201);
}
