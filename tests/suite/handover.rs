//! Workers continue the work of others. A draining process starts nothing new and releases its leases, so that another
//! worker continues at once; after a crash another worker continues when the lease has ended.

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
    host::{Answer, Functions, Invocation, bind, serve, server::SHUTDOWN_GRACE},
    ports::{Clock, Ports, Scheduler, Transport},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    steps::{Failure, Reply, Request},
};
use tokio::sync::Notify;

use crate::testkit::{
    fixture::Fixture,
    injector::{Fault, FaultInjector},
    signup,
};

/// A clock that does not move: a wait on it never ends, and notifies `waits` when it begins.
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

/// A transport that refuses the first `left` requests with a pause of a minute, and counts in `lost` the requests that
/// are sent after the worker's lease has ended.
struct Refusing {
    ports: Ports,
    id: TenantId,
    begun: Timestamp,
    left: AtomicUsize,
    lost: AtomicUsize,
}

impl Transport for Refusing {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let now = self.ports.clock.now();
            let lease = self.ports.store.load(&self.id).await.unwrap().unwrap().value.lease().cloned();
            let is_held = lease.is_some_and(|lease| lease.until > now);
            if !is_held && now > self.begun + Settings::azure("local").lease {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            let once_less = |left: usize| left.checked_sub(1);
            if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, once_less).is_err() {
                return self.ports.transport.send(request).await;
            }
            let headers = [("retry-after".to_owned(), "60".to_owned())].into();
            Ok(Reply { status: 429, headers, ..Reply::default() })
        })
    }
}

/// Signs a tenant up without reconciling it.
async fn signed_up(ports: &Ports) -> TenantId {
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup("contoso").to_string();
    let answer = Fixture::intake(ports, &blueprint).take_in(body.as_bytes()).await.unwrap();
    answer.tenant_id.unwrap()
}

#[tokio::test]
async fn a_pass_that_waits_keeps_its_lease() {
    let fixture = Fixture::new(Speed::Max).await;
    let id = signed_up(&fixture.ports).await;
    let transport = Arc::new(Refusing {
        ports: fixture.ports.clone(),
        id: id.clone(),
        begun: fixture.ports.clock.now(),
        left: AtomicUsize::new(12),
        lost: AtomicUsize::new(0),
    });
    let ports = Ports { transport: transport.clone(), ..fixture.ports.clone() };
    let settings = Settings { budget: Duration::from_secs(3600), ..Settings::azure("local") };
    let _ = Reconciler::new(ports, settings, "waiting").reconcile(&id).await.unwrap();
    assert!(fixture.ports.clock.now() > transport.begun + Duration::from_secs(300), "nothing was waited for");
    assert_eq!(transport.lost.load(Ordering::Relaxed), 0, "it continued after its lease had ended");
}

#[tokio::test]
async fn a_draining_pass_that_waits_requeues_its_tenant() {
    let fixture = Fixture::new(Speed::Factor(0.01)).await;
    let waits = Arc::new(Notify::new());
    let clock = Arc::new(Endless { now: fixture.ports.clock.now(), waits: Arc::clone(&waits) });
    let ports = Ports { clock, ..fixture.ports.clone() };
    let id = signed_up(&ports).await;

    let settings = Settings { budget: Duration::from_secs(3600 * 24 * 300), ..Settings::azure("local") };
    let reconciler = Arc::new(Reconciler::new(ports, settings, "draining"));
    let pass = tokio::spawn({
        let (reconciler, id) = (Arc::clone(&reconciler), id.clone());
        async move { reconciler.reconcile(&id).await.unwrap() }
    });
    waits.notified().await;
    reconciler.drain();
    assert!(matches!(pass.await.unwrap(), Progress::Requeued(_)));
    let tenant = fixture.ports.store.load(&id).await.unwrap().unwrap().value;
    assert_eq!(tenant.lease(), None, "the lease is released");
    assert!(tenant.due_at.is_some());

    let again = reconciler.reconcile(&id).await.unwrap();
    assert!(matches!(again, Progress::Requeued(_)), "{again:?}");
    let journal = fixture.sim("journal").await;
    let before = journal.as_array().unwrap().len();
    assert!(matches!(reconciler.reconcile(&id).await.unwrap(), Progress::Requeued(_)));
    let journal = fixture.sim("journal").await;
    assert_eq!(journal.as_array().unwrap().len(), before, "nothing new is begun");
}

