//! The lifecycle of a handler: kills, timeouts, exits, restarts, and the end of the host.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request, http::Method, response::IntoResponse as _};
use futures_util::future::BoxFuture;
use tenantry::{
    host::{Answer, Functions, Invocation, Trigger, bind, serve},
    local::host::{EmbeddedHost, Handler, HostError, HostFaults, InjectedFault, ProcessHandler},
};
use tokio::{net::TcpListener, sync::watch};

use super::harness::{Call, Fixture, TIMEOUT, done, fixture, harness, now, refused};

#[tokio::test]
async fn an_empty_answer_hangs_until_the_timeout_which_replaces_the_handler() {
    for body in ["", "null"] {
        let mut fixture = fixture();
        fixture.settings.app.host.function_timeout = Some(Duration::from_millis(200));
        let harness = harness(move |call: Call| async move {
            let first = call.delivery() == "1";
            if first { ([("content-type", "application/json")], body).into_response() } else { done() }
        });
        let host = fixture.start(harness.handler()).await;
        let first = (host.handler_url(), host.handler_life());
        assert_eq!(first.1, Some(1));
        fixture.request("m", "s").await;
        let calls = harness.until(|calls| calls.len() == 2).await;
        assert_eq!(calls[1].delivery(), "2");
        fixture.idle(&host).await;
        assert_eq!(host.handler_life(), Some(2), "the handler was replaced");
        assert_eq!(host.handler_url(), first.0, "by one at the same address");
    }
}

#[tokio::test]
async fn a_killed_handler_fails_everything_in_flight() {
    let mut fixture = fixture();
    fixture.settings.faults = HostFaults::new(|attempt| {
        let hit = attempt.sequence == 2 && attempt.delivery_count == 1;
        hit.then_some(InjectedFault::KillHandler { after: Duration::from_millis(50) })
    });
    let harness =
        harness(|call: Call| async move { if call.delivery() == "1" { pending().await } else { done() } });
    let host = fixture.start(harness.handler()).await;
    fixture.request("a", "a").await;
    harness.until(|calls| calls.len() == 1).await;
    fixture.request("b", "b").await;
    let again = |calls: &[Call]| calls.iter().filter(|call| call.delivery() == "2").count();
    let calls = harness.until(|calls| again(calls) == 2).await;
    assert_eq!(again(&calls), 2, "the other call is repeated as well");
    fixture.idle(&host).await;
}

#[tokio::test]
async fn a_host_that_stops_in_the_middle_settles_nothing() {
    let mut fixture = fixture();
    let (begun, mut begins) = watch::channel(false);
    fixture.settings.faults = HostFaults::new(move |_| {
        begun.send_replace(true);
        Some(InjectedFault::StopHost { after: Duration::from_millis(50) })
    });
    let harness = harness(|_| async { pending().await });
    let host = fixture.start(harness.handler()).await;
    fixture.request("m", "s").await;
    begins.wait_for(|begun| *begun).await.unwrap();
    tokio::time::timeout(TIMEOUT, host.stop()).await.unwrap();
    let counts = fixture.queue.counts("tenant-requests", now()).unwrap();
    assert_eq!((counts.in_flight, counts.ready), (1, 0), "locked until its lock ends");
}

#[tokio::test]
async fn stop_lets_running_invocations_finish() {
    let fixture = fixture();
    let (go, wait) = watch::channel(false);
    let harness = harness(move |_| {
        let mut wait = wait.clone();
        async move {
            wait.wait_for(|go| *go).await.unwrap();
            done()
        }
    });
    let host = fixture.start(harness.handler()).await;
    fixture.request("m", "s").await;
    harness.until(|calls| calls.len() == 1).await;
    assert!(!host.is_idle());
    let stopping = tokio::spawn(host.stop());
    go.send(true).unwrap();
    tokio::time::timeout(TIMEOUT, stopping).await.unwrap().unwrap();
    assert!(fixture.queue.peek("tenant-requests", 1).unwrap().is_empty());
}

/// A handler process that runs this shell script.
fn script(fixture: &mut Fixture, text: &str) -> Handler {
    let host = &mut fixture.settings.app.host;
    host.executable = "sh".to_owned();
    host.arguments = vec!["-c".to_owned(), text.to_owned()];
    let root = fixture.folder.path().to_owned();
    Handler::Process(ProcessHandler { root, executable: None, environment: BTreeMap::new() })
}

#[tokio::test]
async fn a_handler_that_ends_three_times_stops_the_host_with_its_last_output() {
    let mut fixture = fixture();
    let handler = script(
        &mut fixture,
        "echo run >> runs; echo a warning >&2; echo %FUNCTIONS_CUSTOMHANDLER_PORT% $FUNCTIONS_HTTPWORKER_PORT >&2; exit 3",
    );
    let clock = Arc::new(now);
    let started = EmbeddedHost::start(fixture.settings.clone(), handler, fixture.queue.clone(), clock).await;
    let Err(HostError::Handler(why)) = started else { panic!("it started") };
    assert!(why.contains("code 3"), "{why}");
    let ports: Vec<&str> = why.lines().last().unwrap().split(' ').collect();
    assert!(ports.len() == 2 && ports[0] == ports[1] && ports[0].parse::<u16>().is_ok(), "{why}");
    let runs = std::fs::read_to_string(fixture.folder.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 3);
}

