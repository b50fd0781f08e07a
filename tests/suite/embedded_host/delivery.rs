//! Queue messages: how they are encoded, repeated, ordered and locked.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, http::StatusCode, response::IntoResponse as _};
use azure_sim::queue::NewMessage;
use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry::local::host::{HostClock, HostFaults, InjectedFault};
use tokio::{sync::oneshot, time::Instant};

use super::harness::{Call, done, fixture, fixture_with, harness, refused};

#[tokio::test]
async fn a_message_is_encoded_as_the_real_host_encodes_it() {
    let fixture = fixture();
    let harness = harness(|_| async { done() });
    let host = fixture.start(harness.handler()).await;
    for id in ["m1", "m2", "m3"] {
        fixture.request(id, "contoso").await;
    }
    let calls = harness.until(|calls| calls.len() == 3).await;
    fixture.idle(&host).await;
    for (index, call) in calls.iter().enumerate() {
        assert!(call.is("requests"));
        assert_eq!(call.body(), format!("m{}", index + 1));
        let metadata = &call.envelope["Metadata"];
        assert_eq!(metadata["DeliveryCount"], "1");
        assert_eq!(metadata["SequenceNumber"], format!("{}", index + 1));
        assert_eq!(metadata["MessageId"], format!("\"m{}\"", index + 1));
        assert_eq!(metadata["SessionId"], "\"contoso\"");
        assert_eq!(metadata["ApplicationProperties"]["schemaVersion"], 1);
        assert_eq!(metadata["sys"]["MethodName"], "requests");
        assert_eq!(metadata["EnqueuedTimeUtc"].as_str().unwrap().len(), 19);
        assert!(metadata.get("CorrelationId").is_none());
        assert!(call.headers["user-agent"].to_str().unwrap().starts_with("Azure-Functions-Host/4."));
        assert_eq!(call.headers.contains_key("transfer-encoding"), index % 2 == 0, "framings alternate");
        assert_eq!(call.headers.contains_key("content-length"), index % 2 == 1);
        let trace = call.headers.get("traceparent").map(|value| value.to_str().unwrap());
        assert_eq!(trace.is_some(), index % 3 == 0);
        assert!(trace.is_none_or(|trace| trace.ends_with("-00")), "not sampled: {trace:?}");
    }
    let id = |call: &Call| call.headers["x-azure-functions-invocationid"].clone();
    assert_ne!(id(&calls[0]), id(&calls[1]));
}

#[tokio::test]
async fn the_host_continues_the_trace_of_a_messages_sender() {
    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let fixture = fixture();
    let harness = harness(|_| async { done() });
    let host = fixture.start(harness.handler()).await;
    let message = NewMessage {
        session_id: Some("s".to_owned()),
        properties: BTreeMap::from([("Diagnostic-Id".to_owned(), json!(SENDER))]),
        ..NewMessage::default()
    };
    fixture.queue.send("tenant-requests", message, super::harness::now()).await.unwrap();
    let call = harness.until(|calls| calls.len() == 1).await.remove(0);
    let trace = call.headers["traceparent"].to_str().unwrap();
    assert!(trace.starts_with(&SENDER[..36]) && trace.ends_with("-01") && trace != SENDER, "{trace}");
    fixture.idle(&host).await;
}

#[tokio::test]
async fn members_of_a_text_body_leak_into_the_metadata() {
    let mut fixture = fixture();
    let requests = fixture.settings.app.functions.iter_mut().find(|f| f.name == "requests").unwrap();
    requests.bindings[0].data_type = None;
    let harness = harness(|_| async { done() });
    let _host = fixture.start(harness.handler()).await;
    let body = r#"{"messageId":"spoofed","trial":true,"time":"2026-08-20T09:59:58Z","plan":{"a":1},"tags":[1],"note":null}"#;
    fixture.request(body, "s").await;
    let call = harness.until(|calls| calls.len() == 1).await.remove(0);
    assert_eq!(call.envelope["Data"]["requestMsg"], Value::String(body.to_owned()).to_string());
    let metadata = &call.envelope["Metadata"];
    assert_eq!(metadata["MessageId"], "\"spoofed\"");
    assert_eq!(metadata["trial"], "\"True\"");
    assert_eq!(metadata["time"], "\"08/20/2026 09:59:58\"");
    assert_eq!(metadata["plan"], json!({ "a": 1 }));
    assert!(metadata.get("tags").is_none() && metadata.get("note").is_none());
}

