//! How often a tenant's document is saved: each save is a round trip to Table Storage, and costs.

#![expect(clippy::print_stderr, reason = "it says its numbers")]

use std::{sync::Arc, time::Duration};

use azure_sim::Speed;
use tenantry::{
    ports::{SystemClock, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    tenant::Status,
};

use crate::testkit::{
    gremlin::{Gremlin, Trouble},
    lab::Lab,
    signup,
};

/// Signs a sample up and brings it to its end in one drive; returns the saves, and those allowed.
async fn saves_of(sample: &str) -> (usize, usize) {
    let lab = Lab::new(Speed::Max).await;
    let counting = Gremlin::new(Trouble::None, 0);
    // Real time, for answers that belong together are gathered within it.
    let world = World { clock: Arc::new(SystemClock), ..counting.haunt(&lab.world) };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let answer =
        Lab::intake(&world, &blueprint).take_in(signup(sample).to_string().as_bytes()).await.unwrap();
    let id = answer.tenant_id.unwrap();
    // As in Azure, and so long a budget that nothing is parked.
    let gather = Settings::azure("local").gather;
    let settings = Settings { budget: Duration::from_secs(60), gather, ..Settings::local("local") };
    let progress = Reconciler::new(world.clone(), settings, "counted").reconcile(&id).await.unwrap();
    assert_eq!(progress, Progress::Settled(Status::Active));
    let depth = world.store.load(&id).await.unwrap().unwrap().value.plan.depth();
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
