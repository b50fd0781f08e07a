//! How often a tenant's document is saved. Each save is a round trip to Table Storage and costs money.

#![expect(clippy::print_stderr, reason = "it prints the number of saves")]

use std::{sync::Arc, time::Duration};

use azure_sim::Speed;
use tenantry::{
    ports::{Ports, SystemClock},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    tenant::Status,
};

use crate::testkit::{
    fixture::Fixture,
    injector::{Fault, FaultInjector},
    signup,
};

/// Signs a sample tenant up and reconciles it in one pass. Returns the number of saves, and how many are allowed.
async fn saves_of(sample: &str) -> (usize, usize) {
    let fixture = Fixture::new(Speed::Max).await;
    let counting = FaultInjector::new(Fault::None, 0);
    // Uses the real time, because answers that arrive within the gather interval are saved together.
    let ports = Ports { clock: Arc::new(SystemClock), ..counting.inject(&fixture.ports) };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let answer =
        Fixture::intake(&ports, &blueprint).take_in(signup(sample).to_string().as_bytes()).await.unwrap();
    let id = answer.tenant_id.unwrap();
    // The gather interval is that of Azure, and the wait budget is so long that nothing is requeued.
    let gather = Settings::azure("local").gather;
    let settings = Settings { budget: Duration::from_secs(60), gather, ..Settings::local("local") };
    let progress = Reconciler::new(ports.clone(), settings, "counted").reconcile(&id).await.unwrap();
    assert_eq!(progress, Progress::Settled(Status::Active));
    let depth = ports.store.load(&id).await.unwrap().unwrap().value.plan.depth();
    let saves = counting.saves();
    eprintln!("{sample}: {saves} saves, a graph {depth} deep, {} allowed", 2 * depth + 4);
    (saves, 2 * depth + 4)
}

#[tokio::test]
async fn a_dedicated_tenant_is_saved_at_most_twice_per_level_and_four_times_more() {
    for sample in ["contoso", "fabrikam"] {
        let (saves, allowed) = saves_of(sample).await;
        assert!(saves <= allowed, "{saves} saves of {sample}, more than {allowed}");
    }
}

#[tokio::test]
async fn a_pooled_tenant_is_saved_at_most_twice_per_level_and_four_times_more() {
    let (saves, allowed) = saves_of("tailspin").await;
    assert!(saves <= allowed, "{saves} saves, more than {allowed}");
}
