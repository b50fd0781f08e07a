//! What a handler reports: to callers whose body the host has dropped, and in its log.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use azure_sim::{Speed, local_stamp};
use jiff::Timestamp;
use serde_json::json;
use tenantry::{
    app::App,
    host::{Answer, Function, Functions as _, Invocation, Message, Timer, Trigger},
    ports::{Ports, StateStore, StoreError},
    reconciler::Settings,
};
use tenantry_core::blueprint::{Blueprint, DEFAULT};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::testkit::{
    fixture::Fixture,
    harness::Harness,
    log::Log,
    over::{Asked, Over, Wrapped},
    signup,
};

/// Posts a body in chunks, as .NET's `JsonContent`, streams of Node and `curl -T -` do.
async fn post_chunked(base: &str, path: &str, body: &str) -> (u16, String) {
    let address = base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\naeg-event-type: Notification"
    );
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let request =
        format!("{head}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    (reply.split(' ').nth(1).unwrap().parse().unwrap(), reply)
}

#[tokio::test]
async fn a_body_that_the_host_dropped_is_refused_with_the_reason() {
    let harness = Harness::new().await;
    let body = signup("contoso").to_string();
    for path in ["/api/tenants", "/api/tenants/contoso/retry", "/api/events"] {
        let (status, reply) = post_chunked(&harness.base, path, &body).await;
        assert_eq!(status, 411, "{path}: {reply}");
        assert!(reply.contains("Transfer-Encoding: chunked") && reply.contains("Content-Length"), "{reply}");
    }
    assert_eq!(harness.get("/_sim/events").await, json!([]), "no event for the refusal");
    let store = &harness.local.ports.store;
    assert!(store.due(Timestamp::MAX, 10).await.unwrap().is_empty(), "nothing is due");
    assert_eq!(harness.tenant("contoso").await["status"], 404);
    // With a `Content-Length` the same request is accepted. A call that needs no body needs no length, but a chunked
    // body is refused.
    assert_eq!(harness.submit(&signup("contoso")).await.status, 202);
    harness.until_is("contoso", "active").await;
    let (status, reply) = post_chunked(&harness.base, "/api/tenants?limit=1", "").await;
    assert_eq!(status, 411, "{reply}");
    assert_eq!(harness.get("/api/tenants").await["tenants"].as_array().unwrap().len(), 1);
}

fn app(ports: Ports) -> App {
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    App::new(ports, Settings::azure("local"), vec![blueprint], vec![local_stamp()], "worker")
}

fn call(function: Function, trigger: Trigger) -> Invocation {
    Invocation { function, id: None, traceparent: None, trigger }
}

#[tokio::test]
async fn an_audit_reports_why_unfinished_tenants_are_inconclusive() {
    let (log, _guard) = Log::listen();
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let app = app(fixture.ports.clone());
    let body = signup("contoso").to_string();
    assert!(app.intake.take_in(body.as_bytes()).await.unwrap().tenant_id.is_some());
    let Answer::Done { logs } = app.call(call(Function::Audit, Trigger::Timer(Timer::default()))).await
    else {
        panic!("the audit failed")
    };
    assert_eq!(logs[0], "tenants checked: 1");
    for line in &logs[1..] {
        let (_, why) = line.split_once(" is inconclusive: ").unwrap_or_else(|| panic!("{line}"));
        assert!(!why.trim().is_empty(), "{line}");
    }
    for line in log.said("isolation is not verified") {
        assert!(!line["why"].as_str().unwrap().is_empty(), "{line}");
    }
    assert!(logs.len() > 1, "an unfinished tenant has a line");
}

/// A store that is unavailable while `away` is set.
struct Unavailable {
    inner: Arc<dyn StateStore>,
    away: AtomicBool,
}

impl Unavailable {
    async fn answer<T>(&self, work: Asked<'_, T>) -> Result<T, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the service can't be reached".to_owned()));
        }
        work.await
    }
}

impl Over for Unavailable {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn each<'a, T: Send + 'a>(&'a self, work: Asked<'a, T>) -> Asked<'a, T> {
        Box::pin(self.answer(work))
    }
}

#[tokio::test]
async fn a_dead_letter_is_counted_once_when_it_is_completed() {
    let (log, _guard) = Log::listen();
    let fixture = Fixture::new(Speed::Max).await;
    let store = Arc::new(Wrapped(Unavailable {
        inner: Arc::clone(&fixture.ports.store),
        away: AtomicBool::new(true),
    }));
    let app = app(Ports { store: store.clone(), ..fixture.ports.clone() });
    let dead = || {
        let message = Message {
            body: signup("tailspin").to_string().into_bytes(),
            message_id: None,
            session_id: None,
            delivery_count: Some(11),
            sequence_number: Some(7),
            enqueued_at: None,
            correlation_id: None,
            content_type: None,
            application_properties: std::collections::BTreeMap::new(),
            metadata_trusted: true,
        };
        call(Function::DeadLetter, Trigger::Message(message))
    };
    for _ in 0..5 {
        assert!(matches!(app.call(dead()).await, Answer::TryAgain { .. }));
    }
    assert_eq!(log.said("a dead letter is taken in once more").len(), 0);
    store.0.away.store(false, Ordering::SeqCst);
    assert!(matches!(app.call(dead()).await, Answer::Done { .. }));
    assert_eq!(log.said("a dead letter is taken in once more").len(), 1);
}
