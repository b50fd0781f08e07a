//! Runs many seeds, in as many threads as there are processors, and reports the seeds that fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tenantry::ports::{Clock as _, SystemClock};

use super::{
    exec::Millis,
    profile::{Plan, Profile},
    run::{Cut, Report, run},
};

/// The sums over many runs.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) seeds: u64,
    tenants: usize,
    were_active: usize,
    /// How long tenants took to become active, in milliseconds, without the first tenant of each run.
    waits_of_others: Vec<Millis>,
    disturbed: usize,
    virtual_ms: Millis,
    real_ms: i64,
    notes: u64,
    saves: u64,
    profiles: BTreeMap<Profile, u64>,
    /// By kind of fault: in how many seeds it occurred.
    hits: BTreeMap<&'static str, u64>,
    /// By profile: how many milliseconds its seeds took altogether.
    times: BTreeMap<Profile, i64>,
    pub(crate) failed: Vec<Report>,
}

/// The most failing seeds that a report lists.
const MOST_SHOWN: usize = 20;
/// Faults that must occur in at least a hundredth of the seeds; otherwise the runs prove too little.
const MUST_HIT: [&str; 75] = [
    "429",
    "5xx",
    "429 subnet",
    "409 busy",
    "LRO failed",
    "LRO lied",
    "LRO vanished",
    "LRO stuck",
    "stranger",
    "denied",
    "NoBackingApplicationObject",
    "PrincipalNotFound",
    "not sent",
    "request lost",
    "answer lost",
    "late effect",
    "store unavailable",
    "store conflict",
    "store ambiguous",
    "slow save",
    "lock lost",
    "duplicate",
    "wake-up lost",
    "wake-up refused",
    "publish failed",
    "kill",
    "pause",
    "outage",
    "C0 before anything",
    "C2 before save",
    "C5 after save",
    "C2 before effect",
    "C4 after effect",
    "C6 operation not saved",
    "C8 before publish",
    "C9 after publish",
    "C10 before acknowledgement",
    "C10 before wake-up",
    "C12 within an undo",
    "redelivered",
    "poison refused",
    "suspended",
    "resumed",
    "intruder",
    "proved",
    "unknown code",
    "ready became failed",
    "update failed",
    "update always fails",
    "half-failed update",
    "odd end of an operation",
    "quota wall",
    "several pages",
    "empty page",
    "empty link",
    "ids in another case",
    "role id in a longer form",
    "a set in another order",
    "lag as 403",
    "405 on purge",
    "name held by a deleted vault",
    "a stranger's deleted vault",
    "undo refused",
    "a vault deleted by hand",
    "a vault moved by hand",
    "Retry-After as a date",
    "Retry-After with a fraction",
    "in a passing state",
    "woken by the sweep alone",
    "wake-ups lost for hours",
    "wake-up dropped as a repeat",
    "two versions at one store",
    "unreadable document",
    "read",
    "history explained",
];

impl Sum {
    fn add(&mut self, mut report: Report, took: i64) {
        self.seeds += 1;
        self.tenants += report.tenants;
        self.were_active += report.were_active;
        self.waits_of_others
            .extend(report.waits.iter().filter(|(tenant, _)| *tenant > 0).map(|(_, wait)| *wait));
        self.disturbed += report.disturbed;
        self.virtual_ms += report.virtual_ms;
        self.notes += report.notes;
        self.saves += report.saves;
        *self.profiles.entry(report.profile).or_default() += 1;
        *self.times.entry(report.profile).or_default() += took;
        for (what, _) in std::mem::take(&mut report.hits) {
            *self.hits.entry(what).or_default() += 1;
        }
        if !report.wrongs.is_empty() {
            self.failed.push(report);
        }
    }

    pub(crate) fn waits_of_others(self) -> Vec<Millis> {
        self.waits_of_others
    }

