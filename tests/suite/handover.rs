//! From one worker to the next: a process that is told to end takes nothing new and leaves what is under way in a state
//! from which others go on at once; after one that is dead they go on when its lease has ended.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use azure_sim::Speed;
use futures_util::future::{BoxFuture, join, join_all, pending};
use jiff::Timestamp;
use tenantry::{
    host::{Answer, Functions, Invocation, bind, serve, server::FAREWELL},
    ports::{Alarm, Clock, Wire, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    steps::{Failure, Reply, Request},
};
use tokio::sync::Notify;

use crate::testkit::{
    gremlin::{Gremlin, Trouble},
    lab::Lab,
    signup,
};

/// Waits in place have no end here; who waits is told of it.
struct Endless {
    now: Timestamp,
    waits: Arc<Notify>,
}

impl Clock for Endless {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.waits.notify_one();
            pending::<()>().await;
        })
    }
}

/// Every look is refused a few times, for a minute each; it is noted whether the tenant is still the asker's by then.
struct Refusing {
    world: World,
    id: TenantId,
    begun: Timestamp,
    left: AtomicUsize,
    lost: AtomicUsize,
}

impl Wire for Refusing {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let now = self.world.clock.now();
            let lease = self.world.store.load(&self.id).await.unwrap().unwrap().value.lease().cloned();
            let is_held = lease.is_some_and(|lease| lease.until > now);
            if !is_held && now > self.begun + Settings::azure("local").lease {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            let once_less = |left: usize| left.checked_sub(1);
            if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, once_less).is_err() {
                return self.world.wire.send(request).await;
            }
            let headers = [("retry-after".to_owned(), "60".to_owned())].into();
            Ok(Reply { status: 429, headers, ..Reply::default() })
        })
    }
}

#[tokio::test]
async fn a_drive_that_waits_in_place_keeps_its_tenant_for_as_long() {
    let lab = Lab::new(Speed::Max).await;
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup("contoso").to_string();
    let id = Lab::intake(&lab.world, &blueprint).take_in(body.as_bytes()).await.unwrap().tenant_id.unwrap();
    let wire = Arc::new(Refusing {
        world: lab.world.clone(),
        id: id.clone(),
        begun: lab.world.clock.now(),
        left: AtomicUsize::new(12),
        lost: AtomicUsize::new(0),
    });
    let world = World { wire: wire.clone(), ..lab.world.clone() };
    let patient = Settings { budget: Duration::from_secs(3600), ..Settings::azure("local") };
    let _ = Reconciler::new(world, patient, "patient").reconcile(&id).await.unwrap();
    assert!(lab.world.clock.now() > wire.begun + Duration::from_secs(300), "nothing was waited for");
    assert_eq!(wire.lost.load(Ordering::Relaxed), 0, "it went on after its lease had ended");
}

#[tokio::test]
async fn a_drive_that_waits_in_place_parks_its_tenant_for_others() {
    let lab = Lab::new(Speed::Factor(0.01)).await;
    let waits = Arc::new(Notify::new());
    let clock = Arc::new(Endless { now: lab.world.clock.now(), waits: Arc::clone(&waits) });
    let world = World { clock, ..lab.world.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup("contoso").to_string();
    let id = Lab::intake(&world, &blueprint).take_in(body.as_bytes()).await.unwrap().tenant_id.unwrap();

    let patient = Settings { budget: Duration::from_secs(3600 * 24 * 300), ..Settings::azure("local") };
    let reconciler = Arc::new(Reconciler::new(world, patient, "told"));
    let drive = tokio::spawn({
        let (reconciler, id) = (Arc::clone(&reconciler), id.clone());
        async move { reconciler.reconcile(&id).await.unwrap() }
    });
    waits.notified().await;
    reconciler.wind_down();
    assert!(matches!(drive.await.unwrap(), Progress::Parked(_)));
    let tenant = lab.world.store.load(&id).await.unwrap().unwrap().value;
    assert_eq!(tenant.lease(), None, "nobody has to wait for the end of a lease");
    assert!(tenant.due_at.is_some());

    let again = reconciler.reconcile(&id).await.unwrap();
    assert!(matches!(again, Progress::Parked(_)), "{again:?}");
    let journal = lab.sim("journal").await;
    let before = journal.as_array().unwrap().len();
    assert!(matches!(reconciler.reconcile(&id).await.unwrap(), Progress::Parked(_)));
    let journal = lab.sim("journal").await;
    assert_eq!(journal.as_array().unwrap().len(), before, "nothing new is begun");
}

/// Remembers for when wake-ups were asked.
#[derive(Default)]
struct Notebook(Mutex<Vec<Timestamp>>);

impl Alarm for Notebook {
    fn wake<'a>(&'a self, _: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        self.0.lock().unwrap().push(at);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn whoever_finds_another_at_work_comes_again_when_that_ones_lease_ends() {
    let lab = Lab::new(Speed::Max).await;
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup("contoso").to_string();
    let id = Lab::intake(&lab.world, &blueprint).take_in(body.as_bytes()).await.unwrap().tenant_id.unwrap();
    let gremlin = Gremlin::new(Trouble::DeathBeforeChange, 1);
    let mortal = Reconciler::new(gremlin.haunt(&lab.world), Settings::azure("local"), "mortal");
    assert!(gremlin.mortal(mortal.reconcile(&id)).await.is_none());

    let notebook = Arc::<Notebook>::default();
    let world = World { alarm: notebook.clone(), ..lab.world.clone() };
    let held = Reconciler::new(world, Settings::azure("local"), "next").reconcile(&id).await.unwrap();
    let lease = lab.world.store.load(&id).await.unwrap().unwrap().value.lease().cloned().unwrap();
    let ended = lease.until + Settings::azure("local").skew;
    assert_eq!(held, Progress::Held(ended));
    assert_eq!(*notebook.0.lock().unwrap(), [ended]);
}

/// A wire that lets nobody through: all who ask wait, and then all are told that nothing was sent.
#[derive(Default)]
struct Jam {
    waiting: AtomicUsize,
    over: Notify,
}

impl Wire for Jam {
    fn send(&self, _: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let over = self.over.notified();
            self.waiting.fetch_add(1, Ordering::SeqCst);
            over.await;
            Err(Failure::not_sent("there was no connection"))
        })
    }
}

