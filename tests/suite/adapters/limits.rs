//! The throttle: it keeps requests within Azure's limits and observes the pauses that Azure asks for, and changes to
//! one virtual network are sent one at a time.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    azure::{
        client::client,
        throttle::Throttle,
        token::Tokens,
        transport::{Hosts, HttpTransport},
    },
    ports::{Clock as _, Transport as _},
};
use tenantry_core::{
    steps::{Api, Failure, Method, Reply, Request},
    tenant::FailureClass,
};

use super::script::{Answer, Jumping, Script, json as reply, with_header};

struct Throttled {
    script: Script,
    clock: Arc<Jumping>,
    transport: HttpTransport,
}

async fn throttled(answers: impl IntoIterator<Item = Answer>) -> Throttled {
    let script = Script::new(answers).await;
    let clock = Jumping::new();
    let timeout = Duration::from_secs(5);
    let url: reqwest::Url = script.url.parse().unwrap();
    let hosts = Hosts { arm: url.clone(), graph: url, event_grid: None };
    let transport =
        HttpTransport::new(client(timeout).unwrap(), hosts, Arc::new(Tokens::fixed("t")), timeout)
            .throttled(Throttle::new(clock.clone()));
    Throttled { script, clock, transport }
}

impl Throttled {
    async fn send(&self, request: Request) -> Result<Reply, Failure> {
        self.transport.send(request).await
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

/// A pause is read from each header in which a service may ask for one, and is limited to two hours.
#[tokio::test]
async fn a_pause_is_kept_in_every_form() {
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
        // An unreadable value counts as none, and the default pause applies.
        (vec![("retry-after", "soon".to_owned())], 5000),
    ];
    for (headers, milliseconds) in rows {
        let answer =
            headers.iter().fold(refusal(), |answer, (name, value)| with_header(answer, name, value.clone()));
        let harness = throttled([answer]).await;
        let _ = harness.send(arm(Method::Put, "a")).await;
        let held = held_back(harness.send(arm(Method::Put, "a")).await);
        assert_eq!(held, Duration::from_millis(milliseconds), "{headers:?}");
    }
}

/// If the answer has no `Date` header, the pause until a `Retry-After` date is counted from the current time.
#[tokio::test]
async fn a_pause_until_a_date_needs_no_date_header() {
    let refusal = reply(429, &json!({"error": {"code": "TooManyRequests", "message": "Slow down."}}));
    let harness = throttled([with_header(refusal, "retry-after", "Fri, 31 Dec 2100 00:00:00 GMT")]).await;
    let _ = harness.send(arm(Method::Put, "a")).await;
    assert_eq!(held_back(harness.send(arm(Method::Put, "a")).await), Duration::from_secs(7200));
}

/// The pause of a request that the throttle has held back instead of sending it.
fn held_back(result: Result<Reply, Failure>) -> Duration {
    let failure = result.unwrap_err();
    assert_eq!((failure.cause.code.as_str(), failure.cause.class), ("held-back", FailureClass::Throttled));
    failure.retry_after.unwrap()
}

#[tokio::test]
async fn a_pause_applies_to_all_requests_of_its_kind_and_subscription() {
    let harness = throttled([too_many(Some(30))]).await;
    assert_eq!(harness.send(arm(Method::Put, "a")).await.unwrap().status, 429);
    assert_eq!(held_back(harness.send(arm(Method::Put, "a")).await), Duration::from_secs(30));
    assert_eq!(harness.count(), 1, "nothing went out during the pause");

    for other in
        [arm(Method::Get, "a"), arm(Method::Put, "b"), Request::new(Api::Graph, Method::Patch, "/v1.0/x")]
    {
        assert_eq!(harness.send(other).await.unwrap().status, 200);
    }
    harness.clock.pass(Duration::from_secs(30));
    assert_eq!(harness.send(arm(Method::Put, "a")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_429_without_a_time_has_a_default_pause() {
    let harness = throttled([too_many(None)]).await;
    let _ = harness.send(Request::new(Api::Graph, Method::Patch, "/v1.0/x")).await;
    assert_eq!(
        held_back(harness.send(Request::new(Api::Graph, Method::Patch, "/v1.0/y")).await),
        Duration::from_secs(5)
    );
}

#[tokio::test]
async fn a_short_pause_is_waited_out() {
    let harness = throttled([too_many(Some(1))]).await;
    let _ = harness.send(arm(Method::Put, "a")).await;
    let before = harness.clock.now();
    assert_eq!(harness.send(arm(Method::Put, "a")).await.unwrap().status, 200);
    assert_eq!(harness.clock.now().duration_since(before).as_secs(), 1);
}

#[tokio::test]
async fn a_429_about_one_resource_does_not_stop_the_others() {
    let busy = json!({"error": {"code": "RetryableErrorDueToAnotherOperation", "message": "Another operation runs."}});
    let harness = throttled([with_header(reply(429, &busy), "retry-after", "60")]).await;
    assert_eq!(harness.send(arm(Method::Put, "a")).await.unwrap().status, 429);
    assert_eq!(harness.send(arm(Method::Put, "a")).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_bucket_allows_a_burst_and_then_its_refill_rate() {
    let harness = throttled([]).await;
    let begun = harness.clock.now();
    for _ in 0..200 {
        harness.send(arm(Method::Delete, "a")).await.unwrap();
    }
    assert_eq!(harness.clock.now(), begun, "two hundred deletes are in the bucket");
    for _ in 0..20 {
        harness.send(arm(Method::Delete, "a")).await.unwrap();
    }
    let took = harness.clock.now().duration_since(begun).as_millis();
    assert!((1_900..=2_100).contains(&took), "ten more each second: {took} ms");
}

#[tokio::test]
async fn the_bucket_follows_the_remaining_requests_that_answers_report() {
    let left = |left: &str| {
        with_header(reply(200, &json!({})), "x-ms-ratelimit-remaining-subscription-writes", left)
    };
    let harness = throttled([left("1"), left("0")]).await;
    let begun = harness.clock.now();
    for _ in 0..3 {
        harness.send(arm(Method::Put, "a")).await.unwrap();
    }
    let took = harness.clock.now().duration_since(begun).as_millis();
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
async fn changes_to_one_network_are_sent_one_at_a_time() {
    let poll = "/subscriptions/a/operations/1";
    let begun = with_header(reply(201, &resource("Updating")), "azure-asyncoperation", poll);
    let running = reply(200, &json!({"status": "InProgress"}));
    let done = reply(200, &json!({"status": "Succeeded"}));
    let harness = throttled([begun, running, done]).await;

    assert_eq!(harness.send(endpoint("one", Method::Put)).await.unwrap().status, 201);
    assert_eq!(held_back(harness.send(endpoint("two", Method::Put)).await), Duration::from_secs(5));
    harness.send(Request::new(Api::Arm, Method::Get, poll)).await.unwrap();
    held_back(harness.send(endpoint("two", Method::Put)).await);
    harness.send(Request::new(Api::Arm, Method::Get, poll)).await.unwrap();
    assert_eq!(harness.send(endpoint("two", Method::Put)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_position_further_back_in_the_queue_has_a_longer_pause() {
    let begun = || reply(201, &resource("Updating"));
    let done = || reply(200, &resource("Succeeded"));
    let harness = throttled([begun(), done(), begun()]).await;
    harness.send(endpoint("one", Method::Put)).await.unwrap();
    for (name, seconds) in [("two", 5), ("three", 10), ("two", 5), ("four", 15)] {
        let wait = held_back(harness.send(endpoint(name, Method::Put)).await);
        assert_eq!(wait, Duration::from_secs(seconds), "{name}");
    }
    harness.clock.pass(Duration::from_secs(12));
    harness.send(endpoint("one", Method::Get)).await.unwrap();
    harness.send(endpoint("two", Method::Put)).await.unwrap();
    for (name, seconds) in [("three", 12), ("four", 24), ("five", 30)] {
        let wait = held_back(harness.send(endpoint(name, Method::Put)).await);
        assert_eq!(wait, Duration::from_secs(seconds), "a change takes twelve seconds here; {name}");
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_back_loses_its_position() {
    let harness = throttled([reply(201, &resource("Updating")), reply(201, &resource("Updating"))]).await;
    harness.send(endpoint("one", Method::Put)).await.unwrap();
    held_back(harness.send(endpoint("two", Method::Put)).await);
    harness.clock.pass(Duration::from_secs(200));
    harness.send(endpoint("three", Method::Put)).await.unwrap();
    let wait = held_back(harness.send(endpoint("four", Method::Put)).await);
    assert_eq!(wait, Duration::from_secs(5), "the first in the queue");
}

#[tokio::test]
async fn a_change_holds_the_queue_while_reads_show_it_running_and_not_much_longer() {
    let going_on = || reply(200, &resource("Updating"));
    let harness = throttled([reply(201, &resource("Updating")), going_on(), going_on(), going_on()]).await;
    harness.send(endpoint("one", Method::Put)).await.unwrap();
    for _ in 0..3 {
        harness.clock.pass(Duration::from_secs(59));
        held_back(harness.send(endpoint("two", Method::Put)).await);
        harness.send(endpoint("one", Method::Get)).await.unwrap();
    }
    // From here on this process sees no more reads of the change, as if another process polled it.
    harness.clock.pass(Duration::from_secs(60));
    assert_eq!(harness.send(endpoint("two", Method::Put)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_refused_change_frees_the_queue_and_a_lost_one_holds_it_for_a_while() {
    let harness = throttled([reply(409, &json!({})), Answer::Cut]).await;
    assert_eq!(harness.send(endpoint("one", Method::Put)).await.unwrap().status, 409);
    harness.send(endpoint("two", Method::Put)).await.unwrap_err();
    held_back(harness.send(endpoint("three", Method::Delete)).await);
    harness.clock.pass(Duration::from_secs(180));
    assert_eq!(harness.send(endpoint("three", Method::Delete)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_read_that_shows_the_change_done_frees_the_queue() {
    let harness = throttled([
        reply(201, &resource("Updating")),
        reply(200, &resource("Updating")),
        reply(200, &resource("Succeeded")),
    ])
    .await;
    harness.send(endpoint("one", Method::Put)).await.unwrap();
    harness.send(endpoint("one", Method::Get)).await.unwrap();
    held_back(harness.send(endpoint("two", Method::Put)).await);
    harness.send(endpoint("one", Method::Get)).await.unwrap();
    assert_eq!(harness.send(endpoint("two", Method::Put)).await.unwrap().status, 200);
}
