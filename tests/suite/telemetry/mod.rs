//! Telemetry: one provisioning run is one trace from the sign-up to the last event, across requeued operations and
//! processes. The trace has a span for each request to Azure, and no secrets. Also the metrics, and the pages that
//! list all of this.

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

/// The trace context of the signup app that sends the message.
const SENDER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Secrets that occur in Azure's answers and in the properties of a message.
const CANARIES: [&str; 6] = [
    "canaryAccountKey0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ==",
    "canary-password-7Q~abc",
    "eyJjYW5hcnkiOiJ0b2tlbiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "canarysig%2Babcdef",
    "canary-message-id",
    "canary-correlation-id",
];

/// An error of Azure that contains secrets.
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

/// Signs a tenant up with long operations. The first process is terminated after it has begun, and a second one
/// continues. Returns the journal, the events and the log.
async fn provisioned(collector: &Collector) -> (Vec<Value>, Vec<Value>, String) {
    let folder = folder();
    let first = Serving::start(folder.path(), "200", &collector.url).await;
    for path in ["/applications", "storageAccounts", "/api/events"] {
        let answer = json!({"status": 500, "body": leaky_error()});
        first.fault(&json!({"match": {"pathContains": path}, "answer": answer})).await;
    }
    let sender = metadata(&json!({"Diagnostic-Id": SENDER}));
    first.message("requests", "requestMsg", &signup("contoso"), sender.clone()).await;
    until("a part of the work is done", async || {
        let journal = first.sim("journal").await;
        let changes = list(&journal).iter().filter(|line| text(line, "/method") == "PUT").count();
        if changes > 4 { Ok(()) } else { Err(journal) }
    })
    .await;
    let (mut log, took) = first.end().await;
    assert!(took < Duration::from_secs(5), "{took:?}");

    let second = Serving::start(folder.path(), "200", &collector.url).await;
    let events = until("the tenant's success is published", async || {
        let events = second.sim("events?tenant=contoso").await;
        let ready = |event: &Value| text(event, "/type").contains("tenant.provision.succeeded");
        if list(&events).iter().any(ready) { Ok(list(&events).to_vec()) } else { Err(events) }
    })
    .await;
    // The same message was also dead-lettered.
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

    // The trace contains the message, ...
    let of_name = |name: &str| ours.values().filter(|span| span.name == name).count();
    assert!(of_name("process tenant-requests") == 1 && of_name("process tenant-wakeups") > 1, "{ours:#?}");
    assert!(of_name("intake") >= 1 && of_name("reconcile") > 2, "it was requeued and continued");
    // ... each request to Azure (those after the tenant was ready belong to the audit and are left out) ...
    let ready = events.iter().find(|event| text(event, "/type").contains("provision.succeeded")).unwrap();
    let reported = |line: &&Value| text(line, "/path").starts_with("/api/events");
    let before = |line: &&Value| text(line, "/at") <= text(ready, "/time") || reported(line);
    let asked = journal.iter().filter(|line| text(line, "/tenant") == "contoso").filter(before);
    let asked: Vec<&Value> = asked.collect();
    assert!(asked.len() > 40, "{} requests", asked.len());
    // Services of tenants get no trace header, so these calls are only counted; a rejected call has reached no
    // tenant's service.
    let is_score = |line: &Value| text(line, "/path") == "/score";
    let scored = journal.iter().filter(|line| is_score(line) && text(line, "/at") <= text(ready, "/time"));
    assert_eq!(of_name("POST /score"), scored.count(), "calls of the tenant's service");
    let asked: Vec<&Value> = asked.into_iter().filter(|line| !is_score(line)).collect();
    asked.iter().for_each(|line| has_its_span(line, sender, &ours));
    // ... and the events.
    for event in &events {
        let at = Trace::parse(text(event, "/traceparent")).unwrap_or_else(|| panic!("{event:#}"));
        assert_eq!(at.id(), sender.id());
        assert!(ours.contains_key(format!("{:016x}", at.span()).as_str()), "{event:#}");
    }
    assert!(of_name("publish events") >= 2);
    let linked = ours.values().filter(|span| !span.links.is_empty());
    assert!(linked.count() > 0, "the host's trace is linked");
    // Every span has a parent, and no work on this tenant is in another trace.
    let root = format!("{:016x}", sender.span());
    for span in ours.values() {
        assert!(span.parent == root || ours.contains_key(span.parent.as_str()), "an orphan: {span:#?}");
    }
    for span in
        spans.iter().filter(|span| span.name == "reconcile" || span.attributes.contains_key("tenantry.act"))
    {
        assert_eq!(span.trace, trace, "{span:#?}");
    }
    assert!(
        ours.values().any(|span| span.failed && span.attribute("error.type") == "500"),
        "failures are recorded"
    );

    let processes: BTreeSet<String> =
        collector.resources().iter().map(|resource| resource["service.instance.id"].clone()).collect();
    assert_eq!(processes.len(), 2, "two processes have exported spans");
    documented::only_listed_attributes(&spans);
    let exported = collector.text();
    assert!(exported.len() > 20_000 && log.contains(&trace), "{} bytes", exported.len());
    for canary in CANARIES.iter().chain(&["Bearer", "simulated", "api-version"]) {
        assert!(!exported.contains(canary), "{canary} was exported");
    }
    metrics_are_sane(&collector);
}

