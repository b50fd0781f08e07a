//! Bad inputs 121 to 127, the Event Grid webhook. The reason for a rejection stays in the program; the sender gets 404,
//! or 413 if the delivery exceeds a limit.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tenantry::intake::{Delivery, DeliveryRejection, MAX_DELIVERY_BYTES, MAX_EVENTS, granted};

use super::{
    case::signup,
    harness::{Harness, LIVE, SOURCE, TOPIC},
};

/// A bad call of the webhook.
struct Call {
    number: u32,
    name: &'static str,
    method: &'static str,
    headers: Value,
    body: String,
}

fn post(number: u32, name: &'static str, kind: &str, body: Value) -> Call {
    let headers = json!({"aeg-event-type": [kind]});
    Call { number, name, method: "POST", headers, body: body.to_string() }
}

fn options(number: u32, name: &'static str, origins: &[&str]) -> Call {
    let headers = match origins {
        [] => json!({}),
        _ => json!({"WebHook-Request-Origin": origins, "WebHook-Request-Rate": ["120"]}),
    };
    Call { number, name, method: "OPTIONS", headers, body: String::new() }
}

/// An event in Event Grid's own schema.
fn event(topic: &str, kind: &str, data: Value) -> Value {
    json!({
        "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66", "topic": topic, "subject": "", "eventType": kind, "data": data,
        "eventTime": "2026-11-22T17:20:00Z", "dataVersion": "2", "metadataVersion": "1",
    })
}

fn validation(topic: &str) -> Value {
    let data = json!({"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6",
        "validationUrl": "https://rp-westeurope.eventgrid.azure.net/eventsubscriptions/x/validate?id=512d38b6"});
    event(topic, "Microsoft.EventGrid.SubscriptionValidationEvent", data)
}

fn request(request_id: &str) -> Value {
    event(TOPIC, "io.tenantry.request.signup.v1", signup(request_id))
}

fn cloud_event(source: &str, request_id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": request_id, "source": source, "type": "io.tenantry.request.signup.v1",
        "data": signup(request_id),
    })
}

const VALIDATION: &str = "SubscriptionValidation";
const NOTIFICATION: &str = "Notification";

/// Invalid validation handshakes, and events of other topics.
fn handshakes() -> Vec<Call> {
    let other = TOPIC.replace("evgt-shop", "evgt-other");
    let with_data = |data: Value| event(TOPIC, "Microsoft.EventGrid.SubscriptionValidationEvent", data);
    vec![
        post(121, "validation for another topic", VALIDATION, json!([validation(&other)])),
        post(121, "validation for no topic", VALIDATION, json!([validation("")])),
        post(
            121,
            "validation for more than the topic",
            VALIDATION,
            json!([validation(&format!("{TOPIC}/x"))]),
        ),
        post(
            121,
            "a request of another topic",
            NOTIFICATION,
            json!([event(&other, "io.tenantry.request.signup.v1", signup("e121"))]),
        ),
        post(
            121,
            "a CloudEvent of another source",
            NOTIFICATION,
            cloud_event("/shop/signups/x", "e121-source"),
        ),
        post(121, "a source in another case", NOTIFICATION, cloud_event("/Shop/Signups", "e121-case")),
        post(
            121,
            "one of ours and one of theirs",
            NOTIFICATION,
            json!([request("e121-ours"), cloud_event("/theirs", "e121-theirs")]),
        ),
        post(
            122,
            "a validationUrl without a code",
            VALIDATION,
            json!([with_data(json!({"validationUrl": "http://169.254.169.254/metadata"}))]),
        ),
        post(
            122,
            "a code that is no text",
            VALIDATION,
            json!([with_data(json!({"validationCode": {"a": 1}}))]),
        ),
        post(122, "an empty code", VALIDATION, json!([with_data(json!({"validationCode": ""}))])),
        post(
            122,
            "a code with a line break",
            VALIDATION,
            json!([with_data(json!({"validationCode": "a\r\nb"}))]),
        ),
        post(
            122,
            "a code of a kilobyte",
            VALIDATION,
            json!([with_data(json!({"validationCode": "x".repeat(1024)}))]),
        ),
        post(123, "two validations", VALIDATION, json!([validation(TOPIC), validation(TOPIC)])),
        post(123, "a validation and a request", VALIDATION, json!([validation(TOPIC), request("e123")])),
        options(124, "no origin", &[]),
        options(124, "another origin", &["eventemitter.example.com"]),
        options(124, "any origin", &["*"]),
        options(124, "an origin that ends alike", &["evil-eventgrid.azure.net"]),
        options(124, "an origin that begins alike", &["eventgrid.azure.net.example.com"]),
        options(124, "the origin with a second one", &["eventgrid.azure.net", "example.com"]),
        options(124, "two origins in one", &["eventgrid.azure.net,example.com"]),
    ]
}