#[tokio::test]
async fn exit_code_200_does_not_count_as_a_failed_start() {
    let mut fixture = fixture();
    let handler = script(
        &mut fixture,
        "echo $FUNCTIONS_CUSTOMHANDLER_PORT >> runs; test $(wc -l < runs) -gt 5 && exit 4; exit 200",
    );
    let clock = Arc::new(now);
    let started = EmbeddedHost::start(fixture.settings.clone(), handler, fixture.queue.clone(), clock).await;
    assert!(started.is_err());
    let runs = std::fs::read_to_string(fixture.folder.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 5 + 3);
    let first = runs.lines().next().unwrap();
    assert!(runs.lines().all(|port| port == first), "the port stays: {runs}");
}

#[tokio::test]
async fn a_handler_that_does_not_listen_is_given_up() {
    let mut fixture = fixture();
    fixture.settings.app.host.initialization_timeout = Duration::from_millis(100);
    let handler = script(&mut fixture, "exec sleep 60");
    let clock = Arc::new(now);
    let started = EmbeddedHost::start(fixture.settings.clone(), handler, fixture.queue.clone(), clock).await;
    let Err(HostError::Handler(why)) = started else { panic!("it started") };
    assert!(why.contains("did not answer"), "{why}");
}

/// Functions that never answer; the number of their dropped calls is counted.
struct Stuck(watch::Sender<usize>);

impl Functions for Stuck {
    fn call(&self, _: Invocation) -> BoxFuture<'_, Answer> {
        let begun = self.0.clone();
        Box::pin(async move {
            let _at_end = AtEnd(begun);
            pending().await
        })
    }
}

struct AtEnd(watch::Sender<usize>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.send_modify(|ended| *ended += 1);
    }
}

#[tokio::test]
async fn a_kill_ends_the_functions_of_an_in_process_handler() {
    let mut fixture = fixture();
    fixture.settings.faults =
        HostFaults::new(|_| Some(InjectedFault::KillHandler { after: Duration::from_millis(50) }));
    let ended = watch::Sender::new(0);
    let mut seen = ended.subscribe();
    let functions = Arc::new(Stuck(ended));
    let handler = Handler::InProcess(Arc::new(move |listener: TcpListener| {
        let functions = Arc::clone(&functions);
        tokio::spawn(async move { serve(listener, functions, pending()).await.unwrap() })
    }));
    let _host = fixture.start(handler).await;
    fixture.request("m", "s").await;
    tokio::time::timeout(TIMEOUT, seen.wait_for(|ended| *ended >= 1)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handler_that_ends_with_code_0_is_not_started_again() {
    let fixture = fixture();
    let starts = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&starts);
    let handler = Handler::InProcess(Arc::new(move |listener: TcpListener| {
        *counted.lock().unwrap() += 1;
        let (end, ended) = watch::channel(false);
        let router = Router::new().fallback(move |request: Request| {
            let end = end.clone();
            async move {
                end.send_replace(request.method() == Method::POST);
                refused()
            }
        });
        let mut ended_by = ended;
        let ended = async move { drop(ended_by.wait_for(|end| *end).await) };
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(ended).await.unwrap() },
        )
    }));
    let host = fixture.start(handler).await;
    fixture.request("m", "s").await;
    let mut changes = fixture.queue.changes();
    let dead = async {
        while fixture.queue.counts("tenant-requests", now()).unwrap().dead_lettered == 0 {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(TIMEOUT, dead).await.unwrap();
    assert_eq!((*starts.lock().unwrap(), host.gave_up(), host.handler_life()), (1, None, Some(1)));
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", front.local_addr().unwrap());
    tokio::spawn(axum::serve(front, host.router()).into_future());
    let client = tenantry::azure::client::builder().no_proxy().build().unwrap();
    let status = client.get(format!("{base}/admin/host/status")).send().await.unwrap();
    assert!(status.text().await.unwrap().contains("Running"), "the status does not show it");
    assert_eq!(client.get(format!("{base}/api/tenants")).send().await.unwrap().status(), 500);
}

/// Not a test itself: [`a_child_that_hangs_is_killed_and_started_again`] runs it as its child process.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a child gets its port through the environment")]
async fn child() {
    let Ok(port) = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT") else { return };
    serve(bind(port.parse().unwrap()).await.unwrap(), Arc::new(HangsAtFirst), pending()).await.unwrap();
}

struct HangsAtFirst;

impl Functions for HangsAtFirst {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        let first =
            matches!(&invocation.trigger, Trigger::Message(message) if message.delivery_count == Some(1));
        Box::pin(async move { if first { pending().await } else { Answer::done() } })
    }
}

#[tokio::test]
async fn a_child_that_hangs_is_killed_and_started_again() {
    let mut fixture = fixture();
    let host = &mut fixture.settings.app.host;
    host.function_timeout = Some(Duration::from_millis(300));
    host.arguments = ["--exact", "embedded_host::life::child"].map(str::to_owned).to_vec();
    let executable = Some(std::env::current_exe().unwrap());
    let root = fixture.folder.path().to_owned();
    let handler = Handler::Process(ProcessHandler { root, executable, environment: BTreeMap::new() });
    let host = fixture.start(handler).await;
    let first = host.handler_url();
    fixture.request("m", "s").await;
    fixture.idle(&host).await;
    assert_eq!((host.handler_life(), host.handler_url()), (Some(2), first));
    assert!(fixture.queue.peek("tenant-requests", 1).unwrap().is_empty());
    assert_eq!(fixture.queue.counts("tenant-requests", now()).unwrap().dead_lettered, 0);
}