#[tokio::test]
async fn ten_failures_dead_letter_a_message_and_the_deadletter_function_gets_it() {
    let fixture = fixture();
    let harness = harness(|call: Call| async move { if call.is("requests") { refused() } else { done() } });
    let host = fixture.start(harness.handler()).await;
    fixture.request("poison", "s").await;
    let calls = harness.until(|calls| calls.iter().any(|call| call.is("deadletter"))).await;
    let counts: Vec<&str> = calls.iter().filter(|call| call.is("requests")).map(Call::delivery).collect();
    assert_eq!(counts, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    let dead = calls.last().unwrap();
    assert_eq!(dead.body(), "poison");
    let reason = &dead.envelope["Metadata"]["ApplicationProperties"]["DeadLetterReason"];
    assert_eq!(reason, "MaxDeliveryCountExceeded");
    fixture.idle(&host).await;
}

#[tokio::test]
async fn sessions_run_in_parallel_and_each_in_order() {
    let fixture = fixture();
    let running = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let harness = harness(move |call: Call| {
        let (running, both) = (Arc::clone(&running), Arc::clone(&both));
        async move {
            let session = call.envelope["Metadata"]["SessionId"].to_string();
            *running.lock().unwrap().entry(session.clone()).or_default() += 1;
            // Passes only when both sessions run at the same time.
            both.wait().await;
            let mut running = running.lock().unwrap();
            let here = running.get_mut(&session).unwrap();
            assert_eq!(*here, 1, "two of one session at once");
            *here -= 1;
            drop(running);
            done()
        }
    });
    let host = fixture.start(harness.handler()).await;
    for number in 0..5 {
        fixture.request(&format!("a{number}"), "a").await;
        fixture.request(&format!("b{number}"), "b").await;
    }
    let calls = harness.until(|calls| calls.len() == 10).await;
    for session in ["a", "b"] {
        let order: Vec<String> =
            calls.iter().map(Call::body).filter(|body| body.starts_with(session)).collect();
        assert_eq!(order, (0..5).map(|number| format!("{session}{number}")).collect::<Vec<_>>());
    }
    fixture.idle(&host).await;
}

#[tokio::test]
async fn answers_that_are_no_json_object_fail_the_invocation() {
    let fixture = fixture();
    let harness = harness(|call: Call| async move {
        match call.delivery() {
            "1" => ([("content-type", "text/plain")], "{}").into_response(),
            "2" => ([("content-type", "application/json")], "{").into_response(),
            "3" => Json(json!([1])).into_response(),
            "4" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => done(),
        }
    });
    let host = fixture.start(harness.handler()).await;
    fixture.request("m", "s").await;
    harness.until(|calls| calls.len() == 5).await;
    fixture.idle(&host).await;
}

#[tokio::test]
async fn a_lost_lock_lets_a_second_copy_run_beside_the_first() {
    let mut fixture = fixture_with(Duration::from_millis(150));
    fixture.settings.app.host.max_lock_renewal = Duration::ZERO;
    let second = Arc::new(tokio::sync::Notify::new());
    let harness = harness(move |call: Call| {
        let second = Arc::clone(&second);
        async move {
            if call.delivery() == "1" {
                second.notified().await;
            } else {
                second.notify_one();
            }
            done()
        }
    });
    let host = fixture.start(harness.handler()).await;
    fixture.request("m", "s").await;
    harness.until(|calls| calls.len() >= 2).await;
    fixture.idle(&host).await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_while_its_invocation_runs() {
    // Virtual time: the runtime advances it whenever nothing else is to be done.
    let fixture = fixture();
    let start = Instant::now();
    let clock: HostClock = Arc::new(move || Timestamp::UNIX_EPOCH + start.elapsed());
    let message = NewMessage { session_id: Some("s".to_owned()), ..NewMessage::default() };
    fixture.queue.send("tenant-requests", message, clock()).await.unwrap();
    let (ended, end) = oneshot::channel::<()>();
    let ended = Mutex::new(Some(ended));
    let harness = harness(move |call: Call| {
        let ended = call.is("requests").then(|| ended.lock().unwrap().take()).flatten();
        async move {
            if call.is("requests") {
                // Longer than three locks: without renewal there would be a second call.
                let _ = tokio::time::timeout(Duration::from_secs(200), pending::<()>()).await;
            }
            drop(ended);
            done()
        }
    });
    let host = fixture.start_at(harness.handler(), clock).await;
    assert!(end.await.is_err(), "the first call is over when its sender is dropped");
    host.stop().await;
    assert_eq!(harness.calls.borrow().iter().filter(|call| call.is("requests")).count(), 1);
    assert!(fixture.queue.peek("tenant-requests", 1).unwrap().is_empty());
}

#[tokio::test]
async fn injected_faults_deliver_a_message_twice_or_fail_it_after_success() {
    let mut fixture = fixture();
    fixture.settings.faults = HostFaults::new(|attempt| match (attempt.sequence, attempt.delivery_count) {
        (1, 1) => Some(InjectedFault::DuplicateDelivery),
        (2, 1) => Some(InjectedFault::OutputFailure),
        _ => None,
    });
    let harness = harness(|_| async { done() });
    let host = fixture.start(harness.handler()).await;
    fixture.request("twice", "a").await;
    fixture.request("again", "b").await;
    let calls = harness.until(|calls| calls.len() == 4).await;
    let deliveries = |body: &str| {
        let mut found: Vec<&str> = calls.iter().filter(|c| c.body() == body).map(Call::delivery).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(deliveries("twice"), ["1", "1"]);
    assert_eq!(deliveries("again"), ["1", "2"]);
    fixture.idle(&host).await;
}
