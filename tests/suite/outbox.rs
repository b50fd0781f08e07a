//! Subscribers that can't be reached: how soon, and how often, publishing is tried again.

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
    ports::{Clock, Ports, Publisher},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::Blueprint,
    steps::Failure,
    tenant::{CloudEvent, Status},
};

use crate::testkit::fixture::{Fixture, Subscribers};

/// A publisher whose subscribers can't be reached before an instant.
struct Unreachable {
    until: Timestamp,
    clock: Arc<dyn Clock>,
    asked: AtomicUsize,
    behind: Arc<Subscribers>,
}

impl Publisher for Unreachable {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            if self.clock.now() < self.until {
                return Err(Failure::not_sent("no subscriber answers"));
            }
            self.behind.publish(events).await
        })
    }
}

/// Signs a tenant up while subscribers can't be reached for `span`. Returns how long after the outage the last event
/// was published, and how many attempts there were.
async fn outage(span: Duration) -> (Duration, usize) {
    let fixture = Fixture::new(Speed::Max).await;
    let until = fixture.clock.now() + span;
    let clock: Arc<dyn Clock> = fixture.clock.clone();
    let unreachable = Arc::new(Unreachable {
        until,
        clock,
        asked: AtomicUsize::new(0),
        behind: fixture.subscribers.clone(),
    });
    let ports = Ports { publisher: unreachable.clone(), ..fixture.ports.clone() };
    let blueprint = Blueprint::check(include_str!("../../blueprints/hello.yaml")).unwrap().blueprint;
    let body = json!({
        "schema": "tenantry.request/1", "requestId": "r", "action": "signup", "tenantId": "contoso",
        "spec": {"displayName": "Contoso", "tier": "dedicated"},
    });
    let answer = Fixture::intake(&ports, &blueprint).take_in(body.to_string().as_bytes()).await.unwrap();
    let id = answer.tenant_id.unwrap_or_else(|| panic!("{:?}", answer.faults));
    let reconciler = Reconciler::new(ports, Settings::azure("local"), "worker");
    let mut progress = reconciler.reconcile(&id).await.unwrap();
    while let Progress::Requeued(at) = progress {
        fixture.clock.jump_to(at);
        progress = reconciler.reconcile(&id).await.unwrap();
    }
    assert_eq!(progress, Progress::Settled(Status::Active));
    let events = fixture.subscribers.published();
    assert!(events.iter().any(|event| event["type"] == "io.tenantry.tenant.provision.succeeded.v1"));
    let late = fixture.clock.now().duration_since(until);
    (Duration::try_from(late).unwrap_or_default(), unreachable.asked.load(Ordering::SeqCst))
}

#[tokio::test]
async fn after_a_short_outage_events_are_published_soon() {
    let (late, _) = outage(Duration::from_secs(3)).await;
    assert!(late < Duration::from_secs(10), "published {late:?} later");
}

#[tokio::test]
async fn an_outage_of_a_day_costs_few_attempts_and_no_event() {
    let day = Duration::from_secs(24 * 3600);
    let (late, asked) = outage(day).await;
    assert!(late < Duration::from_secs(90), "published {late:?} later");
    assert!(asked < 1300, "{asked} attempts");
}
