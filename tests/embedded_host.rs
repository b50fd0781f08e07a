//! The embedded Functions host, driving handlers over real HTTP. Waits are for events, bounded by [`PATIENCE`]; only
//! what is itself a duration (a timeout, a lock) takes its time.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    host::{Answer, Functions, Invocation, Trigger, serve},
    local::{
        db::Db,
        host::{App, EmbeddedHost, Fault, Handler, HostError, HostFaults, HostSettings, ProcessHandler},
        queue::{BrokerSettings, NewMessage, Queue},
    },
};
use tokio::{net::TcpListener, sync::watch};

const PATIENCE: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the host under test runs at the speed of the real clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// One request that a handler got.
#[derive(Debug, Clone)]
struct Call {
    function: String,
    headers: HeaderMap,
    envelope: Value,
}

impl Call {
    /// The body of a queue message.
    fn body(&self) -> String {
        let data = self.envelope["Data"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
        String::from_utf8(BASE64_STANDARD.decode(data).unwrap()).unwrap()
    }

    fn delivery(&self) -> &str {
        self.envelope["Metadata"]["DeliveryCount"].as_str().unwrap()
    }

    fn is(&self, function: &str) -> bool {
        self.function == function
    }
}

type Script = dyn Fn(Call) -> BoxFuture<'static, Response> + Send + Sync;

/// A handler that does what a test says, and keeps what it was called with.
struct Stage {
    calls: watch::Sender<Vec<Call>>,
    script: Box<Script>,
}

fn done() -> Response {
    Json(json!({ "Outputs": {}, "Logs": null, "ReturnValue": null })).into_response()
}

fn refused() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "error": "not now" }))).into_response()
}

