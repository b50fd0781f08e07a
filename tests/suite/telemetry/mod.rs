//! What the program tells of its work: one provisioning run is one trace from the sign-up to the event, with a span for
//! each request to Azure and no secret in it, over parked operations and from one process to the next; metrics, and the
//! pages that list all of it.

mod collector;
mod contexts;
mod documented;
mod program;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use tenantry::telemetry::{METRICS, Trace};
use tokio::net::TcpListener;

use crate::testkit::{
    folder,
    judge::{list, text},
    signup, until,
};
use collector::{Collector, Span};
use program::Serving;

/// Where the signup app was when it sent the message.
const SENDER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a secret looks like on its way in: in what Azure answers, and in what a message says beside its body.
const CANARIES: [&str; 6] = [
    "canaryAccountKey0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ==",
    "canary-password-7Q~abc",
    "eyJjYW5hcnkiOiJ0b2tlbiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "canarysig%2Babcdef",
    "canary-message-id",
    "canary-correlation-id",
];

/// An error of Azure's that repeats what it should not.
fn leaky_error() -> Value {
    let [key, password, token, signature, ..] = CANARIES;
    json!({"error": {
        "code": "Leak",
        "message": format!(
            "Failed with AccountKey={key};EndpointSuffix=x and Authorization: Bearer {token} at \
             https://x.blob.core.windows.net/c?sv=2024&sig={signature}"
        ),
        "details": [{"code": "Leak", "password": password, "accessToken": token}],
    }})
}

fn metadata(properties: &Value) -> Value {
    json!({
        "MessageId": format!("\"{}\"", CANARIES[4]), "CorrelationId": format!("\"{}\"", CANARIES[5]),
        "SessionId": "\"contoso\"", "DeliveryCount": "1", "SequenceNumber": "7",
        "EnqueuedTime": "2026-11-22T17:00:00+00:00", "ApplicationProperties": properties,
    })
}

