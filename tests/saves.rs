//! How often a tenant's document is saved: each save is a round trip to Table Storage, and costs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says its numbers"
)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{lab::Lab, signup};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::{
    announce::HistoryRow,
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    local::cloud::Speed,
    ports::{Due, ETag, RequestRecord, StateStore, StoreError, Stored, SystemClock, World},
    runner::{Progress, Runner, Settings},
    tenant::{Status, Tenant},
};

/// Counts the saves of documents on their way to a store.
struct Counting {
    store: Arc<dyn StateStore>,
    saves: AtomicUsize,
}

impl StateStore for Counting {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        self.store.load(id)
    }
    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.store.save(tenant, seen)
    }
    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Tenant>, StoreError>> {
        self.store.list(after, limit)
    }
    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        self.store.request(key)
    }
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.store.save_request(record, seen)
    }
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        self.store.due(now, limit)
    }
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.append(rows)
    }
    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        self.store.history(id, limit)
    }
}

/// Signs a sample up and brings it to its end in one drive; returns the saves, and those allowed.
async fn saves_of(sample: &str) -> (usize, usize) {
    let lab = Lab::new(Speed::Max).await;
    let counting = Arc::new(Counting { store: lab.world.store.clone(), saves: AtomicUsize::new(0) });
    // Real time, for answers that belong together are gathered within it.
    let world = World { store: counting.clone(), clock: Arc::new(SystemClock), ..lab.world.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let answer =
        Lab::intake(&world, &blueprint).take_in(signup(sample).to_string().as_bytes()).await.unwrap();
    let id = answer.tenant_id.unwrap();
    // As in Azure, and so long a budget that nothing is parked.
    let gather = Settings::azure("local").gather;
    let settings = Settings { budget: Duration::from_secs(60), gather, ..Settings::local("local") };
    let progress = Runner::new(world.clone(), settings, "counted").drive(&id).await.unwrap();
    assert_eq!(progress, Progress::Settled(Status::Active));
    let depth = world.store.load(&id).await.unwrap().unwrap().value.plan.depth();
    let saves = counting.saves.load(Ordering::SeqCst);
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
