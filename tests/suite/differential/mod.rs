//! Proves that tenants do not affect each other: a tenant's lifecycle is run alone, and then beside equally busy
//! neighbours that have similar ids and, in the tier `pooled`, share its workspace. All that is visible of the tenant
//! (the requests to Azure, every saved row, history, events, HTTP answers) has to be the same, in the same order, byte
//! for byte.
//!
//! The tenant and its neighbours run interleaved in one thread, and the seed chooses which one continues before each
//! request and each save. Time stands still until nothing is left to do at the present instant, so that all times are
//! the same as well.

#![expect(clippy::print_stderr, reason = "the test prints its numbers")]

mod life;
mod ports;
mod script;
mod trace;

use crate::testkit::thorough;
use life::live;
use ports::Leak;
use trace::{Kind, Trace, difference};

/// How many interleavings are tried for each tier; the nightly run tries more.
fn seeds() -> u64 {
    if thorough() { 6 } else { 2 }
}

/// Asserts that a lifecycle is complete; otherwise the comparison proves nothing.
#[track_caller]
fn assert_lifecycle_is_complete(trace: &Trace, context: &str) {
    for (kind, least) in
        [(Kind::Request, 60), (Kind::Row, 60), (Kind::History, 15), (Kind::Event, 15), (Kind::Answer, 20)]
    {
        let seen = trace.count(kind);
        assert!(seen >= least, "{context}: only {seen} of {kind:?}");
    }
    for outcome in [
        "provision.succeeded",
        "provision.failed",
        "update.succeeded",
        "suspend.succeeded",
        "deprovision.succeeded",
    ] {
        assert!(trace.mentions(outcome), "{context}: nothing of {outcome}");
    }
}

/// Compares the lifecycle of a tenant of this tier alone with the same lifecycle beside neighbours, in several
/// interleavings.
async fn assert_same_beside_neighbours(tier: &str) {
    let alone = live(tier, None, Leak::None).await.tenant;
    assert_lifecycle_is_complete(&alone, tier);
    let mut switches = 0;
    let seeds = seeds();
    for seed in 0..seeds {
        let context = format!("{tier}, seed {seed}");
        let lived = live(tier, Some(seed), Leak::None).await;
        if let Some(difference) = difference(&alone, &lived.tenant) {
            panic!("{context}: {difference}");
        }
        // The neighbours have run complete lifecycles as well.
        assert_lifecycle_is_complete(&lived.neighbours, &format!("{context}, the neighbours"));
        switches += lived.switches;
        for neighbour in script::NEIGHBOURS {
            assert!(lived.neighbours.mentions(neighbour), "{context}: nothing of {neighbour}");
            assert!(
                !lived.tenant.mentions(&format!("\"{neighbour}\"")),
                "{context}: {neighbour} is in the tenant's life"
            );
        }
    }
    eprintln!("{tier}: {} entries, {seeds} interleavings, {switches} switches", alone.len());
    assert!(switches > 100 * seeds, "{tier}: the lives were hardly interleaved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_tenant_is_the_same_beside_neighbours() {
    assert_same_beside_neighbours("dedicated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooled_tenant_is_the_same_whoever_shares_its_workspace() {
    assert_same_beside_neighbours("pooled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_gives_the_same_traces() {
    let (once, again) =
        (live("pooled", Some(3), Leak::None).await, live("pooled", Some(3), Leak::None).await);
    assert_eq!(difference(&once.tenant, &again.tenant), None);
    assert_eq!(difference(&once.neighbours, &again.neighbours), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_leak_is_found() {
    let alone = live("pooled", None, Leak::None).await.tenant;
    let leaks = [
        (Leak::Row, Kind::Row),
        (Leak::Request, Kind::Request),
        (Leak::Event, Kind::Event),
        (Leak::Time, Kind::Row),
    ];
    for (leak, kind) in leaks {
        let beside = live("pooled", Some(1), leak).await.tenant;
        let found = difference(&alone, &beside).unwrap_or_else(|| panic!("{leak:?} was not found"));
        assert!(found.starts_with(&format!("{kind:?}")), "{leak:?}: {found}");
    }
}