/// Asserts that a request in the journal has a span of its own in the sender's trace, with the request's and the
/// answer's attributes.
fn has_its_span(line: &Value, sender: Trace, ours: &BTreeMap<&str, &Span>) {
    let at = Trace::parse(text(line, "/traceparent")).unwrap_or_else(|| panic!("{line}"));
    assert_eq!(at.id(), sender.id(), "{line}");
    let span = ours.get(format!("{:016x}", at.span()).as_str()).unwrap_or_else(|| panic!("no span: {line}"));
    let asked = (span.kind, span.attribute("http.request.method"));
    assert_eq!(asked, (3, text(line, "/method")), "{span:?}");
    assert_eq!(span.attribute("http.response.status_code"), line["status"].to_string(), "{span:?}");
    assert!(!span.attribute("azure.service.request.id").is_empty(), "{span:?}");
}

/// Asserts that every metric is exported with its unit and attributes, except for the four that need Azure's limits,
/// a suspension, an unreadable row or an unknown error code.
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
            let expected: BTreeSet<&str> = metric.attributes.iter().copied().collect();
            assert_eq!(named, expected.into_iter().collect::<Vec<_>>(), "{}", metric.name);
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
    assert!(failed.count() > 0, "a publication failed and was counted");
}

/// How many of five calls are recorded if a host makes them without sampling them itself.
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
async fn calls_that_the_host_does_not_sample_are_recorded() {
    const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    assert_eq!(recorded(&[]).await, 5);
    assert_eq!(recorded(&[(SAMPLER, "parentbased_always_on")]).await, 5, "the host's flag does not decide");
    assert_eq!(recorded(&[(SAMPLER, "always_off")]).await, 0);
    assert_eq!(recorded(&[(SAMPLER, "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0")]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_never_answers_blocks_nothing() {
    // The collector accepts connections and sends nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = folder();
    let serving = Serving::start(folder.path(), "max", &url).await;
    serving.message("requests", "requestMsg", &signup("tailspin"), metadata(&json!({}))).await;
    until("the tenant's success is published", async || {
        let events = serving.sim("events?tenant=tailspin").await;
        if events.to_string().contains("tenant.provision.succeeded") { Ok(()) } else { Err(events) }
    })
    .await;
    let (log, took) = serving.end().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(log.contains("the last telemetry was not exported in time"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_collector_is_logged_once() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let folder = folder();
    let serving = Serving::start(folder.path(), "max", &format!("http://{unused}")).await;
    serving.message("requests", "requestMsg", &signup("tailspin"), metadata(&json!({}))).await;
    until("the tenant's success is published", async || {
        let events = serving.sim("events?tenant=tailspin").await;
        if events.to_string().contains("tenant.provision.succeeded") { Ok(()) } else { Err(events) }
    })
    .await;
    let (log, took) = serving.end().await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let complaints = log.lines().filter(|line| line.contains("telemetry is not delivered")).count();
    assert_eq!(complaints, 1, "{log}");
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