/// Deliveries that are too large, or that contradict themselves.
fn deliveries() -> Vec<Call> {
    let mut doubled = post(126, "a member twice", NOTIFICATION, json!([request("e126-twice")]));
    doubled.body = doubled.body.replacen("\"topic\":", "\"Topic\":\"x\",\"topic\":", 1);
    let mut two_kinds = post(126, "two kinds in the header", NOTIFICATION, json!([request("e126-two")]));
    two_kinds.headers = json!({"aeg-event-type": [NOTIFICATION, VALIDATION]});
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep = format!(r#"[{{"topic":"{TOPIC}","eventType":"x","data":{}}}]"#, nested(40));
    vec![
        post(125, "5,000 events", NOTIFICATION, (0..5000).map(|n| json!({"n": n})).collect()),
        post(
            125,
            "one event too many",
            NOTIFICATION,
            (0..=MAX_EVENTS).map(|n| request(&format!("e125-{n}"))).collect(),
        ),
        post(
            125,
            "many members in few events",
            NOTIFICATION,
            json!([event(TOPIC, "x", json!(vec![0; 20_000]))]),
        ),
        post(
            125,
            "more than a megabyte",
            NOTIFICATION,
            json!([event(TOPIC, "x", json!("x".repeat(MAX_DELIVERY_BYTES)))]),
        ),
        Call {
            body: nested(100_000),
            ..post(125, "a hundred thousand arrays in each other", NOTIFICATION, json!([]))
        },
        Call { body: deep, ..post(125, "forty arrays in each other", NOTIFICATION, json!([])) },
        post(126, "a validation sent as a request", NOTIFICATION, json!([validation(TOPIC)])),
        post(
            126,
            "a validation hidden among requests",
            NOTIFICATION,
            json!([request("e126"), validation(TOPIC)]),
        ),
        post(126, "a request sent as a validation", VALIDATION, json!([request("e126-asks")])),
        post(126, "another kind", "SubscriptionDeletion", json!([request("e126-deletion")])),
        post(126, "a kind in another case", "notification", json!([request("e126-case")])),
        Call {
            headers: json!({}),
            ..post(126, "a validation without the header", NOTIFICATION, json!([validation(TOPIC)]))
        },
        two_kinds,
        doubled,
        post(126, "no event", NOTIFICATION, json!([])),
        post(126, "a text", NOTIFICATION, json!("event")),
        post(126, "an event that is none", NOTIFICATION, json!([{"topic": TOPIC}])),
        Call { body: String::new(), ..post(126, "no body", NOTIFICATION, json!([])) },
        Call { method: "PUT", ..post(126, "another method", NOTIFICATION, json!([request("e126-put")])) },
    ]
}

fn check(call: &Call) -> Result<(), DeliveryRejection> {
    let topics = [TOPIC.to_owned(), SOURCE.to_owned()];
    let header = |name: &str| -> Vec<String> {
        serde_json::from_value(call.headers.get(name).cloned().unwrap_or_else(|| json!([]))).unwrap()
    };
    match call.method {
        "OPTIONS" => granted(&topics, &header("WebHook-Request-Origin"), None).map(|_| ()),
        "POST" => Delivery::read(&topics, &header("aeg-event-type"), call.body.as_bytes()).map(|_| ()),
        _ => Err(DeliveryRejection::WrongMethod),
    }
}

#[tokio::test]
async fn every_bad_delivery_is_rejected_for_its_reason() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let before = harness.census().await;
    let mut listed = String::new();
    let constant = harness.webhook("DELETE", &json!({}), "").await;
    assert_eq!(constant.0, 404);
    for call in handshakes().into_iter().chain(deliveries()) {
        let Call { number, name, method, headers, body } = &call;
        let rejection = check(&call).expect_err(name);
        let answer = harness.webhook(method, headers, body).await;
        if rejection.is_limit() {
            assert_eq!(answer.0, 413, "{number} {name}: {answer:?}");
        } else {
            assert_eq!(answer, constant, "{number} {name}: its answer differs from the others");
        }
        let _ = writeln!(listed, "{number:>3}  {name:<44} {}  {}", answer.0, rejection.as_str());
    }
    let after = harness.census().await;
    assert_eq!(
        (after.tenants, after.objects, after.events),
        (before.tenants, before.objects, before.events),
        "it has changed something"
    );
    insta::with_settings!({ snapshot_path => ".", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("events", listed);
    });
}

