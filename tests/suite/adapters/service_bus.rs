//! The requests that are sent to Service Bus, and that the known faults of the legacy crate have no effect.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    azure::{
        bridge::LegacyTransport,
        client::client,
        service_bus::{NoScheduler, QueueScheduler, ServiceBus, TopicPublisher},
        token::Tokens,
    },
    ports::{Clock as _, Publisher as _, Scheduler as _},
};
use tenantry_core::{
    steps::Failure,
    tenant::{CloudEvent, FailureClass},
};

use super::script::{Answer, Asked, Jumping, Script, json as reply, with_header};

fn bus(script: &Script, clock: &Arc<Jumping>) -> ServiceBus {
    let transport = LegacyTransport::new(client(Duration::from_secs(2)).unwrap(), clock.clone(), 64 << 10);
    ServiceBus::new(transport, Arc::new(Tokens::fixed("bus-token")), script.url.parse().unwrap())
}

/// Submits one request; returns the HTTP requests that were sent, the result, and the seconds that passed on the clock.
async fn submit(answers: Vec<Answer>, request_id: &str) -> (Vec<Asked>, Result<(), Failure>, i64) {
    let (script, clock) = (Script::new(answers).await, Jumping::new());
    let begun = clock.now();
    let sent = bus(&script, &clock).submit("contoso", request_id, r#"{"requestId": "r"}"#).await;
    (script.asked(), sent, clock.now().duration_since(begun).as_secs())
}

fn properties(asked: &Asked) -> Value {
    serde_json::from_str(asked.header("brokerproperties")).unwrap()
}

#[tokio::test]
async fn a_request_goes_to_its_queue_with_the_tenant_as_session() {
    let (asked, sent, _) = submit(vec![reply(201, &json!(null))], "r-1").await;
    sent.unwrap();
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("POST", "/tenant-requests/messages"));
    assert_eq!(properties(&asked[0]), json!({"SessionId": "contoso", "MessageId": "r-1"}));
    assert_eq!(asked[0].header("content-type"), "application/json");
    assert_eq!(asked[0].body, r#"{"requestId": "r"}"#);
}

#[tokio::test]
async fn a_bearer_token_replaces_the_signature() {
    let (asked, ..) = submit(vec![], "r-1").await;
    assert_eq!(asked[0].header("authorization"), "Bearer bus-token");
}

#[tokio::test]
async fn a_wake_up_is_scheduled_in_the_documented_form_and_never_too_early() {
    let (script, clock) = (Script::new([]).await, Jumping::new());
    let at = "2026-11-22T09:08:07.000000001Z".parse().unwrap();
    QueueScheduler(bus(&script, &clock)).schedule(&"contoso".parse().unwrap(), at).await.unwrap();
    let asked = script.asked().remove(0);
    assert_eq!(asked.target, "/tenant-wakeups/messages");
    assert_eq!(properties(&asked)["ScheduledEnqueueTimeUtc"], "Sun, 22 Nov 2026 09:08:08 GMT");
    assert_eq!(asked.body, r#"{"tenantId":"contoso"}"#);
}

#[tokio::test]
async fn wake_ups_have_one_id_for_each_due_time() {
    let (script, clock) = (Script::new([]).await, Jumping::new());
    let scheduler = QueueScheduler(bus(&script, &clock));
    let due = ["2026-11-22T09:08:07.1Z", "2026-11-22T09:08:07.1Z", "2026-11-22T09:08:07.2Z"];
    for at in due {
        scheduler.schedule(&"contoso".parse().unwrap(), at.parse().unwrap()).await.unwrap();
    }
    scheduler.schedule(&"fabrikam".parse().unwrap(), due[0].parse().unwrap()).await.unwrap();
    let ids: Vec<String> = script
        .asked()
        .iter()
        .map(|asked| properties(asked)["MessageId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids[0], ids[1], "the queue drops the second");
    assert!(ids[0] != ids[2] && ids[0] != ids[3], "within the same second too: {ids:?}");
    assert!(ids.iter().all(|id| id.is_ascii() && id.len() <= 128));
    assert!(scheduler.delivers() && !NoScheduler.delivers());
}

#[tokio::test]
async fn a_busy_namespace_is_retried_after_its_retry_after() {
    let busy = || with_header(reply(503, &json!({})), "retry-after", "3");
    let (asked, sent, waited) = submit(vec![busy(), busy(), reply(201, &json!(null))], "r-1").await;
    sent.unwrap();
    assert_eq!((asked.len(), waited), (3, 6));
}

#[tokio::test]
async fn a_namespace_that_stays_busy_is_given_up() {
    let busy = || with_header(reply(503, &json!({})), "retry-after", "1");
    let (asked, sent, _) = submit(vec![busy(), busy(), busy()], "r-1").await;
    assert_eq!((asked.len(), sent.unwrap_err().cause.class), (3, FailureClass::Transient));
    let long = with_header(reply(429, &json!({})), "retry-after", "600");
    let (asked, sent, waited) = submit(vec![long], "r-1").await;
    assert_eq!((asked.len(), waited), (1, 0), "a long pause is the caller's to keep");
    assert_eq!(sent.unwrap_err().cause.class, FailureClass::Throttled);
}

#[tokio::test]
async fn text_that_no_header_can_carry_is_refused_before_it_is_sent() {
    for odd in ["r-\u{e9}", "r-\u{1f600}", "r-\u{7}"] {
        let (asked, sent, _) = submit(vec![], odd).await;
        match sent {
            // JSON escapes control characters, so they are text like any other.
            Ok(()) => assert!(asked[0].header("brokerproperties").is_ascii()),
            Err(failure) => assert_eq!((failure.cause.code.as_str(), asked.len()), ("not-sent", 0)),
        }
    }
    let (asked, sent, _) = submit(vec![], "r-\u{e9}").await;
    assert!(sent.is_err() && asked.is_empty());
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_not_sent_again() {
    let (asked, sent, _) = submit(vec![Answer::Cut], "r-1").await;
    assert_eq!((asked.len(), sent.unwrap_err().cause.class), (1, FailureClass::Ambiguous));
}

#[tokio::test]
async fn the_text_of_an_answer_is_not_part_of_the_failure() {
    let refusal = Answer::Whole {
        status: 401,
        headers: vec![],
        body: "canary: the token eyJcanary was refused".to_owned(),
    };
    let (_, sent, _) = submit(vec![refusal], "r-1").await;
    assert!(!format!("{:?}", sent.unwrap_err()).contains("canary"));
}

#[tokio::test]
async fn an_event_goes_to_the_topic_as_a_structured_cloud_event() {
    let (script, clock) = (Script::new([]).await, Jumping::new());
    let event = CloudEvent {
        specversion: "1.0".to_owned(),
        id: "op/0001".to_owned(),
        kind: "io.tenantry.tenant.provision.succeeded.v1".to_owned(),
        source: "/tenantry/test/tenants/contoso".to_owned(),
        subject: "tenants/contoso/operations/op".to_owned(),
        time: "2026-01-01T00:00:00Z".to_owned(),
        datacontenttype: "application/json".to_owned(),
        dataschema: "urn:tenantry:schema:x".to_owned(),
        tenantid: Some("contoso".to_owned()),
        operationid: "op".to_owned(),
        correlationid: "r-1".to_owned(),
        sequence: "00000000000000000001".to_owned(),
        partitionkey: Some("contoso".to_owned()),
        traceparent: None,
        data: json!({"displayName": "Café"}),
    };
    let publisher = TopicPublisher::new(bus(&script, &clock), "tenant-events");
    publisher.publish(&[event.clone(), event.clone()]).await.unwrap();
    let asked = script.asked();
    assert_eq!((asked.len(), asked[0].target.as_str()), (2, "/tenant-events/messages"));
    assert_eq!(properties(&asked[0])["MessageId"], "op/0001");
    assert_eq!(asked[0].header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(serde_json::from_str::<CloudEvent>(&asked[0].body).unwrap(), event);
}
