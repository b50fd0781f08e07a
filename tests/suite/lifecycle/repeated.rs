//! The same request is sent many times, or two requests are sent under one id.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::testkit::{
    harness::{Answer, Harness},
    judge::{check_event_sequence, kinds, list, nothing_was_made_twice, text, types},
    request, signup,
};

/// The types of the events that report an outcome.
fn outcomes(events: &[Value]) -> Vec<&str> {
    types(events).into_iter().filter(|kind| kind.ends_with("succeeded") || kind.ends_with("failed")).collect()
}

#[tokio::test]
async fn fifty_equal_calls_make_one_tenant_and_one_outcome() {
    let harness = Harness::new().await;
    let body = signup("contoso");
    let answers = join_all((0..50).map(|_| harness.submit(&body))).await;
    let is_fresh = |answer: &&Answer| answer.status == 202 && answer.body["replayed"].is_null();
    let [first] = answers.iter().filter(is_fresh).collect::<Vec<_>>().try_into().unwrap();
    for answer in answers.iter().filter(|answer| !is_fresh(answer)) {
        assert_eq!((answer.status, &answer.body["replayed"]), (200, &json!(true)), "{answer:#?}");
        assert_eq!(answer.body["operationId"], first.body["operationId"]);
    }
    harness.until_is("contoso", "active").await;
    let again = join_all((0..10).map(|_| harness.repeat(&body, &first.body))).await;
    assert!(again.iter().all(|answer| answer["status"] == "active"), "{again:?}");
    is_one(&harness, "contoso").await;
}

#[tokio::test]
async fn fifty_equal_messages_make_one_tenant_and_one_outcome() {
    let harness = Harness::new().await;
    let body = signup("fabrikam");
    join_all((0..50).map(|_| harness.enqueue(&body))).await;
    harness.until_is("fabrikam", "active").await;
    is_one(&harness, "fabrikam").await;
}

#[tokio::test]
async fn fifty_equal_invocations_at_once_make_one_tenant_and_one_outcome() {
    let harness = Harness::new().await;
    let body = signup("tailspin");
    let statuses = join_all((0..50).map(|_| harness.run_function("requests", &body))).await;
    assert!(statuses.iter().all(|status| *status == 202), "{statuses:?}");
    harness.until_is("tailspin", "active").await;
    is_one(&harness, "tailspin").await;
}

async fn is_one(harness: &Harness, id: &str) {
    let events = harness.until_published(id, "tenant.provision.succeeded", 1).await;
    check_event_sequence(id, &events);
    assert_eq!(outcomes(&events), ["tenant.provision.succeeded"]);
    let tenants = harness.get("/api/tenants").await;
    assert_eq!(list(&tenants["tenants"]).len(), 1, "{tenants:#}");
    assert_eq!(tenants["tenants"][0]["incarnation"], 1);
    assert_eq!(kinds(&harness.objects(id).await).get("graph/application"), Some(&1));
    nothing_was_made_twice(&harness.journal().await, 1);
}

#[tokio::test]
async fn another_body_under_the_same_id_is_refused_and_reported() {
    let harness = Harness::new().await;
    let first = signup("contoso");
    harness.accept(&first).await;
    let mut second = first.clone();
    second["tenantId"] = json!("not-contoso");
    for _ in 0..2 {
        let refused = harness.submit(&second).await;
        assert_eq!((refused.status, text(&refused.body, "/code")), (409, "request_conflict"), "{refused:#?}");
    }
    harness.enqueue(&second).await;
    let events = harness.until_published("not-contoso", "tenant.request.rejected", 1).await;
    assert_eq!(text(&events[0], "/correlationid"), text(&first, "/requestId"));
    assert_eq!(harness.call(reqwest::Method::GET, "/api/tenants/not-contoso", None).await.status, 404);
    harness.until_is("contoso", "active").await;
    assert_eq!(list(&harness.objects("not-contoso").await), [] as [Value; 0]);
}

#[tokio::test]
async fn a_refusal_leaves_no_gap_in_a_tenants_history() {
    let harness = Harness::new().await;
    let early = request("too-early", "update", "tailspin", json!({"displayName": "Too early"}));
    assert_eq!(harness.submit(&early).await.status, 404);
    harness.until_published("tailspin", "tenant.request.rejected", 1).await;
    harness.accept(&signup("tailspin")).await;
    harness.until_published("tailspin", "tenant.provision.succeeded", 1).await;
    let history = harness.get("/api/tenants/tailspin?view=history&limit=1000").await;
    let first = list(&history["history"]).last().unwrap().clone();
    assert_eq!((first["number"].as_u64(), text(&first, "/what")), (Some(1), "tenant.request.accepted"));
}

#[tokio::test]
async fn two_bodies_at_once_under_one_id_make_one_tenant_at_most() {
    let harness = Harness::new().await;
    let bodies: Vec<Value> = (0..20)
        .map(|number| {
            let mut body = signup("fabrikam");
            body["data"]["tenantId"] = json!(format!("fabrikam-{}", number % 2));
            body
        })
        .collect();
    let answers = join_all(bodies.iter().map(|body| harness.submit(body))).await;
    let taken: Vec<&str> = answers
        .iter()
        .filter(|a| matches!(a.status, 200 | 202))
        .map(|a| text(&a.body, "/tenantId"))
        .collect();
    assert!(!taken.is_empty() && taken.iter().all(|id| *id == taken[0]), "{answers:#?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 20 - taken.len());
    harness.until_is(taken[0], "active").await;
    assert_eq!(list(&harness.get("/api/tenants").await["tenants"]).len(), 1);
}