fn stage<F>(script: impl Fn(Call) -> F + Send + Sync + 'static) -> Arc<Stage>
where
    F: Future<Output = Response> + Send + 'static,
{
    Arc::new(Stage { calls: watch::Sender::default(), script: Box::new(move |call| Box::pin(script(call))) })
}

impl Stage {
    async fn answer(self: Arc<Self>, request: Request) -> Response {
        if request.method() == Method::GET {
            return done();
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let call = Call {
            function: head.uri.path().trim_start_matches('/').to_owned(),
            headers: head.headers,
            envelope: serde_json::from_slice(&body).unwrap(),
        };
        self.calls.send_modify(|calls| calls.push(call.clone()));
        (self.script)(call).await
    }

    fn handler(self: &Arc<Self>) -> Handler {
        let stage = Arc::clone(self);
        Handler::InProcess(Arc::new(move |listener: TcpListener| {
            let stage = Arc::clone(&stage);
            let router = Router::new().fallback(move |request: Request| Arc::clone(&stage).answer(request));
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
        }))
    }

    /// Waits until the calls so far are what the test waits for.
    async fn until(&self, enough: impl Fn(&[Call]) -> bool) -> Vec<Call> {
        let mut calls = self.calls.subscribe();
        let found = tokio::time::timeout(PATIENCE, calls.wait_for(|calls| enough(calls))).await;
        match found {
            Ok(calls) => calls.unwrap().clone(),
            Err(_) => panic!("never happened; the calls were {:#?}", self.calls.borrow()),
        }
    }
}

struct World {
    queue: Queue,
    settings: HostSettings,
    _folder: TempDir,
}

fn world_with(lock: Duration) -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = BrokerSettings::default();
    for queue in broker.queues.values_mut() {
        queue.lock = lock;
    }
    let queue = Queue::open(Db::open(&folder.path().join("state.redb")).unwrap(), broker).unwrap();
    let mut settings = HostSettings::new(App::embedded().unwrap());
    settings.timeout_grace = Duration::ZERO;
    World { queue, settings, _folder: folder }
}

fn world() -> World {
    world_with(Duration::from_secs(60))
}

impl World {
    async fn start(&self, handler: Handler) -> EmbeddedHost {
        let clock = Arc::new(now);
        EmbeddedHost::start(self.settings.clone(), handler, self.queue.clone(), clock).await.unwrap()
    }

    async fn request(&self, id: &str, session: &str) {
        let message = NewMessage {
            message_id: Some(id.to_owned()),
            session_id: Some(session.to_owned()),
            body: id.as_bytes().to_vec(),
            properties: BTreeMap::from([("schemaVersion".to_owned(), json!(1))]),
            content_type: Some("application/json".to_owned()),
            ..NewMessage::default()
        };
        self.queue.send("tenant-requests", message, now()).await.unwrap();
    }

    async fn idle(&self, host: &EmbeddedHost) {
        let mut changes = self.queue.changes();
        let idle = async {
            while !host.is_idle() {
                // An invocation's end follows its message's a moment later, without a change of the queue.
                let _ = tokio::time::timeout(Duration::from_millis(20), changes.changed()).await;
            }
        };
        tokio::time::timeout(PATIENCE, idle).await.unwrap();
    }
}

#[tokio::test]
async fn a_message_is_encoded_as_the_real_host_encodes_it() {
    let world = world();
    let stage = stage(|_| async { done() });
    let host = world.start(stage.handler()).await;
    for id in ["m1", "m2", "m3"] {
        world.request(id, "contoso").await;
    }
    let calls = stage.until(|calls| calls.len() == 3).await;
    world.idle(&host).await;
    for (place, call) in calls.iter().enumerate() {
        assert!(call.is("signup"));
        assert_eq!(call.body(), format!("m{}", place + 1));
        let metadata = &call.envelope["Metadata"];
        assert_eq!(metadata["DeliveryCount"], "1");
        assert_eq!(metadata["SequenceNumber"], format!("{}", place + 1));
        assert_eq!(metadata["MessageId"], format!("\"m{}\"", place + 1));
        assert_eq!(metadata["SessionId"], "\"contoso\"");
        assert_eq!(metadata["ApplicationProperties"]["schemaVersion"], 1);
        assert_eq!(metadata["sys"]["MethodName"], "signup");
        assert_eq!(metadata["EnqueuedTimeUtc"].as_str().unwrap().len(), 19);
        assert!(metadata.get("CorrelationId").is_none());
        assert!(call.headers["user-agent"].to_str().unwrap().starts_with("Azure-Functions-Host/4."));
        assert_eq!(call.headers.contains_key("transfer-encoding"), place % 2 == 0, "framings alternate");
        assert_eq!(call.headers.contains_key("content-length"), place % 2 == 1);
        assert_eq!(call.headers.contains_key("traceparent"), place % 3 == 0);
    }
    let id = |call: &Call| call.headers["x-azure-functions-invocationid"].clone();
    assert_ne!(id(&calls[0]), id(&calls[1]));
}

#[tokio::test]
async fn members_of_a_text_body_leak_into_the_metadata() {
    let mut world = world();
    let signup = world.settings.app.functions.iter_mut().find(|f| f.name == "signup").unwrap();
    signup.bindings[0].data_type = None;
    let stage = stage(|_| async { done() });
    let _host = world.start(stage.handler()).await;
    let body = r#"{"messageId":"spoofed","trial":true,"time":"2026-08-20T09:59:58Z","plan":{"a":1},"tags":[1],"note":null}"#;
    world.request(body, "s").await;
    let call = stage.until(|calls| calls.len() == 1).await.remove(0);
    assert_eq!(call.envelope["Data"]["signupMsg"], Value::String(body.to_owned()).to_string());
    let metadata = &call.envelope["Metadata"];
    assert_eq!(metadata["MessageId"], "\"spoofed\"");
    assert_eq!(metadata["trial"], "\"True\"");
    assert_eq!(metadata["time"], "\"08/20/2026 09:59:58\"");
    assert_eq!(metadata["plan"], json!({ "a": 1 }));
    assert!(metadata.get("tags").is_none() && metadata.get("note").is_none());
}

#[tokio::test]
async fn ten_failures_dead_letter_a_message_and_the_deadletter_function_gets_it() {
    let world = world();
    let stage = stage(|call: Call| async move { if call.is("signup") { refused() } else { done() } });
    let host = world.start(stage.handler()).await;
    world.request("poison", "s").await;
    let calls = stage.until(|calls| calls.iter().any(|call| call.is("deadletter"))).await;
    let counts: Vec<&str> = calls.iter().filter(|call| call.is("signup")).map(Call::delivery).collect();
    assert_eq!(counts, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    let dead = calls.last().unwrap();
    assert_eq!(dead.body(), "poison");
    let reason = &dead.envelope["Metadata"]["ApplicationProperties"]["DeadLetterReason"];
    assert_eq!(reason, "MaxDeliveryCountExceeded");
    world.idle(&host).await;
}

#[tokio::test]
async fn sessions_run_side_by_side_and_each_in_order() {
    let world = world();
    let running = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let stage = stage(move |call: Call| {
        let (running, both) = (Arc::clone(&running), Arc::clone(&both));
        async move {
            let session = call.envelope["Metadata"]["SessionId"].to_string();
            *running.lock().unwrap().entry(session.clone()).or_default() += 1;
            // Passes only when both sessions are here at the same time.
            both.wait().await;
            let mut running = running.lock().unwrap();
            let here = running.get_mut(&session).unwrap();
            assert_eq!(*here, 1, "two of one session at once");
            *here -= 1;
            drop(running);
            done()
        }
    });
    let host = world.start(stage.handler()).await;
    for place in 0..5 {
        world.request(&format!("a{place}"), "a").await;
        world.request(&format!("b{place}"), "b").await;
    }
    let calls = stage.until(|calls| calls.len() == 10).await;
    for session in ["a", "b"] {
        let order: Vec<String> =
            calls.iter().map(Call::body).filter(|body| body.starts_with(session)).collect();
        assert_eq!(order, (0..5).map(|place| format!("{session}{place}")).collect::<Vec<_>>());
    }
    world.idle(&host).await;
}

#[tokio::test]
async fn an_empty_answer_hangs_until_the_timeout_which_replaces_the_handler() {
    for body in ["", "null"] {
        let mut world = world();
        world.settings.app.host.function_timeout = Some(Duration::from_millis(200));
        let stage = stage(move |call: Call| async move {
            let first = call.delivery() == "1";
            if first { ([("content-type", "application/json")], body).into_response() } else { done() }
        });
        let host = world.start(stage.handler()).await;
        let first_url = host.handler_url().unwrap();
        world.request("m", "s").await;
        let calls = stage.until(|calls| calls.len() == 2).await;
        assert_eq!(calls[1].delivery(), "2");
        assert_ne!(host.handler_url(), Some(first_url), "the handler was replaced");
        world.idle(&host).await;
    }
}

#[tokio::test]
async fn answers_that_are_no_json_object_fail_the_invocation() {
    let world = world();
    let stage = stage(|call: Call| async move {
        match call.delivery() {
            "1" => ([("content-type", "text/plain")], "{}").into_response(),
            "2" => ([("content-type", "application/json")], "{").into_response(),
            "3" => Json(json!([1])).into_response(),
            "4" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            _ => done(),
        }
    });
    let host = world.start(stage.handler()).await;
    world.request("m", "s").await;
    stage.until(|calls| calls.len() == 5).await;
    world.idle(&host).await;
}

#[tokio::test]
async fn a_killed_handler_fails_everything_in_flight() {
    let mut world = world();
    world.settings.faults = HostFaults::new(|attempt| {
        let hit = attempt.sequence == 1 && attempt.delivery_count == 1;
        hit.then_some(Fault::KillHandler { after: Duration::from_millis(100) })
    });
    let stage =
        stage(|call: Call| async move { if call.delivery() == "1" { pending().await } else { done() } });
    let host = world.start(stage.handler()).await;
    world.request("a", "a").await;
    world.request("b", "b").await;
    let calls = stage.until(|calls| calls.iter().filter(|call| call.delivery() == "2").count() == 2).await;
    assert_eq!(calls.len(), 4);
    world.idle(&host).await;
}

#[tokio::test]
async fn a_lost_lock_lets_a_second_copy_run_beside_the_first() {
    let mut world = world_with(Duration::from_millis(150));
    world.settings.app.host.max_lock_renewal = Duration::ZERO;
    let second = Arc::new(tokio::sync::Notify::new());
    let stage = stage(move |call: Call| {
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
    let host = world.start(stage.handler()).await;
    world.request("m", "s").await;
    stage.until(|calls| calls.len() == 2).await;
    world.idle(&host).await;
}

#[tokio::test]
async fn a_lock_is_renewed_while_its_invocation_runs() {
    let world = world_with(Duration::from_millis(200));
    let stage = stage(|_| async {
        // Longer than three locks: without renewal there would be a second call.
        let _ = tokio::time::timeout(Duration::from_millis(700), pending::<()>()).await;
        done()
    });
    let host = world.start(stage.handler()).await;
    world.request("m", "s").await;
    stage.until(|calls| calls.len() == 1).await;
    world.idle(&host).await;
    assert_eq!(stage.calls.borrow().len(), 1);
}

#[tokio::test]
async fn faults_deliver_twice_or_fail_after_success() {
    let mut world = world();
    world.settings.faults = HostFaults::new(|attempt| match (attempt.sequence, attempt.delivery_count) {
        (1, 1) => Some(Fault::DuplicateDelivery),
        (2, 1) => Some(Fault::OutputFailure),
        _ => None,
    });
    let stage = stage(|_| async { done() });
    let host = world.start(stage.handler()).await;
    world.request("twice", "a").await;
    world.request("again", "b").await;
    let calls = stage.until(|calls| calls.len() == 4).await;
    let deliveries = |body: &str| {
        let mut found: Vec<&str> = calls.iter().filter(|c| c.body() == body).map(Call::delivery).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(deliveries("twice"), ["1", "1"]);
    assert_eq!(deliveries("again"), ["1", "2"]);
    world.idle(&host).await;
}

#[tokio::test]
async fn a_host_that_stops_in_the_middle_settles_nothing() {
    let mut world = world();
    world.settings.faults = HostFaults::new(|_| Some(Fault::StopHost { after: Duration::from_millis(50) }));
    let stage = stage(|_| async { pending().await });
    let host = world.start(stage.handler()).await;
    world.request("m", "s").await;
    stage.until(|calls| calls.len() == 1).await;
    tokio::time::timeout(PATIENCE, host.stop()).await.unwrap();
    let counts = world.queue.counts("tenant-requests", now()).unwrap();
    assert_eq!((counts.in_flight, counts.ready), (1, 0), "locked until its lock ends");
}

#[tokio::test]
async fn stop_lets_running_invocations_finish() {
    let world = world();
    let (go, wait) = watch::channel(false);
    let stage = stage(move |_| {
        let mut wait = wait.clone();
        async move {
            wait.wait_for(|go| *go).await.unwrap();
            done()
        }
    });
    let host = world.start(stage.handler()).await;
    world.request("m", "s").await;
    stage.until(|calls| calls.len() == 1).await;
    assert!(!host.is_idle());
    let stopping = tokio::spawn(host.stop());
    go.send(true).unwrap();
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
    assert!(world.queue.peek("tenant-requests", 1).unwrap().is_empty());
}

#[tokio::test]
async fn a_timer_ticks_with_its_status() {
    let mut world = world();
    world.settings.timer_interval = Some(Duration::from_millis(20));
    let stage = stage(|_| async { done() });
    let _host = world.start(stage.handler()).await;
    let calls = stage.until(|calls| calls.len() >= 2).await;
    assert!(calls.iter().all(|call| call.is("sweep")));
    let last = |call: &Call| call.envelope["Data"]["sweepTimer"]["ScheduleStatus"]["Last"].clone();
    assert_eq!(last(&calls[0]), "0001-01-01T00:00:00+00:00");
    assert_ne!(last(&calls[1]), "0001-01-01T00:00:00+00:00");
}

#[tokio::test]
async fn outputs_fall_into_the_real_traps() {
    let mut world = world();
    let signup = world.settings.app.functions.iter_mut().find(|f| f.name == "signup").unwrap();
    let out =
        json!({ "type": "serviceBus", "direction": "out", "name": "out", "queueName": "tenant-wakeups" });
    signup.bindings.push(serde_json::from_value(out).unwrap());
    let outputs = json!({
        "base64": "done",
        "exact": ["{\"at\":\"2026-08-20T09:59:58.500Z\"}", "done"],
        "object": { "at": "2026-08-20T09:59:58.500+02:00" },
        "text": "two words",
    });
    let stage = stage(move |call: Call| {
        let outputs = outputs.clone();
        async move {
            if !call.is("signup") {
                return done();
            }
            Json(json!({ "outputs": { "out": outputs[call.body()], "unknown": 1 } })).into_response()
        }
    });
    let host = world.start(stage.handler()).await;
    let cases: [(&str, &[&str]); 4] = [
        ("base64", &["System.Byte[]"]),
        ("exact", &["{\"at\":\"2026-08-20T09:59:58.500Z\"}", "done"]),
        ("object", &["{\n  \"at\": \"2026-08-20T07:59:58.5+00:00\"\n}"]),
        ("text", &["two words"]),
    ];
    for (case, messages) in cases {
        let before = stage.calls.borrow().len();
        world.request(case, "s").await;
        let calls = stage.until(|calls| calls.len() == before + 1 + messages.len()).await;
        let mut sent: Vec<String> = calls[before + 1..].iter().map(Call::body).collect();
        sent.sort();
        let mut wanted = messages.to_vec();
        wanted.sort_unstable();
        assert_eq!(sent, wanted, "{case}");
    }
    world.idle(&host).await;
}

/// Answers HTTP functions with what they were asked, and fails on demand.
struct Echo;

impl Functions for Echo {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let Trigger::Http(call) = &invocation.trigger else { return Answer::done() };
            if call.query.contains_key("fail") {
                return Answer::TryAgain { why: "as asked".to_owned() };
            }
            let body = call.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
            let seen = json!({ "function": invocation.function, "method": call.method, "path": call.path,
                "params": call.params, "query": call.query, "body": body });
            let content_type = ("Content-Type".to_owned(), "application/json".to_owned());
            Answer::Http {
                status: 202,
                headers: BTreeMap::from([content_type]),
                body: seen.to_string(),
                logs: vec![],
            }
        })
    }
}

#[tokio::test]
async fn http_functions_and_admin_calls_are_reached_through_the_front() {
    let world = world();
    let handler = Handler::InProcess(Arc::new(|listener: TcpListener| {
        tokio::spawn(async move { serve(listener, Arc::new(Echo), pending()).await.unwrap() })
    }));
    let host = world.start(handler).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, host.router()).into_future());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let reply = client.get(format!("{base}/api/tenants/contoso?a=1&a=2&code=k")).send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["content-type"] == "application/json"),
        (202, true)
    );
    let seen: Value = reply.json().await.unwrap();
    assert_eq!(seen["function"], "tenants");
    assert_eq!((&seen["method"], &seen["path"]), (&json!("GET"), &json!("/api/tenants/contoso")));
    assert_eq!(
        (&seen["params"], &seen["query"]),
        (&json!({ "tenantId": "contoso" }), &json!({ "a": "1,2" }))
    );
    assert_eq!(seen["body"], Value::Null);

    let list: Value = client.get(format!("{base}/api/tenants")).send().await.unwrap().json().await.unwrap();
    assert_eq!(list["params"], json!({}));
    let posted =
        client.post(format!("{base}/api/tenants/contoso/retry")).body("{\"why\":1}").send().await.unwrap();
    let seen: Value = posted.json().await.unwrap();
    assert_eq!((&seen["function"], &seen["body"]), (&json!("retry"), &json!("{\"why\":1}")));

    let statuses = [
        (client.get(format!("{base}/api/tenants/contoso/retry")), 404),
        (client.get(format!("{base}/api/tenants?fail=1")), 500),
        (client.get(format!("{base}/nowhere")), 404),
        (client.get(format!("{base}/admin/host/ping")), 200),
        (client.post(format!("{base}/admin/host/ping")), 200),
        (client.post(format!("{base}/admin/functions/sweep")).body("{\"input\":\"\"}"), 202),
        (client.post(format!("{base}/admin/functions/SIGNUP")).body("{\"input\":\"{}\"}"), 202),
        (client.post(format!("{base}/admin/functions/nothing")).body("{\"input\":\"\"}"), 404),
        (client.post(format!("{base}/admin/functions/signup")).body("no"), 400),
        (client.post(format!("{base}/admin/functions/tenants")).body("{\"input\":\"\"}"), 400),
    ];
    for (request, status) in statuses {
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status, "{}", reply.url());
    }
    let names: Value =
        client.get(format!("{base}/admin/functions")).send().await.unwrap().json().await.unwrap();
    assert_eq!(names.as_array().unwrap().len(), 6);
}