/// Records the times of wake-ups.
#[derive(Default)]
struct Notebook(Mutex<Vec<Timestamp>>);

impl Scheduler for Notebook {
    fn schedule<'a>(&'a self, _: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        self.0.lock().unwrap().push(at);
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_pass_that_finds_a_lease_is_requeued_at_its_end() {
    let fixture = Fixture::new(Speed::Max).await;
    let id = signed_up(&fixture.ports).await;
    let injector = FaultInjector::new(Fault::DeathBeforeChange, 1);
    let mortal = Reconciler::new(injector.inject(&fixture.ports), Settings::azure("local"), "mortal");
    assert!(injector.mortal(mortal.reconcile(&id)).await.is_none());

    let notebook = Arc::<Notebook>::default();
    let ports = Ports { scheduler: notebook.clone(), ..fixture.ports.clone() };
    let held = Reconciler::new(ports, Settings::azure("local"), "next").reconcile(&id).await.unwrap();
    let lease = fixture.ports.store.load(&id).await.unwrap().unwrap().value.lease().cloned().unwrap();
    let ended = lease.until + Settings::azure("local").skew;
    assert_eq!(held, Progress::Held(ended));
    assert_eq!(*notebook.0.lock().unwrap(), [ended]);
}

/// A transport that holds all requests, and then fails them with "nothing was sent".
#[derive(Default)]
struct Jam {
    waiting: AtomicUsize,
    over: Notify,
}

impl Transport for Jam {
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
async fn concurrent_failures_of_many_workers_count_as_one() {
    let fixture = Fixture::new(Speed::Max).await;
    let id = signed_up(&fixture.ports).await;
    let load = async || fixture.ports.store.load(&id).await.unwrap().unwrap().value;
    let roots = load().await.plan.steps.values().filter(|step| step.needs.is_empty()).count();

    let jam = Arc::<Jam>::default();
    // A pass requeues its tenant at once after a failure, and does not wait in place.
    let settings = Settings { budget: Duration::ZERO, ..Settings::azure("local") };
    let many = usize::try_from(settings.policy.max_failures).unwrap() + 2;
    let ports = Ports { transport: jam.clone(), ..fixture.ports.clone() };
    let reconcilers: Vec<Reconciler> =
        (0..many).map(|n| Reconciler::new(ports.clone(), settings.clone(), format!("worker-{n}"))).collect();
    let all_wait = async {
        while jam.waiting.load(Ordering::SeqCst) < many * roots {
            tokio::task::yield_now().await;
        }
        jam.over.notify_waiters();
    };
    let (ends, ()) =
        join(join_all(reconcilers.iter().map(|reconciler| reconciler.reconcile(&id))), all_wait).await;
    assert!(ends.iter().all(|end| matches!(end, Ok(Progress::Requeued(_) | Progress::Held(_)))), "{ends:?}");
    for (name, record) in load().await.steps() {
        assert!(record.effort().failures <= 1 && record.state.blocked().is_none(), "{name}: {record:#?}");
    }
}

/// A function that never ends.
struct Stuck(Arc<Notify>);

impl Functions for Stuck {
    fn call(&self, _: Invocation) -> BoxFuture<'_, Answer> {
        self.0.notify_one();
        Box::pin(pending())
    }
}

#[tokio::test]
async fn a_function_that_does_not_end_delays_shutdown_by_the_grace_period_only() {
    let (listener, begun) = (bind(0).await.unwrap(), Arc::new(Notify::new()));
    let url = format!("http://{}/sweep", listener.local_addr().unwrap());
    let stop = Arc::new(Notify::new());
    let shutdown = Arc::clone(&stop);
    let served =
        tokio::spawn(serve(
            listener,
            Arc::new(Stuck(begun.clone())),
            async move { shutdown.notified().await },
        ));
    let body = r#"{"Data":{"timer":{}},"Metadata":{}}"#;
    let call = tokio::spawn(crate::testkit::client().post(&url).body(body).send());
    begun.notified().await;
    // From here on only the grace period, in virtual time, can end the server.
    tokio::time::pause();
    let at = tokio::time::Instant::now();
    stop.notify_one();
    served.await.unwrap().unwrap();
    assert_eq!(at.elapsed().as_secs(), SHUTDOWN_GRACE.as_secs());
    tokio::time::resume();
    drop(call);
    let refused = crate::testkit::client().post(&url).body(body).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused:?}");
}
