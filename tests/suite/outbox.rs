//! Subscribers that can't be reached: how soon, and how often, they are told again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use azure_sim::Speed;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;
use tenantry::{
    ports::{Announcer, Clock, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::Blueprint,
    steps::Failure,
    tenant::{CloudEvent, Status},
};

use crate::testkit::lab::{Lab, Subscribers};

/// Subscribers that do not answer until some instant.
struct Silent {
    until: Timestamp,
    clock: Arc<dyn Clock>,
    asked: AtomicUsize,
    behind: Arc<Subscribers>,
}

impl Announcer for Silent {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.clock.now() < self.until {
                return Err(Failure::not_sent("nobody is there"));
            }
            self.behind.publish(events).await
        })
    }
}

/// Signs a tenant up while subscribers are silent for a span. Says how long after the silence the last event was told,
/// and how often it was tried.
async fn silence(span: Duration) -> (Duration, usize) {
    let lab = Lab::new(Speed::Max).await;
    let until = lab.clock.now() + span;
    let clock: Arc<dyn Clock> = lab.clock.clone();
    let silent =
        Arc::new(Silent { until, clock, asked: AtomicUsize::new(0), behind: lab.subscribers.clone() });
    let world = World { announcer: silent.clone(), ..lab.world.clone() };
    let blueprint = Blueprint::check(include_str!("../../blueprints/hello.yaml")).unwrap().blueprint;
    let body = json!({
        "schema": "tenantry.request/1", "requestId": "r", "action": "signup", "tenantId": "contoso",
        "spec": {"displayName": "Contoso", "tier": "dedicated"},
    });
    let answer = Lab::intake(&world, &blueprint).take_in(body.to_string().as_bytes()).await.unwrap();
    let id = answer.tenant_id.unwrap_or_else(|| panic!("{:?}", answer.faults));
    let reconciler = Reconciler::new(world, Settings::azure("local"), "worker");
    let mut progress = reconciler.reconcile(&id).await.unwrap();
    while let Progress::Parked(at) = progress {
        lab.clock.jump_to(at);
        progress = reconciler.reconcile(&id).await.unwrap();
    }
    assert_eq!(progress, Progress::Settled(Status::Active));
    let told = lab.subscribers.told();
    assert!(told.iter().any(|event| event["type"] == "io.tenantry.tenant.provision.succeeded.v1"));
    let late = lab.clock.now().duration_since(until);
    (Duration::try_from(late).unwrap_or_default(), silent.asked.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_moment_of_silence_costs_a_moment() {
    let (late, _) = silence(Duration::from_secs(3)).await;
    assert!(late < Duration::from_secs(10), "told {late:?} later");
}

#[tokio::test]
async fn a_day_of_silence_costs_few_attempts_and_no_event() {
    let day = Duration::from_secs(24 * 3600);
    let (late, asked) = silence(day).await;
    assert!(late < Duration::from_secs(90), "told {late:?} later");
    assert!(asked < 1300, "asked {asked} times");
}