/// A handler that is a shell script; `$0` stays unused.
fn script(world: &mut World, text: &str) -> Handler {
    let host = &mut world.settings.app.host;
    host.executable = "sh".to_owned();
    host.arguments = vec!["-c".to_owned(), text.to_owned()];
    let root = world._folder.path().to_owned();
    Handler::Process(ProcessHandler { root, executable: None, environment: BTreeMap::new() })
}

#[tokio::test]
async fn a_handler_that_ends_three_times_stops_the_host_with_its_last_words() {
    let mut world = world();
    let handler = script(
        &mut world,
        "echo run >> runs; echo a warning >&2; echo %FUNCTIONS_CUSTOMHANDLER_PORT% $FUNCTIONS_HTTPWORKER_PORT >&2; exit 3",
    );
    let clock = Arc::new(now);
    let started = EmbeddedHost::start(world.settings.clone(), handler, world.queue.clone(), clock).await;
    let Err(HostError::Handler(why)) = started else { panic!("it started") };
    assert!(why.contains("code 3"), "{why}");
    let ports: Vec<&str> = why.lines().last().unwrap().split(' ').collect();
    assert!(ports.len() == 2 && ports[0] == ports[1] && ports[0].parse::<u16>().is_ok(), "{why}");
    let runs = std::fs::read_to_string(world._folder.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 3);
}

