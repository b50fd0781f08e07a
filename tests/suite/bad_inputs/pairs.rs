//! Bad inputs that take more than one message: ids of messages, and similar ids.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry::intake::IntakeDecision;

use super::{
    case::{signup, with},
    harness::Harness,
};

/// The numbers of bad inputs that are tested here and not in a table of single messages.
pub(crate) const NUMBERS: [u32; 4] = [38, 40, 63, 64];

#[tokio::test]
async fn the_brokers_message_id_does_not_identify_a_request() {
    let harness = Harness::open().await;
    // 38: no MessageId, one of the greatest length that Service Bus allows, and a longer one.
    for (n, id) in [json!(null), json!("m".repeat(128)), json!("m".repeat(129))].into_iter().enumerate() {
        let body = signup(&format!("a38-{n}")).to_string();
        harness.deliver(body.as_bytes(), &json!({"MessageId": id})).await;
        let answer = harness.answer_to(body.as_bytes()).await.unwrap();
        assert_eq!(answer.decision, IntakeDecision::Accepted, "38: MessageId {id}");
    }
    // 39: the same MessageId with two bodies are two requests.
    let same = json!({"MessageId": "same"});
    let bodies = ["a39-a", "a39-b"].map(|id| signup(id).to_string());
    for body in &bodies {
        harness.deliver(body.as_bytes(), &same).await;
    }
    let mut tenants = BTreeSet::new();
    for body in &bodies {
        tenants.insert(harness.answer_to(body.as_bytes()).await.unwrap().tenant_id.unwrap());
    }
    assert_eq!(tenants.len(), 2, "39");
    // 40: the same body with other MessageIds is one request.
    let before = harness.census().await;
    let body = signup("a40").to_string();
    for id in ["one", "two", "three"] {
        harness.deliver(body.as_bytes(), &json!({"MessageId": id})).await;
    }
    let id = harness.answer_to(body.as_bytes()).await.unwrap().tenant_id.unwrap();
    harness.settled(&id).await;
    let after = harness.census().await;
    assert_eq!(after.tenants.len(), before.tenants.len() + 1, "40");
    assert_eq!(after.events, before.events + 3, "40: accepted, started and succeeded, once each");
}

#[tokio::test]
async fn another_body_under_a_requests_id_is_refused_once_for_each_body() {
    let harness = Harness::open().await;
    let first = signup("a39-c");
    harness.deliver(first.to_string().as_bytes(), &json!({})).await;
    let before = harness.census().await;
    let second = with("a39-c", "/spec/displayName", "Somebody Else");
    for _ in 0..3 {
        harness.deliver(&second, &json!({})).await;
    }
    let answer = harness.answer_to(&second).await.unwrap();
    assert_eq!(
        (answer.decision, answer.code.as_deref()),
        (IntakeDecision::Rejected, Some("request_conflict"))
    );
    let (status, _) = harness.submit(&second).await;
    assert_eq!(status, 409);
    let events = harness.events().await.split_off(before.events);
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0]["type"], "io.tenantry.tenant.request.rejected.v1");
    let answer = harness.answer_to(first.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer.decision, IntakeDecision::Accepted, "the first answer is unchanged");
}

#[tokio::test]
async fn the_same_bytes_by_message_and_by_http_are_one_refusal() {
    let harness = Harness::open().await;
    harness.deliver(b"{", &json!({})).await;
    let (status, _) = harness.submit(b"{").await;
    assert_eq!((status, harness.events().await.len()), (400, 1));
}

/// 63 and 64: names of Azure's objects are shortened, so tenants whose ids agree in the part that is kept must still
/// get different names.
#[tokio::test]
async fn tenants_with_similar_ids_get_objects_of_their_own() {
    let harness = Harness::open().await;
    let long = "x234567890123456789012345678901";
    let alike = [
        format!("{long}a"),
        format!("{long}b"),
        "ab-c-d".into(),
        "abc-d".into(),
        "a-bcd".into(),
        "abcd".into(),
    ];
    let before = harness.census().await;
    let mut groups = BTreeSet::new();
    for id in &alike {
        let tenant = harness.sign_up(id).await;
        groups.insert(tenant.exports["group"].as_str().unwrap().to_lowercase());
        let plain = |text: &Value| text.as_str().unwrap().replace('-', "");
        assert!(plain(&tenant.exports["group"]).len() <= 90);
    }
    assert_eq!(groups.len(), alike.len(), "{groups:?}");
    assert_eq!(harness.census().await.objects.len(), before.objects.len() + alike.len());
}