#[tokio::test]
async fn many_who_ask_in_vain_at_the_same_time_count_as_one() {
    let lab = Lab::new(Speed::Max).await;
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup("contoso").to_string();
    let id = Lab::intake(&lab.world, &blueprint).take_in(body.as_bytes()).await.unwrap().tenant_id.unwrap();
    let load = async || lab.world.store.load(&id).await.unwrap().unwrap().value;
    let roots = load().await.plan.steps.values().filter(|step| step.needs.is_empty()).count();

    let jam = Arc::<Jam>::default();
    // What fails is parked at once, not waited for.
    let settings = Settings { budget: Duration::ZERO, ..Settings::azure("local") };
    let many = usize::try_from(settings.policy.max_failures).unwrap() + 2;
    let world = World { wire: jam.clone(), ..lab.world.clone() };
    let reconcilers: Vec<Reconciler> =
        (0..many).map(|n| Reconciler::new(world.clone(), settings.clone(), format!("worker-{n}"))).collect();
    let all_wait = async {
        while jam.waiting.load(Ordering::SeqCst) < many * roots {
            tokio::task::yield_now().await;
        }
        jam.over.notify_waiters();
    };
    let (ends, ()) =
        join(join_all(reconcilers.iter().map(|reconciler| reconciler.reconcile(&id))), all_wait).await;
    assert!(ends.iter().all(|end| matches!(end, Ok(Progress::Parked(_) | Progress::Held(_)))), "{ends:?}");
    for (name, record) in load().await.steps() {
        assert!(record.effort().failures <= 1 && record.state.halted().is_none(), "{name}: {record:#?}");
    }
}

/// A function that never comes to its end.
struct Stuck(Arc<Notify>);

impl Functions for Stuck {
    fn call(&self, _: Invocation) -> BoxFuture<'_, Answer> {
        self.0.notify_one();
        Box::pin(pending())
    }
}

#[tokio::test]
async fn a_function_that_does_not_end_is_not_waited_for() {
    let (listener, begun) = (bind(0).await.unwrap(), Arc::new(Notify::new()));
    let url = format!("http://{}/sweep", listener.local_addr().unwrap());
    let stop = Arc::new(Notify::new());
    let told = Arc::clone(&stop);
    let served =
        tokio::spawn(serve(listener, Arc::new(Stuck(begun.clone())), async move { told.notified().await }));
    let body = r#"{"Data":{"timer":{}},"Metadata":{}}"#;
    let call = tokio::spawn(reqwest::Client::new().post(&url).body(body).send());
    begun.notified().await;
    // From here on the only thing that passes is time.
    tokio::time::pause();
    let at = tokio::time::Instant::now();
    stop.notify_one();
    served.await.unwrap().unwrap();
    assert_eq!(at.elapsed().as_secs(), FAREWELL.as_secs());
    tokio::time::resume();
    drop(call);
    let refused = reqwest::Client::new().post(&url).body(body).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
}
