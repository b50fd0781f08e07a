//! A request that repeats another says so on every way in, with how the tenant stands by now.

use serde_json::{Value, json};
use tenantry::intake::{IntakeDecision, RequestAnswer};
use tenantry_core::tenant::{Channel, Status};

use super::{live, request, signup, take_in};
use crate::bad_inputs::stage::{LIVE, Stage};

async fn done(stage: &Stage, message: &Value) -> Status {
    stage.deliver(message.to_string().as_bytes(), &json!({})).await;
    stage.settled(&LIVE.parse().unwrap()).await.status
}

/// A blueprint that can be suspended, with a tenant that was suspended and resumed.
async fn resumed() -> (Stage, Value) {
    let stage = Stage::suspendable().await;
    stage.sign_up(LIVE).await;
    let suspend = request("suspend", "s-1", LIVE, json!({"reason": "billing"}));
    assert_eq!(done(&stage, &suspend).await, Status::Suspended);
    assert_eq!(done(&stage, &request("resume", "r-1", LIVE, json!({}))).await, Status::Active);
    (stage, suspend)
}

#[tokio::test]
async fn a_suspension_that_comes_again_after_a_resumption_is_told_as_a_repeat() {
    let (stage, suspend) = resumed().await;
    let before = live(&stage).await;
    // Over HTTP.
    let (status, body) = stage.submit(suspend.to_string().as_bytes()).await;
    let told = (body["verdict"].as_str(), body["replayed"].as_bool(), body["status"].as_str());
    assert_eq!((status, told), (200, (Some("accepted"), Some(true), Some("active"))), "{body}");
    assert_eq!(body["superseded"], true, "{body}");
    // By the queue, whose function logs it.
    let logs = stage.logs(suspend.to_string().as_bytes()).await;
    let operation = body["operationId"].as_str().unwrap();
    assert!(logs.contains("replayed") && logs.contains(operation) && logs.contains("is active"), "{logs}");
    assert_eq!(live(&stage).await, before, "and nothing is done");
    // Under a new id it is another suspension.
    let mut another = suspend.clone();
    another["requestId"] = "s-2".into();
    assert_eq!(done(&stage, &another).await, Status::Suspended);
    let (_, body) = stage.submit(another.to_string().as_bytes()).await;
    assert_eq!((&body["status"], body.get("superseded")), (&json!("suspended"), None), "{body}");
}

/// What the tenant itself remembers counts, too: the answer may not have been recorded.
#[tokio::test]
async fn a_request_whose_answer_was_lost_is_a_repeat_when_it_comes_again() {
    let (stage, suspend) = resumed().await;
    let answer = take_in(&stage, &suspend).await;
    let key = stage.local.app.intake.record_of(&Channel::Queue, &answer).unwrap();
    let stored = stage.local.world.store.request(&key).await.unwrap().unwrap();
    let mut record = stored.value;
    record.answer = Value::Null;
    stage.local.world.store.save_request(&record, Some(&stored.etag)).await.unwrap();
    let again = take_in(&stage, &suspend).await;
    assert_eq!(again, answer);
    assert!(again.replayed && again.superseded && again.status == Some(Status::Active), "{again:?}");
    assert_eq!(live(&stage).await.spec.suspended, None);
}

#[tokio::test]
async fn a_refusal_and_a_plan_that_come_again_are_told_as_repeats() {
    let stage = Stage::open().await;
    let mut dry = signup("dry", LIVE);
    dry["dryRun"] = true.into();
    for message in [request("update", "u-0", LIVE, json!({})), dry, json!({"schema": 1})] {
        let first = take_in(&stage, &message).await;
        assert!(!first.replayed && first.status.is_none(), "{first:?}");
        assert_eq!(take_in(&stage, &message).await, RequestAnswer { replayed: true, ..first }, "{message}");
    }
    // The tenant is there by now; the refusal of that time stands and is told as one.
    stage.sign_up(LIVE).await;
    let again = take_in(&stage, &request("update", "u-0", LIVE, json!({}))).await;
    assert_eq!((again.verdict, again.replayed), (IntakeDecision::Rejected, true));
}

#[tokio::test]
async fn of_many_at_once_one_is_taken_and_the_rest_are_repeats() {
    let stage = Stage::open().await;
    let message = signup("many", LIVE);
    let answers = futures_util::future::join_all((0..30).map(|_| take_in(&stage, &message))).await;
    assert!(answers.iter().all(|answer| answer.verdict == IntakeDecision::Accepted), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1, "{answers:?}");
}
