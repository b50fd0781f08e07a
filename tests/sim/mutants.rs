//! The product broken on purpose, one way after the other: each has to be seen within its number of seeds.

use tenantry_core::mutant;

use super::{
    fleet::shards,
    profile::{Plan, Profile},
    run::{Cut, run},
};

/// A fault on purpose: its number, what it is, and within how many seeds it has to be seen.
const MUTANTS: [(&str, &str, u64); 43] = [
    ("M1", "a save goes over whatever is there", 500),
    ("M2", "no look at the lease before an effect", 2_000),
    ("M3", "a notice is struck although it was not told", 200),
    ("M4", "an event's id is drawn", 200),
    ("M5", "an event is told before it is saved", 200),
    ("M6", "a timeout is taken for success", 200),
    ("M7", "answers of earlier turns are taken in", 5_000),
    ("M8", "2xx for what could not be saved", 200),
    ("M9", "names speak of another tenant", 50),
    ("M10", "the lease is given up at once", 5_000),
    ("M11", "the lease of another is no hindrance", 500),
    ("M12", "clocks are taken for equal", 200),
    ("M13", "names are drawn", 100),
    ("M14", "a step is done before its effect", 100),
    ("M15", "no look after a write", 200),
    ("M16", "the outbox is saved after the state", 200),
    ("M17", "whoever's object is ours", 500),
    ("M18", "the hash is cut from names", 50),
    ("M19", "Retry-After is not obeyed", 200),
    ("M20", "what is being deleted is gone", 200),
    ("M21", "removal in any order", 200),
    ("M22", "an operation's word is taken for the resource", 500),
    ("M23", "what Azure says is kept as it is", 200),
    ("M25", "a tenant's name is taken in any case", 200),
    ("M26", "a retry takes the blueprint of the day", 1_000),
    ("M27", "dead letters are thrown away", 2_000),
    ("M28", "events are told without history", 200),
    ("M30", "what a replica shows after a write is believed", 20_000),
    ("M31", "a new wish does not wait for what was sent", 20_000),
    ("M32", "a tenant is active whatever the proof says", 500),
    ("M33", "what a suspension takes away is forgotten, not removed", 100),
    ("M34", "a resumption forgets what was taken away", 100),
    ("M35", "what the timer sees of others is not told", 500),
    ("M36", "the sweep wakes, and drives nobody", 200),
    ("M37", "a code that is in no table is final", 200),
    ("M38", "the first page is the whole list", 200),
    ("M39", "a set is compared by its order", 200),
    ("M40", "a role's id is compared as a whole", 200),
    ("M41", "a suspension takes the blueprint of the day", 500),
    ("M43", "one row that can't be read ends the sweep", 500),
    ("M44", "who waits in a line is given up", 5),
    ("M45", "who waits in place saves nothing", 2_000),
    ("M50", "what was in use is made anew without consent", 200),
];

/// The profile in whose seeds alone a fault is looked for, where all others would be in vain.
fn profile_of(name: &str) -> Option<Profile> {
    (name == "M44").then_some(Profile::Crowd)
}

/// Asked for by `cargo xtask sim --mutants`.
#[test]
#[ignore = "cargo xtask sim --mutants"]
fn every_mutant_is_caught() {
    let mut escaped = Vec::new();
    println!("{:<5} {:<48} {:>7} {:>7}  caught by", "", "the fault", "seeds", "failed");
    for (name, what, most) in MUTANTS {
        let profile = profile_of(name);
        let fits = |seed: &u64| profile.is_none_or(|profile| Plan::draw(*seed).profile == profile);
        let seeds: Vec<u64> = (0..).filter(fits).take(usize::try_from(most).unwrap_or(0)).collect();
        let mut first = 0;
        let mut caught = None;
        while first < seeds.len() && caught.is_none() {
            let last = (first + 50).min(seeds.len());
            let sum = shards(seeds[first..last].iter().copied(), |seed| {
                mutant::choose(name);
                run(seed, &Cut::default(), false)
            });
            let earliest = sum.failed.iter().min_by_key(|report| report.seed);
            caught = earliest.map(|report| {
                let place = seeds.iter().position(|seed| *seed == report.seed).unwrap_or_default();
                (place + 1, report.wrongs[0].invariant, sum.failed.len())
            });
            first = last;
        }
        match caught {
            Some((seeds, invariant, failed)) => {
                println!("{name:<5} {what:<48} {seeds:>7} {failed:>7}  {invariant}");
            }
            None => {
                println!("{name:<5} {what:<48} {most:>7}       0  nobody");
                escaped.push(name);
            }
        }
    }
    assert!(escaped.is_empty(), "nobody saw {escaped:?}");
}
