//! The answer to a repeated request is marked as a repeat on every channel, and has the tenant's current status.

use serde_json::{Value, json};
use tenantry::intake::{IntakeDecision, RequestAnswer};
use tenantry_core::tenant::{Channel, Status};

use super::{live, request, signup, take_in};
use crate::bad_inputs::harness::{Harness, LIVE};

async fn done(harness: &Harness, message: &Value) -> Status {
    harness.deliver(message.to_string().as_bytes(), &json!({})).await;
    harness.settled(&LIVE.parse().unwrap()).await.status
}

/// Suspends and resumes a tenant; returns the harness and the suspension request.
async fn resumed() -> (Harness, Value) {
    let harness = Harness::suspendable().await;
    harness.sign_up(LIVE).await;
    let suspend = request("suspend", "s-1", LIVE, json!({"reason": "billing"}));
    assert_eq!(done(&harness, &suspend).await, Status::Suspended);
    assert_eq!(done(&harness, &request("resume", "r-1", LIVE, json!({}))).await, Status::Active);
    (harness, suspend)
}

#[tokio::test]
async fn a_suspension_that_comes_again_after_a_resumption_is_reported_as_a_repeat() {
    let (harness, suspend) = resumed().await;
    let before = live(&harness).await;
    // Over HTTP.
    let (status, body) = harness.submit(suspend.to_string().as_bytes()).await;
    let reported = (body["decision"].as_str(), body["replayed"].as_bool(), body["status"].as_str());
    assert_eq!((status, reported), (200, (Some("accepted"), Some(true), Some("active"))), "{body}");
    assert_eq!(body["superseded"], true, "{body}");
    // Through the queue, whose function logs it.
    let logs = harness.logs(suspend.to_string().as_bytes()).await;
    let operation = body["operationId"].as_str().unwrap();
    assert!(logs.contains("replayed") && logs.contains(operation) && logs.contains("is active"), "{logs}");
    assert_eq!(live(&harness).await, before, "nothing is done");
    // With a new id it is another suspension.
    let mut another = suspend.clone();
    another["requestId"] = "s-2".into();
    assert_eq!(done(&harness, &another).await, Status::Suspended);
    let (_, body) = harness.submit(another.to_string().as_bytes()).await;
    assert_eq!((&body["status"], body.get("superseded")), (&json!("suspended"), None), "{body}");
}

/// A repeat is recognized by the tenant's document too, because the answer may not have been recorded.
#[tokio::test]
async fn a_request_whose_answer_was_lost_is_a_repeat_when_it_comes_again() {
    let (harness, suspend) = resumed().await;
    let answer = take_in(&harness, &suspend).await;
    let key = harness.local.app.intake.record_of(&Channel::Queue, &answer).unwrap();
    let stored = harness.local.ports.store.request(&key).await.unwrap().unwrap();
    let mut record = stored.value;
    record.answer = Value::Null;
    harness.local.ports.store.save_request(&record, Some(&stored.etag)).await.unwrap();
    let again = take_in(&harness, &suspend).await;
    assert_eq!(again, answer);
    assert!(again.replayed && again.superseded && again.status == Some(Status::Active), "{again:?}");
    assert_eq!(live(&harness).await.spec.suspended, None);
}

#[tokio::test]
async fn a_repeated_rejection_and_a_repeated_plan_are_reported_as_repeats() {
    let harness = Harness::open().await;
    let mut dry = signup("dry", LIVE);
    dry["dryRun"] = true.into();
    for message in [request("update", "u-0", LIVE, json!({})), dry, json!({"schema": 1})] {
        let first = take_in(&harness, &message).await;
        assert!(!first.replayed && first.status.is_none(), "{first:?}");
        assert_eq!(take_in(&harness, &message).await, RequestAnswer { replayed: true, ..first }, "{message}");
    }
    // The tenant exists by now; the earlier rejection still stands.
    harness.sign_up(LIVE).await;
    let again = take_in(&harness, &request("update", "u-0", LIVE, json!({}))).await;
    assert_eq!((again.decision, again.replayed), (IntakeDecision::Rejected, true));
}

#[tokio::test]
async fn of_many_equal_requests_at_once_one_is_accepted_and_the_rest_are_repeats() {
    let harness = Harness::open().await;
    let message = signup("many", LIVE);
    let answers = futures_util::future::join_all((0..30).map(|_| take_in(&harness, &message))).await;
    assert!(answers.iter().all(|answer| answer.decision == IntakeDecision::Accepted), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "{answers:?}");
}
