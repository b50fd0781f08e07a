//! A sweep gets going whatever is due, whether or not anybody can be woken, and is through before the host loses its
//! patience.

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
    azure::service_bus::NoAlarm,
    host::{Answer, Functions as _, Invocation, Timer, Trigger, functions::Function},
    ports::{Alarm, Clock as _, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    steps::Failure,
    tenant::Status,
};

use crate::testkit::{lab::Lab, request, signup};

const HELLO: &str = include_str!("../../../blueprints/hello.yaml");

fn blueprint(text: &str) -> Blueprint {
    Blueprint::check(text).unwrap().blueprint
}

fn app(world: World, settings: Settings) -> App {
    App::new(world, settings, vec![blueprint(DEFAULT)], vec![local_stamp()], "worker")
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

async fn status(world: &World, id: &str) -> Status {
    world.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value.status
}

#[tokio::test]
async fn the_sweep_alone_brings_a_tenant_through_its_whole_life() {
    let lab = Lab::new(Speed::Factor(20.0)).await;
    let world = World { alarm: Arc::new(NoAlarm), ..lab.world.clone() };
    // As `serve` sets it for TENANTRY_WAKEUPS=sweep.
    let settings = Settings { overdue: Duration::ZERO, ..Settings::azure("local") };
    let app = app(world.clone(), settings);
    let removal = request("remove", "deprovision", "tailspin", json!({"gracePeriod": "PT0S"}));
    for (body, wanted) in [(signup("tailspin"), Status::Active), (removal, Status::Deleted)] {
        assert_eq!(post(&app, &body).await, 202);
        let mut sweeps = 0;
        while status(&world, "tailspin").await != wanted {
            sweeps += 1;
            assert!(sweeps <= 60, "still {:?}", status(&world, "tailspin").await);
            assert!(matches!(tick(&app).await, Answer::Done { .. }));
            lab.clock.pass(Duration::from_secs(60));
        }
    }
}

/// Nobody takes what is sent, and each try costs what a time limit does.
struct Unreachable(Arc<crate::testkit::lab::Jumping>);

impl Alarm for Unreachable {
    fn wake<'a>(&'a self, _: &'a TenantId, _: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async {
            self.0.pass(Duration::from_millis(500));
            Err(Failure::not_sent("Service Bus is away"))
        })
    }
}

/// Signs tenants up and leaves them to whoever comes.
async fn sign_up(world: &World, count: usize) -> Vec<TenantId> {
    let intake = Lab::intake(world, &blueprint(HELLO));
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
async fn a_sweep_without_service_bus_is_bounded_and_the_rest_is_left_to_the_next() {
    let lab = Lab::new(Speed::Factor(10.0)).await;
    let world = World { alarm: Arc::new(Unreachable(lab.clock.clone())), ..lab.world.clone() };
    let ids = sign_up(&world, 40).await;
    lab.clock.pass(Duration::from_secs(20));
    let reconciler = Reconciler::new(world.clone(), Settings::azure("local"), "worker");
    let (mut longest, mut sweeps) = (Duration::ZERO, 0);
    loop {
        let begun = lab.clock.now();
        let swept = reconciler.sweep().await.unwrap();
        longest = longest.max(Duration::try_from(lab.clock.now().duration_since(begun)).unwrap());
        assert_eq!((swept.woken, swept.failed), (0, 0), "{swept:?}");
        sweeps += 1;
        let mut active = 0;
        for id in &ids {
            active += usize::from(status(&world, id.as_str()).await == Status::Active);
        }
        if active == ids.len() {
            break;
        }
        assert!(sweeps < 60, "{active} of {} are active; the last sweep: {swept:?}", ids.len());
        lab.clock.pass(Duration::from_secs(60));
    }
    assert!(longest < Duration::from_secs(300), "one sweep took {longest:?}");
}

/// A queue with duplicate detection whose messages nobody takes.
#[derive(Default)]
struct Unread {
    calls: Mutex<Vec<Timestamp>>,
    messages: Mutex<BTreeSet<(TenantId, Timestamp)>>,
}

impl Alarm for Unread {
    fn wake<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        self.calls.lock().unwrap().push(at);
        self.messages.lock().unwrap().insert((tenant.clone(), at));
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn sweeps_ask_for_one_wake_up_and_do_not_wait_for_one_that_nobody_takes() {
    let lab = Lab::new(Speed::Max).await;
    let unread = Arc::<Unread>::default();
    let world = World { alarm: unread.clone(), ..lab.world.clone() };
    let ids = sign_up(&world, 1).await;
    let due_at = world.store.load(&ids[0]).await.unwrap().unwrap().value.due_at.unwrap();
    let reconciler = Reconciler::new(world.clone(), Settings::azure("local"), "worker");
    lab.clock.pass(Duration::from_secs(20));
    // As often as sweeps find it while a wake-up may be on its way.
    for _ in 0..10 {
        assert_eq!(reconciler.sweep().await.unwrap().woken, 1);
        lab.clock.pass(Duration::from_secs(10));
    }
    assert_eq!(*unread.messages.lock().unwrap(), BTreeSet::from([(ids[0].clone(), due_at)]));
    lab.clock.pass(Duration::from_secs(60));
    let swept = reconciler.sweep().await.unwrap();
    assert_eq!((swept.woken, swept.driven), (0, 1), "{swept:?}");
    // A quarter of an hour of sweeps: what was asked for is as much as there were instants to be woken at.
    for _ in 0..15 {
        lab.clock.pass(Duration::from_secs(60));
        let _swept = reconciler.sweep().await.unwrap();
    }
    assert_eq!(status(&world, ids[0].as_str()).await, Status::Active);
    let (calls, messages) = (unread.calls.lock().unwrap().clone(), unread.messages.lock().unwrap().len());
    let instants: BTreeSet<Timestamp> = calls.iter().copied().collect();
    assert_eq!(messages, instants.len());
    assert!(messages <= 6, "{messages} messages: {instants:?}");
}

#[tokio::test]
async fn a_drive_begins_nothing_more_after_its_time() {
    let lab = Lab::new(Speed::Factor(1.0)).await;
    let world = World { alarm: Arc::new(NoAlarm), ..lab.world.clone() };
    let body = signup("contoso").to_string();
    let taken = Lab::intake(&world, &blueprint(DEFAULT)).take_in(body.as_bytes()).await.unwrap();
    let id = taken.tenant_id.unwrap();
    // Patience that no host has.
    let settings =
        Settings { budget: Duration::from_secs(200), overdue: Duration::ZERO, ..Settings::azure("local") };
    let reconciler = Reconciler::new(world.clone(), settings, "worker");
    let begun = lab.clock.now();
    let swept = reconciler.sweep().await.unwrap();
    let took = Duration::try_from(lab.clock.now().duration_since(begun)).unwrap();
    assert_eq!(swept.driven, 1);
    assert!(took < Duration::from_secs(60), "it waited in place for {took:?}");
    let tenant = world.store.load(&id).await.unwrap().unwrap().value;
    assert!(tenant.lease().is_none() && tenant.due_at.is_some(), "{:?}", tenant.status);
    assert!(matches!(reconciler.reconcile(&id).await.unwrap(), Progress::Parked(_) | Progress::Settled(_)));
}
