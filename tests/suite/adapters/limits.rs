//! The throttle: Azure's limits are kept before Azure has to refuse, and changes to one network take turns.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    azure::{
        client::client,
        throttle::Throttle,
        token::Tokens,
        wire::{Hosts, HttpWire},
    },
    ports::{Clock as _, Wire as _},
};
use tenantry_core::{
    steps::{Api, Failure, Method, Reply, Request},
    tenant::FailureClass,
};

use super::script::{Answer, Jumping, Script, json as reply, with_header};

struct Throttled {
    script: Script,
    clock: Arc<Jumping>,
    wire: HttpWire,
}

async fn throttled(answers: impl IntoIterator<Item = Answer>) -> Throttled {
    let script = Script::new(answers).await;
    let clock = Jumping::new();
    let timeout = Duration::from_secs(5);
    let url: reqwest::Url = script.url.parse().unwrap();
    let hosts = Hosts { arm: url.clone(), graph: url, event_grid: None };
    let wire = HttpWire::new(client(timeout).unwrap(), hosts, Arc::new(Tokens::fixed("t")), timeout)
        .throttled(Throttle::new(clock.clone()));
    Throttled { script, clock, wire }
}

impl Throttled {
    async fn send(&self, request: Request) -> Result<Reply, Failure> {
        self.wire.send(request).await
    }

    fn count(&self) -> usize {
        self.script.asked().len()
    }
}

fn arm(method: Method, subscription: &str) -> Request {
    Request::arm(
        method,
        &format!("/subscriptions/{subscription}/resourceGroups/g").parse().unwrap(),
        &"2024-07-01".parse().unwrap(),
    )
}

fn too_many(seconds: Option<u64>) -> Answer {
    let refusal =
        reply(429, &json!({"error": {"code": "SubscriptionRequestsThrottled", "message": "Slow down."}}));
    match seconds {
        Some(seconds) => with_header(refusal, "retry-after", seconds.to_string()),
        None => refusal,
    }
}

/// A wait is obeyed in every form in which it may be asked for, and none is for ever.
#[tokio::test]
async fn a_pause_is_kept_in_whichever_form_it_is_asked_for() {
    let refusal = || reply(429, &json!({"error": {"code": "TooManyRequests", "message": "Slow down."}}));
    let date =
        |at: &str| vec![("retry-after", at.to_owned()), ("date", "Mon, 30 Nov 2026 09:59:00 GMT".to_owned())];
    let rows = [
        (vec![("retry-after", "4.5".to_owned())], 4500),
        (date("Mon, 30 Nov 2026 10:00:00 GMT"), 60_000),
        (date("Monday, 30-Nov-26 10:00:00 GMT"), 60_000),
        (vec![("x-ms-retry-after-ms", "7500".to_owned())], 7500),
        (vec![("retry-after-ms", "7500".to_owned()), ("retry-after", "8".to_owned())], 7500),
        (vec![("retry-after", "99999999999".to_owned())], 7_200_000),
        // What can't be read is no pause of the service's, and there is one all the same.
        (vec![("retry-after", "soon".to_owned())], 5000),
    ];
    for (headers, milliseconds) in rows {
        let answer =
            headers.iter().fold(refusal(), |answer, (name, value)| with_header(answer, name, value.clone()));
        let stage = throttled([answer]).await;
        let _ = stage.send(arm(Method::Put, "a")).await;
        let held = held_back(stage.send(arm(Method::Put, "a")).await);
        assert_eq!(held, Duration::from_millis(milliseconds), "{headers:?}");
    }
}

/// A date without the answer's own counts from now.
#[tokio::test]
async fn a_pause_until_a_date_needs_no_date_of_the_answer() {
    let refusal = reply(429, &json!({"error": {"code": "TooManyRequests", "message": "Slow down."}}));
    let stage = throttled([with_header(refusal, "retry-after", "Fri, 31 Dec 2100 00:00:00 GMT")]).await;
    let _ = stage.send(arm(Method::Put, "a")).await;
    assert_eq!(held_back(stage.send(arm(Method::Put, "a")).await), Duration::from_secs(7200));
}

