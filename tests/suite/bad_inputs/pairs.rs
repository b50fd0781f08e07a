//! Bad inputs that take more than one message: ids of messages, and ids that look alike.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry::intake::IntakeDecision;

use super::{
    case::{signup, with},
    stage::Stage,
};

/// The numbers that are shown here rather than in a table of single messages.
pub(crate) const NUMBERS: [u32; 4] = [38, 40, 63, 64];

#[tokio::test]
async fn the_brokers_message_id_says_nothing_about_the_request() {
    let stage = Stage::open().await;
    // 38: absent, as long as the broker takes, and longer.
    for (n, id) in [json!(null), json!("m".repeat(128)), json!("m".repeat(129))].into_iter().enumerate() {
        let body = signup(&format!("a38-{n}")).to_string();
        stage.deliver(body.as_bytes(), &json!({"MessageId": id})).await;
        let answer = stage.answer_to(body.as_bytes()).await.unwrap();
        assert_eq!(answer.verdict, IntakeDecision::Accepted, "38: MessageId {id}");
    }
    // 39: the same MessageId with two bodies are two requests.
    let same = json!({"MessageId": "same"});
    let bodies = ["a39-a", "a39-b"].map(|id| signup(id).to_string());
    for body in &bodies {
        stage.deliver(body.as_bytes(), &same).await;
    }
    let mut tenants = BTreeSet::new();
    for body in &bodies {
        tenants.insert(stage.answer_to(body.as_bytes()).await.unwrap().tenant_id.unwrap());
    }
    assert_eq!(tenants.len(), 2, "39");
    // 40: the same body with other MessageIds is one request.
    let before = stage.census().await;
    let body = signup("a40").to_string();
    for id in ["one", "two", "three"] {
        stage.deliver(body.as_bytes(), &json!({"MessageId": id})).await;
    }
    let id = stage.answer_to(body.as_bytes()).await.unwrap().tenant_id.unwrap();
    stage.settled(&id).await;
    let after = stage.census().await;
    assert_eq!(after.tenants.len(), before.tenants.len() + 1, "40");
    assert_eq!(after.events, before.events + 3, "40: accepted, started and succeeded, once each");
}

#[tokio::test]
async fn another_body_under_a_requests_id_is_refused_once_for_each_body() {
    let stage = Stage::open().await;
    let first = signup("a39-c");
    stage.deliver(first.to_string().as_bytes(), &json!({})).await;
    let before = stage.census().await;
    let second = with("a39-c", "/spec/displayName", "Somebody Else");
    for _ in 0..3 {
        stage.deliver(&second, &json!({})).await;
    }
    let answer = stage.answer_to(&second).await.unwrap();
    assert_eq!(
        (answer.verdict, answer.code.as_deref()),
        (IntakeDecision::Rejected, Some("request_conflict"))
    );
    let (status, _) = stage.submit(&second).await;
    assert_eq!(status, 409);
    let told = stage.events().await.split_off(before.events);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["type"], "io.tenantry.tenant.request.rejected.v1");
    let answer = stage.answer_to(first.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer.verdict, IntakeDecision::Accepted, "the first one's answer stands");
}

#[tokio::test]
async fn the_same_bytes_are_one_refusal_on_both_ways_in() {
    let stage = Stage::open().await;
    stage.deliver(b"{", &json!({})).await;
    let (status, _) = stage.submit(b"{").await;
    assert_eq!((status, stage.events().await.len()), (400, 1));
}

/// 63 and 64: names of Azure's objects are cut, so ids that agree in what is kept must still differ in the rest.
#[tokio::test]
async fn ids_that_look_alike_get_objects_of_their_own() {
    let stage = Stage::open().await;
    let long = "x234567890123456789012345678901";
    let alike = [
        format!("{long}a"),
        format!("{long}b"),
        "ab-c-d".into(),
        "abc-d".into(),
        "a-bcd".into(),
        "abcd".into(),
    ];
    let before = stage.census().await;
    let mut groups = BTreeSet::new();
    for id in &alike {
        let tenant = stage.sign_up(id).await;
        groups.insert(tenant.exports["group"].as_str().unwrap().to_lowercase());
        let plain = |text: &Value| text.as_str().unwrap().replace('-', "");
        assert!(plain(&tenant.exports["group"]).len() <= 90);
    }
    assert_eq!(groups.len(), alike.len(), "{groups:?}");
    assert_eq!(stage.census().await.objects.len(), before.objects.len() + alike.len());
}
