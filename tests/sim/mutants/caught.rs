//! The product broken on purpose, one way after the other: each has to be seen within its number of seeds.
//!
//! This file is compiled in the copy of the tree alone that the mutants are put into; `cargo xtask sim --mutants` makes it.

use std::{fs, path::Path};

use tenantry_core::mutant;

use super::{
    fleet::shards,
    most,
    profile::Plan,
    run::{Cut, run},
};

/// A fault on purpose, as its patch tells of itself.
struct Mutant {
    /// Its patch's name.
    name: &'static str,
    /// What it breaks.
    what: String,
    /// Within how many seeds it has to be seen.
    seeds: usize,
    /// The profile in whose seeds alone it is looked for, where all others would be in vain.
    profile: Option<String>,
}

/// Those of the patches that the simulator has to see.
fn mutants() -> Vec<Mutant> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/mutants");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<_> = files.filter(|path| path.extension().is_some_and(|is| is == "patch")).collect();
    patches.sort();
    let mutants = patches.iter().filter_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let head = text.split("\n--- ").next().unwrap().to_owned();
        let said = |word: &str| head.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let seeds = said("Seeds: ")?.parse().unwrap();
        let profile = said("Profile: ");
        let what = head.lines().next().unwrap().to_owned();
        // A mutant is chosen by a name that lives as long as the program.
        Some(Mutant { name: Box::leak(name.into_boxed_str()), what, seeds, profile })
    });
    mutants.collect()
}

/// In which seed it is seen first, counted among its own, by which invariant, and how many failed with it.
fn caught(mutant: &Mutant) -> Option<(usize, &'static str, usize)> {
    let drawn = |seed: &u64| format!("{:?}", Plan::draw(*seed).profile);
    let fits = |seed: &u64| mutant.profile.as_ref().is_none_or(|profile| *profile == drawn(seed));
    let seeds: Vec<u64> = (0..).filter(fits).take(mutant.seeds).collect();
    seeds.chunks(50).find_map(|some| {
        let sum = shards(some.iter().copied(), |seed| {
            mutant::choose(mutant.name);
            run(seed, &Cut::default(), false)
        });
        let earliest = sum.failed.iter().min_by_key(|report| report.seed)?;
        let place = seeds.iter().position(|seed| *seed == earliest.seed).unwrap_or_default();
        Some((place + 1, earliest.wrongs[0].invariant, sum.failed.len()))
    })
}

/// Asked for by `cargo xtask sim --mutants`.
#[test]
#[ignore = "cargo xtask sim --mutants"]
fn every_mutant_is_caught() {
    let mutants = mutants();
    assert!(mutants.len() > 55, "only {} patches were found", mutants.len());
    let mut escaped = Vec::new();
    println!("{:<58} {:>7} {:>7}  caught by", "the fault", "seeds", "failed");
    let named = std::env::var("TENANTRY_SIM_MUTANT").unwrap_or_default();
    let mutants: Vec<_> = mutants.into_iter().filter(|mutant| mutant.name.contains(&named)).collect();
    assert!(!mutants.is_empty(), "no mutant is named {named}");
    // Those that need more seeds wait for a run that has the time, as whoever asks for one by its name has.
    let most = if named.is_empty() { usize::try_from(most()).unwrap_or(usize::MAX) } else { usize::MAX };
    let (now, later): (Vec<_>, Vec<_>) = mutants.iter().partition(|mutant| mutant.seeds <= most);
    for mutant in &now {
        match caught(mutant) {
            Some((seeds, invariant, failed)) => {
                println!("{:<58} {seeds:>7} {failed:>7}  {invariant}", mutant.what);
            }
            None => {
                println!("{:<58} {:>7}       0  nobody", mutant.what, mutant.seeds);
                escaped.push(mutant.name);
            }
        }
    }
    let later: Vec<_> = later.iter().map(|mutant| mutant.name).collect();
    if !later.is_empty() {
        println!("not looked for here, for they take more seeds: {}", later.join(", "));
    }
    assert!(escaped.is_empty(), "nobody saw {escaped:?}");
}
