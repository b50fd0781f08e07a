//! A sweep starts passes for all due tenants, whether or not wake-ups can be sent, and ends before the host's timeout.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_sim::{Speed, local_stamp};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry::{
    app::App,
    azure::service_bus::NoScheduler,
    host::{Answer, Functions as _, Invocation, Timer, Trigger, functions::Function},
    ports::{Clock as _, Ports, Scheduler},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    steps::Failure,
    tenant::Status,
};

use crate::testkit::{fixture::Fixture, request, signup};

const HELLO: &str = include_str!("../../../blueprints/hello.yaml");

fn blueprint(text: &str) -> Blueprint {
    Blueprint::check(text).unwrap().blueprint
}

fn app(ports: Ports, settings: Settings) -> App {
    App::new(ports, settings, vec![blueprint(DEFAULT)], vec![local_stamp()], "worker")
}

/// Posts a request as the HTTP function gets it.
async fn post(app: &App, body: &Value) -> u16 {
    let call = json!({
        "Url": "http://localhost/api/tenants", "Method": "POST", "Query": {}, "Params": {},
        "Headers": {"Content-Length": ["1"]}, "Body": body.to_string(),
    });
    let envelope = json!({"Data": {"req": call}, "Metadata": {}}).to_string();
    let trigger = Trigger::parse(Function::named("tenants").unwrap(), envelope.as_bytes()).unwrap();
    let call = Invocation { function: Function::Tenants, id: None, traceparent: None, trigger };
    let Answer::Http { status, .. } = app.call(call).await else { panic!("no answer") };
    status
}

async fn tick(app: &App) -> Answer {
    let trigger = Trigger::Timer(Timer::default());
    app.call(Invocation { function: Function::Sweep, id: None, traceparent: None, trigger }).await
}

async fn status(ports: &Ports, id: &str) -> Status {
    ports.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value.status
}

#[tokio::test]
async fn sweeps_alone_provision_and_remove_a_tenant() {
    let fixture = Fixture::new(Speed::Factor(20.0)).await;
    let ports = Ports { scheduler: Arc::new(NoScheduler), ..fixture.ports.clone() };
    // `serve` sets `overdue` to zero for TENANTRY_WAKEUPS=sweep.
    let settings = Settings { overdue: Duration::ZERO, ..Settings::azure("local") };
    let app = app(ports.clone(), settings);
    let removal = request("remove", "deprovision", "tailspin", json!({"gracePeriod": "PT0S"}));
    for (body, expected) in [(signup("tailspin"), Status::Active), (removal, Status::Deleted)] {
        assert_eq!(post(&app, &body).await, 202);
        let mut sweeps = 0;
        while status(&ports, "tailspin").await != expected {
            sweeps += 1;
            assert!(sweeps <= 60, "still {:?}", status(&ports, "tailspin").await);
            assert!(matches!(tick(&app).await, Answer::Done { .. }));
            fixture.clock.pass(Duration::from_secs(60));
        }
    }
}

/// A scheduler that can't send: each attempt fails after a timeout of half a second.
struct Unreachable(Arc<crate::testkit::fixture::Jumping>);

impl Scheduler for Unreachable {
    fn schedule<'a>(&'a self, _: &'a TenantId, _: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async {
            self.0.pass(Duration::from_millis(500));
            Err(Failure::not_sent("Service Bus is away"))
        })
    }
}

/// Signs tenants up without reconciling them.
async fn sign_up(ports: &Ports, count: usize) -> Vec<TenantId> {
    let intake = Fixture::intake(ports, &blueprint(HELLO));
    let mut ids = Vec::new();
    for number in 0..count {
        let name = format!("tenant-{number:02}");
        let spec = json!({"displayName": name, "tier": "dedicated"});
        let body = request(&format!("signup-{name}"), "signup", &name, spec).to_string();
        ids.push(intake.take_in(body.as_bytes()).await.unwrap().tenant_id.unwrap());
    }
    ids
}