/// A sign-up, provisioned over long operations by two processes: the first is told to end when it has begun.
async fn provisioned(collector: &Collector) -> (Vec<Value>, Vec<Value>, String) {
    let folder = folder();
    let first = Serving::start(folder.path(), "200", &collector.url).await;
    for path in ["/applications", "storageAccounts", "/api/events"] {
        let answer = json!({"status": 500, "body": leaky_error()});
        first.fault(&json!({"match": {"pathContains": path}, "answer": answer})).await;
    }
    let sender = metadata(&json!({"Diagnostic-Id": SENDER}));
    first.message("signup", "signupMsg", &signup("contoso"), sender.clone()).await;
    until("a part of the work is done", async || {
        let journal = first.sim("journal").await;
        let changes = list(&journal).iter().filter(|line| text(line, "/method") == "PUT").count();
        if changes > 4 { Ok(()) } else { Err(journal) }
    })
    .await;
    let (mut log, took) = first.end().await;
    assert!(took < Duration::from_secs(5), "{took:?}");

    let second = Serving::start(folder.path(), "200", &collector.url).await;
    let events = until("the tenant is told to be ready", async || {
        let events = second.sim("events?tenant=contoso").await;
        let ready = |event: &Value| text(event, "/type").contains("tenant.provision.succeeded");
        if list(&events).iter().any(ready) { Ok(list(&events).to_vec()) } else { Err(events) }
    })
    .await;
    // The broker had given up a copy of the same message.
    second.message("deadletter", "deadMsg", &signup("contoso"), sender).await;
    let journal = list(&second.sim("journal").await).to_vec();
    log += &second.end().await.0;
    (journal, events, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_provisioning_run_is_one_trace_with_a_span_for_each_request_and_no_secret() {
    let collector = Collector::new().await;
    let (journal, events, log) = provisioned(&collector).await;
    let (spans, sender) = (collector.spans(), Trace::parse(SENDER).unwrap());
    let trace = sender.id().simple().to_string();
    let ours: BTreeMap<&str, &Span> =
        spans.iter().filter(|span| span.trace == trace).map(|span| (span.id.as_str(), span)).collect();

    // From the message ...
    let of_name = |name: &str| ours.values().filter(|span| span.name == name).count();
    assert!(of_name("process tenant-requests") == 1 && of_name("process tenant-wakeups") > 1, "{ours:#?}");
    assert!(of_name("intake") >= 1 && of_name("drive") > 2, "it was parked and taken up again");
    // ... by way of each request to Azure ...
    // Afterwards the audit looks at it on its own account.
    let ready = events.iter().find(|event| text(event, "/type").contains("provision.succeeded")).unwrap();
    let told = |line: &&Value| text(line, "/path").starts_with("/api/events");
    let before = |line: &&Value| text(line, "/at") <= text(ready, "/time") || told(line);
    let asked = journal.iter().filter(|line| text(line, "/tenant") == "contoso").filter(before);
    let asked: Vec<&Value> = asked.collect();
    assert!(asked.len() > 40, "{} requests", asked.len());
    // What runs behind an endpoint is not told of our traces, so these are counted; whoever was turned away has called
    // nobody's service.
    let is_score = |line: &Value| text(line, "/path") == "/score";
    let scored = journal.iter().filter(|line| is_score(line) && text(line, "/at") <= text(ready, "/time"));
    assert_eq!(of_name("POST /score"), scored.count(), "calls of the tenant's service");
    let asked: Vec<&Value> = asked.into_iter().filter(|line| !is_score(line)).collect();
    asked.iter().for_each(|line| has_its_span(line, sender, &ours));
    // ... to the event.
    for event in &events {
        let at = Trace::parse(text(event, "/traceparent")).unwrap_or_else(|| panic!("{event:#}"));
        assert_eq!(at.id(), sender.id());
        assert!(ours.contains_key(format!("{:016x}", at.span()).as_str()), "{event:#}");
    }
    assert!(of_name("publish events") >= 2);
    let linked = ours.values().filter(|span| !span.links.is_empty());
    assert!(linked.count() > 0, "where the host was in another trace it is linked");
    // No span hangs in the air, and no work on this tenant is told elsewhere.
    let root = format!("{:016x}", sender.span());
    for span in ours.values() {
        assert!(span.parent == root || ours.contains_key(span.parent.as_str()), "an orphan: {span:#?}");
    }
    for span in
        spans.iter().filter(|span| span.name == "drive" || span.attributes.contains_key("tenantry.act"))
    {
        assert_eq!(span.trace, trace, "{span:#?}");
    }
    assert!(
        ours.values().any(|span| span.failed && span.attribute("error.type") == "500"),
        "failures are told"
    );

    let processes: BTreeSet<String> =
        collector.resources().iter().map(|resource| resource["service.instance.id"].clone()).collect();
    assert_eq!(processes.len(), 2, "two processes have told of it");
    documented::only_listed_attributes(&spans);
    let exported = collector.text();
    assert!(exported.len() > 20_000 && log.contains(&trace), "{} bytes", exported.len());
    for canary in CANARIES.iter().chain(&["Bearer", "simulated", "api-version"]) {
        assert!(!exported.contains(canary), "{canary} was exported");
    }
    metrics_are_sane(&collector);
}

/// A request in the journal has a span of its own in the sender's trace, which says what was asked and answered.
fn has_its_span(line: &Value, sender: Trace, ours: &BTreeMap<&str, &Span>) {
    let at = Trace::parse(text(line, "/traceparent")).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(at.id(), sender.id(), "{line}");
    let span = ours.get(format!("{:016x}", at.span()).as_str()).unwrap_or_else(|| panic!("no span: {line}"));
    let asked = (span.kind, span.attribute("http.request.method"));
    assert_eq!(asked, (3, text(line, "/method")), "{span:?}");
    assert_eq!(span.attribute("http.response.status_code"), line["status"].to_string(), "{span:?}");
    assert!(!span.attribute("azure.service.request.id").is_empty(), "{span:?}");
}

/// Every metric was seen, with its unit and attributes, but those that only Azure's limits, a suspension, a row that can't
/// be read or an answer that nobody knows bring about.
fn metrics_are_sane(collector: &Collector) {
    let seen = collector.metrics();
    let elsewhere =
        ["tenantry.throttle.wait", "tenantry.access_cut", "tenantry.unreadable", "tenantry.unknown_codes"];
    assert!(!seen.contains_key("tenantry.unreadable"), "every row could be read");
    for metric in METRICS.iter().filter(|metric| !elsewhere.contains(&metric.name)) {
        let (unit, points) =
            seen.get(metric.name).unwrap_or_else(|| panic!("{} was never seen", metric.name));
        assert_eq!(unit, metric.unit, "{}", metric.name);
        for point in points {
            let named: Vec<&str> = point.attributes.keys().map(String::as_str).collect();
            let wanted: BTreeSet<&str> = metric.attributes.iter().copied().collect();
            assert_eq!(named, wanted.into_iter().collect::<Vec<_>>(), "{}", metric.name);
            assert!(!point.attributes.values().any(|value| value.contains("contoso")), "{point:?}");
        }
    }
    let total = |name: &str| seen[name].1.iter().map(|point| point.number).sum::<f64>();
    assert!((total("tenantry.requests") - 2.0).abs() < 0.1, "once, and as a dead letter");
    for once in ["tenantry.operations", "tenantry.time_to_ready", "tenantry.dead_letters"] {
        assert!((total(once) - 1.0).abs() < 0.1, "{once}: {:?}", seen[once]);
    }
    assert!(total("tenantry.step.duration") > 8.0 && total("tenantry.retries") >= 1.0);
    assert!(total("tenantry.queue.age") > 2.0 && total("tenantry.outbox.lag") >= 2.0);
    assert!(total("tenantry.stuck").abs() < 0.1, "nothing was stuck");
    let failed =
        seen["tenantry.outbox.lag"].1.iter().filter(|point| point.attributes["tenantry.outcome"] == "failed");
    assert!(failed.count() > 0, "a publication failed and was told of");
}

/// How many of five calls are recorded that a host with Application Insights makes without a sampled caller.
async fn recorded(settings: &[(&str, &str)]) -> usize {
    let (collector, folder) = (Collector::new().await, folder());
    let serving = Serving::start_with(folder.path(), "max", &collector.url, settings).await;
    let host = |call: u32| format!("00-17f43224bc93be30dac08d4a4d6392e{call:x}-59a010ac9369a60e-00");
    for call in 1..=5 {
        serving.tick("sweep", &host(call)).await;
    }
    serving.end().await;
    let spans = collector.spans();
    let of_host = |call| Trace::parse(&host(call)).unwrap().id().simple().to_string();
    (1..=5)
        .filter(|call| {
            let found = spans.iter().find(|span| span.trace == of_host(*call) && span.name == "sweep");
            assert!(found.is_none_or(|span| span.parent == "59a010ac9369a60e"), "{found:?}");
            found.is_some()
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_does_not_record_is_recorded_all_the_same() {
    const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    assert_eq!(recorded(&[]).await, 5);
    assert_eq!(recorded(&[(SAMPLER, "parentbased_always_on")]).await, 5, "its flag is nobody's decision");
    assert_eq!(recorded(&[(SAMPLER, "always_off")]).await, 0);
    assert_eq!(recorded(&[(SAMPLER, "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_hinders_nothing() {
    // It takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder();
    let serving = Serving::start(folder.path(), "max", &url).await;
    serving.message("signup", "signupMsg", &signup("tailspin"), metadata(&json!({}))).await;
    until("the tenant is told to be ready", async || {
        let events = serving.sim("events?tenant=tailspin").await;
        if events.to_string().contains("tenant.provision.succeeded") { Ok(()) } else { Err(events) }
    })
    .await;
    let (log, took) = serving.end().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(log.contains("the last telemetry was not taken in time"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_complained_about_once() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let folder = folder();
    let serving = Serving::start(folder.path(), "max", &format!("http://{gone}")).await;
    serving.message("signup", "signupMsg", &signup("tailspin"), metadata(&json!({}))).await;
    until("the tenant is told to be ready", async || {
        let events = serving.sim("events?tenant=tailspin").await;
        if events.to_string().contains("tenant.provision.succeeded") { Ok(()) } else { Err(events) }
    })
    .await;
    let (log, took) = serving.end().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let complaints = log.lines().filter(|line| line.contains("telemetry is not taken")).count();
    assert_eq!(complaints, 1, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