/// 122: the answer to a validation event contains only its code, and no URL in the event or the headers is called.
#[tokio::test]
async fn a_validation_is_echoed_and_its_url_is_not_called() {
    let harness = Harness::open().await;
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/validate", trap.local_addr().unwrap());
    let mut event = validation(&TOPIC.to_uppercase().replace("/SUBSCRIPTIONS/", "/subscriptions/"));
    event["data"]["validationUrl"] = json!(url);
    let headers = json!({"aeg-event-type": [VALIDATION], "WebHook-Request-Callback": [url]});
    let (status, _, body) = harness.webhook("POST", &headers, &json!([event]).to_string()).await;
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}"#)
    );
    let asks = json!({"WebHook-Request-Origin": ["eventgrid.azure.net"], "WebHook-Request-Callback": [url]});
    let (status, headers, _) = harness.webhook("OPTIONS", &asks, "").await;
    assert_eq!((status, &headers["WebHook-Allowed-Origin"]), (200, &json!("eventgrid.azure.net")));
    assert!(headers.get("WebHook-Allowed-Rate").is_none(), "not requested: {headers}");
    let called = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(called.is_err(), "the address was called");
}

#[tokio::test]
async fn a_repeated_event_with_other_data_is_a_conflict_and_not_a_change() {
    let harness = Harness::open().await;
    let headers = json!({"aeg-event-type": [NOTIFICATION]});
    let deliver = async |event: &Value| harness.webhook("POST", &headers, &event.to_string()).await;
    let first = json!([request("e127")]);
    let answer = deliver(&first).await;
    assert_eq!((answer.0, answer.2.as_str()), (200, r#"{"accepted":1,"rejected":0,"replayed":0}"#));
    // The same delivery again is a repeat.
    let (status, _, body) = deliver(&first).await;
    assert_eq!((status, body.as_str()), (200, r#"{"accepted":0,"rejected":0,"replayed":1}"#));
    let [id] = harness.census().await.tenants.into_iter().collect::<Vec<_>>().try_into().unwrap();
    let tenant = harness.settled(&id.parse().unwrap()).await;
    let before = harness.census().await;
    let mut changed = first.clone();
    changed[0]["data"]["spec"]["displayName"] = json!("Somebody else");
    for _ in 0..2 {
        let (status, _, body) = deliver(&changed).await;
        assert_eq!((status, body.as_str()), (200, r#"{"accepted":0,"rejected":1,"replayed":0}"#));
    }
    let events = harness.events().await.split_off(before.events);
    let codes: Vec<&Value> = events.iter().map(|event| &event["data"]["code"]).collect();
    assert_eq!(codes, ["request_conflict"], "{events:#?}");
    assert_eq!(harness.tenant(&tenant.id).await.unwrap(), tenant);
}

/// Without configured topics the webhook is off: it rejects each delivery and each handshake.
#[test]
fn without_topics_everything_is_rejected() {
    let kinds = [NOTIFICATION.to_owned()];
    assert_eq!(Delivery::read(&[], &kinds, b"[]"), Err(DeliveryRejection::Off));
    assert_eq!(granted(&[], &["eventgrid.azure.net".to_owned()], None), Err(DeliveryRejection::Off));
}
