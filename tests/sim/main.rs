//! The simulator runs the real intake, engine, steps, reconciler, publisher and sweep in one thread at virtual time,
//! against a broker, a store and an Azure that fail in every way that docs/trust.md names. A seed determines the
//! whole scenario.
//!
//! `cargo test --test sim` runs a few seeds. `cargo xtask sim --seeds 10000` runs that many,
//! `cargo xtask sim --seed 4711` runs one and prints its trace.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, prints its numbers, and has its options in environment variables"
)]

mod azure;
mod broker;
mod consent;
mod disruptions;
mod exec;
mod fleet;
mod history;
mod ledger;
mod ports;
mod profile;
#[path = "../suite/testkit/rng.rs"]
#[allow(dead_code, reason = "the fuzzing begins at states of its own")]
mod rng;
mod run;
mod scenario;
mod script;
mod setup;
mod slot;
mod smaller;
mod store;
mod tables;
mod transport;
mod truth;
mod versions;
mod wait_budget;

use fleet::{Sum, shards, show};
use profile::{Plan, Profile};
use run::{CANARY, Cut, Report, run, run_plan};

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of seeds that a plain `cargo test` runs. It builds the simulator without optimisation.
const FEW: u64 = 40;
/// One of this many seeds is run twice.
const TWICE: u64 = 50;
/// The number of seeds that are run with a noisy neighbour, and again with a quiet one.
const NEIGHBOURS: u64 = 2_000;

/// The most seeds for tests whose number is not chosen: `TENANTRY_SIM_MOST`, which is set where the simulator is
/// built without optimisation, or no limit.
fn most() -> u64 {
    std::env::var("TENANTRY_SIM_MOST").ok().and_then(|most| most.parse().ok()).unwrap_or(u64::MAX)
}

/// Runs a seed twice and asserts that both runs have the same trace.
fn run_twice(seed: u64) -> Report {
    let (report, again) = (run(seed, &Cut::default(), false), run(seed, &Cut::default(), false));
    assert_eq!((report.hash, report.notes), (again.hash, again.notes), "seed {seed} went two ways");
    report
}

#[test]
fn few_seeds_hold_and_the_same_seed_is_the_same_trace() {
    let sum = shards(0..FEW, run_twice);
    println!("{sum}");
    sum.assert_well();
}

#[test]
fn the_canary_is_caught() {
    let report = run(CANARY, &Cut::default(), false);
    assert!(report.wrongs.iter().any(|wrong| wrong.invariant == "canary"), "{report:?}");
}

/// Invariant I21: a neighbour that gets requests all the time does not delay when other tenants become active.
#[test]
#[ignore = "run by cargo xtask sim"]
fn a_noisy_neighbour_delays_nobody() {
    let seeds = NEIGHBOURS.min(most());
    // With few scenarios the slowest hundredth is a matter of chance.
    let share = if seeds < NEIGHBOURS { 95 } else { 99 };
    let late = |profile: Profile| {
        let sum = shards(0..seeds, |seed| {
            run_plan(seed, Plan::without_faults(seed, profile), &Cut::default(), false)
        });
        let mut waits = sum.waits_of_others();
        assert!(waits.len() as u64 > seeds * 3 / 2, "too few tenants were active: {}", waits.len());
        waits.sort_unstable();
        waits[waits.len() * share / 100]
    };
    let (quiet, loud) = (late(Profile::Calm), late(Profile::Noisy));
    println!("p{share} until active: {quiet} ms beside quiet neighbours, {loud} ms beside a noisy one");
    assert!(loud * 10 < quiet * 11, "{loud} ms beside a noisy neighbour, {quiet} ms without");
}

/// Run by `cargo xtask sim`.
#[test]
#[ignore = "cargo xtask sim says how many seeds"]
fn many_seeds_hold() {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let asked = |name: &str| said(name).and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = asked("TENANTRY_SIM_SEED") {
        assert!(show(seed), "seed {seed} fails");
        return;
    }
    let seeds = asked("TENANTRY_SIM_SEEDS").unwrap_or(10_000);
    let profile = said("TENANTRY_SIM_PROFILE").map(|name| name.to_ascii_lowercase());
    let chosen = |seed: &u64| {
        let drawn = format!("{:?}", Plan::draw(*seed).profile).to_ascii_lowercase();
        profile.as_ref().is_none_or(|profile| *profile == drawn)
    };
    let from = |first: u64| (first..).filter(chosen).take(usize::try_from(seeds).unwrap_or(usize::MAX));
    match asked("TENANTRY_SIM_FIRST") {
        Some(first) => hold(from(first)),
        None => hold(kept().into_iter().filter(chosen).chain(from(0))),
    }
    if let Some(first) = asked("TENANTRY_SIM_FRESH") {
        println!("as many fresh seeds, from {first} on");
        hold(from(first));
    }
}

/// Runs seeds, prints the result, and fails if an invariant was violated.
fn hold(seeds: impl Iterator<Item = u64>) {
    let sum: Sum = shards(seeds, |seed| {
        if seed.is_multiple_of(TWICE) { run_twice(seed) } else { run(seed, &Cut::default(), false) }
    });
    println!("{sum}");
    sum.assert_well();
}

/// The seeds in `seeds.txt`, each of which failed at some time.
fn kept() -> Vec<u64> {
    let lines =
        include_str!("seeds.txt").lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_whitespace().next().unwrap_or_default().parse().unwrap()).collect()
}
