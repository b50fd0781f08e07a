//! Of two tenants, what is one to the other? The same life of one tenant is lived alone, and beside neighbours with
//! nearly its name, in the same shared workspace, with lives as busy as its own. All that is seen of it (the requests to
//! Azure, every row that is saved, history, events, HTTP answers) has to be the same, in the same order, byte for byte.
//!
//! Both lives run in one thread by turns, and the seed says whose turn it is before each request and each save. Time
//! stands still until nobody has anything to do at the present instant, so that all instants are the same as well.

#![expect(clippy::print_stderr, reason = "it says its numbers")]

mod life;
mod script;
mod trace;
mod world;

use crate::testkit::thorough;
use life::live;
use trace::{Kind, Trace, difference};
use world::Leak;

/// How many orders of turns are tried for each tier: all of them each night.
fn seeds() -> u64 {
    if thorough() { 6 } else { 2 }
}

/// What the compared life has to have come to, or the comparison says nothing.
#[track_caller]
fn is_a_whole_life(trace: &Trace, told: &str) {
    for (kind, least) in
        [(Kind::Request, 60), (Kind::Row, 60), (Kind::History, 15), (Kind::Event, 15), (Kind::Answer, 20)]
    {
        let seen = trace.count(kind);
        assert!(seen >= least, "{told}: only {seen} of {kind:?}");
    }
    for word in [
        "provision.succeeded",
        "provision.failed",
        "update.succeeded",
        "suspend.succeeded",
        "deprovision.succeeded",
    ] {
        assert!(trace.mentions(word), "{told}: nothing of {word}");
    }
}

/// Compares a life of this tier alone with the same beside neighbours, in many orders.
async fn is_the_same_beside_neighbours(tier: &str) {
    let alone = live(tier, None, Leak::None).await.tenant;
    is_a_whole_life(&alone, tier);
    let mut turns = 0;
    let seeds = seeds();
    for seed in 0..seeds {
        let told = format!("{tier}, seed {seed}");
        let lived = live(tier, Some(seed), Leak::None).await;
        if let Some(difference) = difference(&alone, &lived.tenant) {
            panic!("{told}: {difference}");
        }
        // The neighbours were really there, and went through all that may happen to a tenant.
        is_a_whole_life(&lived.neighbours, &format!("{told}, the neighbours"));
        turns += lived.changes_of_turn;
        for word in script::NEIGHBOURS {
            assert!(lived.neighbours.mentions(word), "{told}: nothing of {word}");
            assert!(!lived.tenant.mentions(&format!("\"{word}\"")), "{told}: {word} is in the other's life");
        }
    }
    eprintln!("{tier}: {} things seen, {seeds} orders, {turns} changes of turn", alone.len());
    assert!(turns > 100 * seeds, "{tier}: the lives were hardly interleaved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dedicated_tenant_is_the_same_whoever_lives_beside_it() {
    is_the_same_beside_neighbours("dedicated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooled_tenant_is_the_same_whoever_shares_its_workspace() {
    is_the_same_beside_neighbours("pooled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_life_twice_is_the_same() {
    let (once, again) =
        (live("pooled", Some(3), Leak::None).await, live("pooled", Some(3), Leak::None).await);
    assert_eq!(difference(&once.tenant, &again.tenant), None);
    assert_eq!(difference(&once.neighbours, &again.neighbours), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_is_found() {
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