/// How long a request is held back for.
fn held_back(result: Result<Reply, Failure>) -> Duration {
    let failure = result.unwrap_err();
    assert_eq!((failure.cause.code.as_str(), failure.cause.class), ("held-back", FailureClass::Throttled));
    failure.retry_after.unwrap()
}

#[tokio::test]
async fn a_pause_that_one_request_was_told_is_kept_by_all_of_its_kind() {
    let stage = throttled([too_many(Some(30))]).await;
    assert_eq!(stage.send(arm(Method::Put, "a")).await.unwrap().status, 429);
    assert_eq!(held_back(stage.send(arm(Method::Put, "a")).await), Duration::from_secs(30));
    assert_eq!(stage.count(), 1, "nothing went out during the pause");

    for other in
        [arm(Method::Get, "a"), arm(Method::Put, "b"), Request::new(Api::Graph, Method::Patch, "/v1.0/x")]
    {
        assert_eq!(stage.send(other).await.unwrap().status, 200);
    }
    stage.clock.pass(Duration::from_secs(30));
    assert_eq!(stage.send(arm(Method::Put, "a")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_service_that_does_not_say_for_how_long_is_left_in_peace_all_the_same() {
    let stage = throttled([too_many(None)]).await;
    let _ = stage.send(Request::new(Api::Graph, Method::Patch, "/v1.0/x")).await;
    assert_eq!(
        held_back(stage.send(Request::new(Api::Graph, Method::Patch, "/v1.0/y")).await),
        Duration::from_secs(5)
    );
}

#[tokio::test]
async fn a_short_pause_is_waited_for_in_place() {
    let stage = throttled([too_many(Some(1))]).await;
    let _ = stage.send(arm(Method::Put, "a")).await;
    let before = stage.clock.now();
    assert_eq!(stage.send(arm(Method::Put, "a")).await.unwrap().status, 200);
    assert_eq!(stage.clock.now().duration_since(before).as_secs(), 1);
}

#[tokio::test]
async fn a_429_about_one_resource_does_not_stop_the_others() {
    let busy = json!({"error": {"code": "RetryableErrorDueToAnotherOperation", "message": "Another operation runs."}});
    let stage = throttled([with_header(reply(429, &busy), "retry-after", "60")]).await;
    assert_eq!(stage.send(arm(Method::Put, "a")).await.unwrap().status, 429);
    assert_eq!(stage.send(arm(Method::Put, "a")).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_bucket_is_emptied_at_once_and_then_drawn_from_as_it_fills() {
    let stage = throttled([]).await;
    let begun = stage.clock.now();
    for _ in 0..200 {
        stage.send(arm(Method::Delete, "a")).await.unwrap();
    }
    assert_eq!(stage.clock.now(), begun, "two hundred deletes are in the bucket");
    for _ in 0..20 {
        stage.send(arm(Method::Delete, "a")).await.unwrap();
    }
    let took = stage.clock.now().duration_since(begun).as_millis();
    assert!((1_900..=2_100).contains(&took), "ten more each second: {took} ms");
}

#[tokio::test]
async fn what_others_have_drawn_is_learnt_from_the_answers() {
    let left = |left: &str| {
        with_header(reply(200, &json!({})), "x-ms-ratelimit-remaining-subscription-writes", left)
    };
    let stage = throttled([left("1"), left("0")]).await;
    let begun = stage.clock.now();
    for _ in 0..3 {
        stage.send(arm(Method::Put, "a")).await.unwrap();
    }
    let took = stage.clock.now().duration_since(begun).as_millis();
    assert!((90..=210).contains(&took), "the third had to wait for the bucket: {took} ms");
}

fn endpoint(name: &str, method: Method) -> Request {
    let id = format!("/subscriptions/a/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/{name}");
    let serial = (method != Method::Get).then(|| "/the/network".to_owned());
    Request { serial, ..Request::arm(method, &id.parse().unwrap(), &"2024-03-01".parse().unwrap()) }
}

fn resource(state: &str) -> Value {
    json!({"properties": {"provisioningState": state}})
}

#[tokio::test]
async fn changes_to_one_network_take_turns() {
    let poll = "/subscriptions/a/operations/1";
    let begun = with_header(reply(201, &resource("Updating")), "azure-asyncoperation", poll);
    let running = reply(200, &json!({"status": "InProgress"}));
    let done = reply(200, &json!({"status": "Succeeded"}));
    let stage = throttled([begun, running, done]).await;

    assert_eq!(stage.send(endpoint("one", Method::Put)).await.unwrap().status, 201);
    assert_eq!(held_back(stage.send(endpoint("two", Method::Put)).await), Duration::from_secs(5));
    stage.send(Request::new(Api::Arm, Method::Get, poll)).await.unwrap();
    held_back(stage.send(endpoint("two", Method::Put)).await);
    stage.send(Request::new(Api::Arm, Method::Get, poll)).await.unwrap();
    assert_eq!(stage.send(endpoint("two", Method::Put)).await.unwrap().status, 200);
}

#[tokio::test]
async fn who_waits_longer_in_the_queue_is_sent_away_for_longer() {
    let begun = || reply(201, &resource("Updating"));
    let done = || reply(200, &resource("Succeeded"));
    let stage = throttled([begun(), done(), begun()]).await;
    stage.send(endpoint("one", Method::Put)).await.unwrap();
    for (name, seconds) in [("two", 5), ("three", 10), ("two", 5), ("four", 15)] {
        let wait = held_back(stage.send(endpoint(name, Method::Put)).await);
        assert_eq!(wait, Duration::from_secs(seconds), "{name}");
    }
    stage.clock.pass(Duration::from_secs(12));
    stage.send(endpoint("one", Method::Get)).await.unwrap();
    stage.send(endpoint("two", Method::Put)).await.unwrap();
    for (name, seconds) in [("three", 12), ("four", 24), ("five", 30)] {
        let wait = held_back(stage.send(endpoint(name, Method::Put)).await);
        assert_eq!(wait, Duration::from_secs(seconds), "a change takes twelve seconds here; {name}");
    }
}

#[tokio::test]
async fn who_does_not_come_back_loses_its_place() {
    let stage = throttled([reply(201, &resource("Updating")), reply(201, &resource("Updating"))]).await;
    stage.send(endpoint("one", Method::Put)).await.unwrap();
    held_back(stage.send(endpoint("two", Method::Put)).await);
    stage.clock.pass(Duration::from_secs(200));
    stage.send(endpoint("three", Method::Put)).await.unwrap();
    let wait = held_back(stage.send(endpoint("four", Method::Put)).await);
    assert_eq!(wait, Duration::from_secs(5), "the first in the queue");
}

#[tokio::test]
async fn a_change_keeps_its_lane_while_it_is_heard_of_and_not_much_longer() {
    let going_on = || reply(200, &resource("Updating"));
    let stage = throttled([reply(201, &resource("Updating")), going_on(), going_on(), going_on()]).await;
    stage.send(endpoint("one", Method::Put)).await.unwrap();
    for _ in 0..3 {
        stage.clock.pass(Duration::from_secs(59));
        held_back(stage.send(endpoint("two", Method::Put)).await);
        stage.send(endpoint("one", Method::Get)).await.unwrap();
    }
    // From here on another process asks about it.
    stage.clock.pass(Duration::from_secs(60));
    assert_eq!(stage.send(endpoint("two", Method::Put)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_refused_change_leaves_the_lane_and_a_lost_one_keeps_it_for_a_while() {
    let stage = throttled([reply(409, &json!({})), Answer::Cut]).await;
    assert_eq!(stage.send(endpoint("one", Method::Put)).await.unwrap().status, 409);
    stage.send(endpoint("two", Method::Put)).await.unwrap_err();
    held_back(stage.send(endpoint("three", Method::Delete)).await);
    stage.clock.pass(Duration::from_secs(180));
    assert_eq!(stage.send(endpoint("three", Method::Delete)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_look_that_shows_the_change_done_frees_the_lane() {
    let stage = throttled([
        reply(201, &resource("Updating")),
        reply(200, &resource("Updating")),
        reply(200, &resource("Succeeded")),
    ])
    .await;
    stage.send(endpoint("one", Method::Put)).await.unwrap();
    stage.send(endpoint("one", Method::Get)).await.unwrap();
    held_back(stage.send(endpoint("two", Method::Put)).await);
    stage.send(endpoint("one", Method::Get)).await.unwrap();
    assert_eq!(stage.send(endpoint("two", Method::Put)).await.unwrap().status, 200);
}