    /// Panics if an invariant was violated, or if faults were too rare for the result to be significant.
    pub(crate) fn assert_well(&self) {
        if let Some(first) = self.failed.iter().min_by_key(|report| report.seed) {
            show(first.seed);
            println!(
                "to keep it as a test: add the line `{} <what it found>` to tests/sim/seeds.txt",
                first.seed
            );
            panic!("{} of {} seeds failed", self.failed.len(), self.seeds);
        }
        assert!(self.were_active * 10 >= self.tenants * 6, "too few tenants were ever active: {self}");
        let floor = self.seeds / 100;
        let rare: Vec<_> =
            MUST_HIT.iter().filter(|what| self.hits.get(*what).copied().unwrap_or(0) < floor).collect();
        assert!(rare.is_empty(), "these came too seldom to prove anything: {rare:?}\n{self}");
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.real_ms.max(1)) as f64 / 1000.0;
        writeln!(
            f,
            "{} seeds in {seconds:.1} s: {:.0} a second in {} threads, {:.0} virtual hours; {} of {} tenants were active, {} disturbed; {} failed",
            self.seeds,
            self.seeds as f64 / seconds,
            threads(),
            self.virtual_ms as f64 / 3_600_000.0,
            self.were_active,
            self.tenants,
            self.disturbed,
            self.failed.len(),
        )?;
        writeln!(
            f,
            "{} lines of trace and {} saves each",
            self.notes / self.seeds.max(1),
            self.saves / self.seeds.max(1)
        )?;
        let spent = |profile: &Profile| self.times.get(profile).map_or(0, |ms| ms / 1000);
        let profiles = self
            .profiles
            .iter()
            .map(|(profile, seeds)| format!("{profile:?} {seeds} ({} s)", spent(profile)));
        writeln!(f, "profiles: {}", profiles.collect::<Vec<_>>().join(", "))?;
        writeln!(f, "seeds with: {:?}", self.hits)?;
        let mut kinds: BTreeMap<&str, (u64, u64, &str)> = BTreeMap::new();
        for report in &self.failed {
            for wrong in &report.wrongs {
                let entry = kinds.entry(wrong.invariant).or_insert((0, report.seed, wrong.what.as_str()));
                entry.0 += 1;
                if report.seed < entry.1 {
                    *entry = (entry.0, report.seed, wrong.what.as_str());
                }
            }
        }
        for (invariant, (times, seed, what)) in kinds {
            writeln!(f, "{invariant}: {times} times, first in seed {seed}: {what}")?;
        }
        if !self.failed.is_empty() {
            let all: BTreeSet<(u64, Profile)> =
                self.failed.iter().map(|report| (report.seed, report.profile)).collect();
            writeln!(f, "failed: {:?}", all.iter().take(MOST_SHOWN).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs seeds in several threads. The result does not depend on which thread runs which seed.
pub(crate) fn shards(seeds: impl Iterator<Item = u64>, work: impl Fn(u64) -> Report + Sync) -> Sum {
    let seeds: Vec<u64> = seeds.collect();
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    let begun = SystemClock.now();
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() else { return };
                    let begun = SystemClock.now();
                    let report = work(seed);
                    let took = SystemClock.now().duration_since(begun).as_millis();
                    sum.lock().unwrap().add(report, took.try_into().unwrap_or(i64::MAX));
                }
            });
        }
    });
    let mut sum = sum.into_inner().unwrap();
    sum.real_ms = SystemClock.now().duration_since(begun).as_millis().try_into().unwrap_or(i64::MAX);
    sum
}

/// Runs one seed and prints its trace; a failing one is reduced first. Returns whether no invariant is violated.
pub(crate) fn show(seed: u64) -> bool {
    let report = run(seed, &Cut::default(), false);
    println!("seed {seed}, {:?}: {} wrongs", report.profile, report.wrongs.len());
    if report.wrongs.is_empty() {
        let report = run(seed, &Cut::default(), true);
        println!("{}", report.lines.join("\n"));
        return true;
    }
    let cut = shrink(seed, &report);
    let report = run(seed, &cut, true);
    println!("{}", report.lines.join("\n"));
    for wrong in &report.wrongs {
        println!("{} at {} ms: {}", wrong.invariant, wrong.at, wrong.what);
    }
    println!("made smaller by {cut:?}");
    println!("again: cargo xtask sim --seed {seed}");
    false
}

/// Reduces a failing run: leaves out tenants, kinds of faults and time as long as the same invariant is violated.
fn shrink(seed: u64, report: &Report) -> Cut {
    // A run of these profiles takes as long as a hundred runs of the others.
    if matches!(report.profile, Profile::Crowd | Profile::Days) {
        return Cut::default();
    }
    let invariant = report.wrongs[0].invariant;
    let still = |cut: &Cut| run(seed, cut, false).wrongs.iter().any(|wrong| wrong.invariant == invariant);
    let mut best = Cut::default();
    for tenant in 0..4 {
        let cut = Cut { tenants: vec![tenant], ..best.clone() };
        if still(&cut) {
            best = cut;
            break;
        }
    }
    for kind in 0..Plan::KINDS {
        let mut cut = best.clone();
        cut.without.push(kind);
        if still(&cut) {
            best = cut;
        }
    }
    for minutes in [1, 2, 4, 6, 8, 12] {
        let cut = Cut { until: Some(minutes * 60_000), ..best.clone() };
        if still(&cut) {
            best = cut;
            break;
        }
    }
    best
}