#[tokio::test]
async fn a_sweep_without_service_bus_ends_in_time_and_the_next_one_continues() {
    let fixture = Fixture::new(Speed::Factor(10.0)).await;
    let ports = Ports { scheduler: Arc::new(Unreachable(fixture.clock.clone())), ..fixture.ports.clone() };
    let ids = sign_up(&ports, 40).await;
    fixture.clock.pass(Duration::from_secs(20));
    let reconciler = Reconciler::new(ports.clone(), Settings::azure("local"), "worker");
    let (mut longest, mut sweeps) = (Duration::ZERO, 0);
    loop {
        let begun = fixture.clock.now();
        let swept = reconciler.sweep().await.unwrap();
        longest = longest.max(Duration::try_from(fixture.clock.now().duration_since(begun)).unwrap());
        assert_eq!((swept.woken, swept.failed), (0, 0), "{swept:?}");
        sweeps += 1;
        let mut active = 0;
        for id in &ids {
            active += usize::from(status(&ports, id.as_str()).await == Status::Active);
        }
        if active == ids.len() {
            break;
        }
        assert!(sweeps < 60, "{active} of {} are active; the last sweep: {swept:?}", ids.len());
        fixture.clock.pass(Duration::from_secs(60));
    }
    assert!(longest < Duration::from_secs(300), "one sweep took {longest:?}");
}

/// A queue with duplicate detection whose messages nobody receives.
#[derive(Default)]
struct Unread {
    calls: Mutex<Vec<Timestamp>>,
    messages: Mutex<BTreeSet<(TenantId, Timestamp)>>,
}

impl Scheduler for Unread {
    fn schedule<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        self.calls.lock().unwrap().push(at);
        self.messages.lock().unwrap().insert((tenant.clone(), at));
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn sweeps_send_one_wake_up_and_do_not_wait_for_one_that_nobody_receives() {
    let fixture = Fixture::new(Speed::Max).await;
    let unread = Arc::<Unread>::default();
    let ports = Ports { scheduler: unread.clone(), ..fixture.ports.clone() };
    let ids = sign_up(&ports, 1).await;
    let due_at = ports.store.load(&ids[0]).await.unwrap().unwrap().value.due_at.unwrap();
    let reconciler = Reconciler::new(ports.clone(), Settings::azure("local"), "worker");
    fixture.clock.pass(Duration::from_secs(20));
    // Sweeps while the wake-up may still arrive.
    for _ in 0..10 {
        assert_eq!(reconciler.sweep().await.unwrap().woken, 1);
        fixture.clock.pass(Duration::from_secs(10));
    }
    assert_eq!(*unread.messages.lock().unwrap(), BTreeSet::from([(ids[0].clone(), due_at)]));
    fixture.clock.pass(Duration::from_secs(60));
    let swept = reconciler.sweep().await.unwrap();
    assert_eq!((swept.woken, swept.reconciled), (0, 1), "{swept:?}");
    // A quarter of an hour of sweeps: one message for each due time.
    for _ in 0..15 {
        fixture.clock.pass(Duration::from_secs(60));
        let _swept = reconciler.sweep().await.unwrap();
    }
    assert_eq!(status(&ports, ids[0].as_str()).await, Status::Active);
    let (calls, messages) = (unread.calls.lock().unwrap().clone(), unread.messages.lock().unwrap().len());
    let instants: BTreeSet<Timestamp> = calls.iter().copied().collect();
    assert_eq!(messages, instants.len());
    assert!(messages <= 6, "{messages} messages: {instants:?}");
}

#[tokio::test]
async fn a_sweep_ends_its_passes_in_time_whatever_their_budget() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let ports = Ports { scheduler: Arc::new(NoScheduler), ..fixture.ports.clone() };
    let body = signup("contoso").to_string();
    let taken = Fixture::intake(&ports, &blueprint(DEFAULT)).take_in(body.as_bytes()).await.unwrap();
    let id = taken.tenant_id.unwrap();
    // A budget beyond any host's timeout.
    let settings =
        Settings { budget: Duration::from_secs(200), overdue: Duration::ZERO, ..Settings::azure("local") };
    let reconciler = Reconciler::new(ports.clone(), settings, "worker");
    let begun = fixture.clock.now();
    let swept = reconciler.sweep().await.unwrap();
    let took = Duration::try_from(fixture.clock.now().duration_since(begun)).unwrap();
    assert_eq!(swept.reconciled, 1);
    assert!(took < Duration::from_secs(60), "it waited in place for {took:?}");
    let tenant = ports.store.load(&id).await.unwrap().unwrap().value;
    assert!(tenant.lease().is_none() && tenant.due_at.is_some(), "{:?}", tenant.status);
    assert!(matches!(reconciler.reconcile(&id).await.unwrap(), Progress::Requeued(_) | Progress::Settled(_)));
}