#[tokio::test]
async fn exit_code_200_is_not_counted() {
    let mut world = world();
    let handler = script(&mut world, "echo run >> runs; test $(wc -l < runs) -gt 5 && exit 4; exit 200");
    let clock = Arc::new(now);
    let started = EmbeddedHost::start(world.settings.clone(), handler, world.queue.clone(), clock).await;
    assert!(started.is_err());
    let runs = std::fs::read_to_string(world._folder.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 5 + 3);
}

#[tokio::test]
async fn a_handler_that_does_not_listen_is_given_up() {
    let mut world = world();
    world.settings.app.host.initialization_timeout = Duration::from_millis(100);
    let handler = script(&mut world, "exec sleep 60");
    let clock = Arc::new(now);
    let started = EmbeddedHost::start(world.settings.clone(), handler, world.queue.clone(), clock).await;
    let Err(HostError::Handler(why)) = started else { panic!("it started") };
    assert!(why.contains("did not answer"), "{why}");
}

#[tokio::test]
async fn a_handler_that_ends_with_code_0_is_not_started_again() {
    let world = world();
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
    let host = world.start(handler).await;
    world.request("m", "s").await;
    let mut changes = world.queue.changes();
    let dead = async {
        while world.queue.counts("tenant-requests", now()).unwrap().dead_lettered == 0 {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, dead).await.unwrap();
    assert_eq!((*starts.lock().unwrap(), host.gave_up()), (1, None));
}
