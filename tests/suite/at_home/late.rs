//! The answer to a transient failure is delayed, so that a message survives an outage and the host does not redeliver
//! it in a tight loop. Time is virtual; the HTTP calls are real.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::host::{Answer, Function, Functions, Invocation, Trigger, bind, late::longest_delay, serve};
use tokio::{sync::Notify, time::Instant};

/// The broker's limit (infra/modules/messaging.bicep).
const MAX_DELIVERIES: u32 = 10;
/// `functionTimeout` of host.json.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(600);
const QUARTER_OF_AN_HOUR: Duration = Duration::from_secs(900);

/// Functions whose store is unavailable until an instant (`None`: always). A message with the body `another` stands for
/// another tenant and succeeds.
struct Away {
    until: Option<Instant>,
    calls: AtomicUsize,
}

impl Functions for Away {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let Trigger::Message(message) = &invocation.trigger else { return Answer::done() };
            assert!(message.body != b"panic", "as the test says");
            let well = self.until.is_some_and(|until| Instant::now() >= until);
            if well || message.body == b"another" {
                return Answer::done();
            }
            Answer::TryAgain { why: "the store does not answer".to_owned() }
        })
    }
}

struct Served {
    url: String,
    away: Arc<Away>,
    end: Arc<Notify>,
    client: reqwest::Client,
}

async fn served(outage: Option<Duration>) -> Served {
    let listener = bind(0).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::time::pause();
    let away = Arc::new(Away { until: outage.map(|span| Instant::now() + span), calls: AtomicUsize::new(0) });
    let end = Arc::new(Notify::new());
    let shutdown = Arc::clone(&end);
    let functions: Arc<dyn Functions> = away.clone();
    tokio::spawn(async move {
        serve(listener, functions, async move { shutdown.notified().await }).await.unwrap();
    });
    Served { url, away, end, client: crate::testkit::client() }
}

impl Served {
    /// Delivers a message to a function; returns the status, and how long the answer took.
    async fn delivered(&self, function: &str, body: &str, count: Option<u32>) -> (u16, Duration) {
        let binding = if function == "deadletter" { "deadMsg" } else { "requestMsg" };
        let count = count.map_or(Value::Null, |count| json!(count.to_string()));
        let envelope =
            json!({"Data": {binding: BASE64_STANDARD.encode(body)}, "Metadata": {"DeliveryCount": count}});
        self.posted(function, envelope.to_string()).await
    }

    async fn posted(&self, function: &str, envelope: String) -> (u16, Duration) {
        let begun = Instant::now();
        let answer =
            self.client.post(format!("{}/{function}", self.url)).body(envelope).send().await.unwrap();
        (answer.status().as_u16(), begun.elapsed())
    }
}

#[tokio::test]
async fn a_message_survives_a_quarter_of_an_hour_without_the_store() {
    let served = served(Some(QUARTER_OF_AN_HOUR)).await;
    let begun = Instant::now();
    let mut count = 1;
    while served.delivered("requests", "{}", Some(count)).await.0 == 503 {
        // The host abandons the message and gets it again within milliseconds.
        count += 1;
        assert!(count <= MAX_DELIVERIES, "dead-lettered after {:?}", begun.elapsed());
    }
    let late = begun.elapsed().saturating_sub(QUARTER_OF_AN_HOUR);
    assert!(late < Duration::from_secs(20), "taken in {late:?} after the store was back");
    let tries = served.away.calls.load(Ordering::SeqCst);
    assert!(tries < 100, "asked {tries} times");
}

#[tokio::test]
async fn each_delivery_that_fails_takes_longer_and_all_stay_below_the_time_limit() {
    let served = served(None).await;
    let mut before = Duration::ZERO;
    let mut until_the_last = Duration::ZERO;
    for count in 1..=MAX_DELIVERIES {
        let (status, took) = served.delivered("requests", "{}", Some(count)).await;
        assert_eq!(status, 503);
        assert!(
            took + Duration::from_millis(50) >= before && took < FUNCTION_TIMEOUT / 2,
            "{count}: {took:?}"
        );
        assert!(took >= longest_delay(Function::Requests, Some(count)));
        before = took;
        until_the_last += if count < MAX_DELIVERIES { took } else { Duration::ZERO };
    }
    assert!(until_the_last > QUARTER_OF_AN_HOUR, "the last try comes after {until_the_last:?}");
}

#[tokio::test]
async fn a_failed_dead_letter_is_answered_late_whatever_the_error() {
    let served = served(None).await;
    let minutes = Duration::from_secs(180);
    for count in [None, Some(1), Some(11), Some(400)] {
        let (status, took) = served.delivered("deadletter", "{}", count).await;
        assert!(status == 503 && took > minutes && took < FUNCTION_TIMEOUT, "{count:?}: {status}, {took:?}");
    }
    let (status, took) = served.delivered("deadletter", "panic", Some(1)).await;
    assert!(status == 500 && took > minutes, "{status}, {took:?}");
    let (status, took) = served.posted("deadletter", "no envelope".to_owned()).await;
    assert!(status == 400 && took > minutes, "{status}, {took:?}");
    let (status, took) = served.posted("deadletter", "x".repeat((8 << 20) + 1)).await;
    assert!(status == 413 && took > minutes, "{status}, {took:?}");
}

#[tokio::test]
async fn an_outage_of_seconds_fails_no_delivery() {
    let served = served(Some(Duration::from_secs(4))).await;
    let (status, took) = served.delivered("requests", "{}", None).await;
    assert!(status == 200 && took < Duration::from_secs(6), "{status}, {took:?}");
}

#[tokio::test]
async fn other_messages_are_served_while_an_answer_is_delayed() {
    let served = served(None).await;
    let held = async { served.delivered("requests", "{}", Some(9)).await };
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..5 {
            let (status, took) = served.delivered("requests", "another", Some(1)).await;
            assert_eq!(status, 200);
            slowest = slowest.max(took);
        }
        slowest
    };
    let ((status, _), slowest) = tokio::join!(held, others);
    assert_eq!(status, 503);
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[tokio::test]
async fn on_shutdown_no_answer_is_delayed() {
    let served = served(None).await;
    let ends = async {
        let _ = tokio::time::timeout(Duration::from_secs(6), std::future::pending::<()>()).await;
        served.end.notify_one();
    };
    let ((status, took), ()) = tokio::join!(served.delivered("deadletter", "{}", Some(9)), ends);
    assert!(status == 503 && took < Duration::from_secs(30), "{status}, {took:?}");
}

#[test]
fn the_longest_delay_of_an_invalid_count_is_bounded() {
    for count in [None, Some(0), Some(1), Some(33), Some(u32::MAX)] {
        assert!((5..=240).contains(&longest_delay(Function::Requests, count).as_secs()), "{count:?}");
    }
}
