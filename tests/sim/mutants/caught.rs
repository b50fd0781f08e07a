//! Runs the seeded mutants one after the other: the simulator has to detect each within the mutant's number of seeds.
//!
//! This file is compiled only in the copy of the repository to which `cargo xtask sim --mutants` applies the mutants.

use std::{fs, path::Path};

use tenantry_core::mutant;

use super::{
    fleet::shards,
    most,
    profile::Plan,
    run::{Cut, run},
};

/// A seeded mutant, as its patch describes it.
struct Mutant {
    /// The file name of the patch, without its extension.
    name: &'static str,
    /// What the mutant breaks: the first line of its patch.
    what: String,
    /// The number of seeds within which the mutant has to be detected.
    seeds: usize,
    /// The only profile whose seeds can detect the mutant; `None` if any can.
    profile: Option<String>,
    /// The seed that detected the mutant in the last complete search: a hint that saves the search as long as seeds
    /// lead to the same scenarios.
    seen_in: Option<u64>,
}

/// The start of the line in a patch that has this seed.
const SEEN_IN: &str = "Seen in: ";
/// The number of seeds that are searched at a time.
const AT_A_TIME: usize = 8;

/// The patches that the simulator has to detect.
fn mutants() -> Vec<Mutant> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/mutants");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<_> = files.filter(|path| path.extension().is_some_and(|is| is == "patch")).collect();
    patches.sort();
    let mutants = patches.iter().filter_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let head = text.split("\n--- ").next().unwrap().to_owned();
        let said = |prefix: &str| head.lines().find_map(|line| line.strip_prefix(prefix)).map(str::to_owned);
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let seeds = said("Seeds: ")?.parse().unwrap();
        let profile = said("Profile: ");
        let seen_in = said(SEEN_IN).map(|seed| seed.parse().unwrap());
        let what = head.lines().next().unwrap().to_owned();
        // Leaked because the name of the active mutant has a static lifetime.
        Some(Mutant { name: Box::leak(name.into_boxed_str()), what, seeds, profile, seen_in })
    });
    mutants.collect()
}

/// The seed in which a mutant is detected, and the violated invariant; `None` if it is not detected. Tries the hint
/// first, then searches all seeds of the mutant, unless they are more than `most`.
fn caught(mutant: &Mutant, most: usize) -> Option<(u64, &'static str)> {
    let drawn = |seed: &u64| format!("{:?}", Plan::draw(*seed).profile);
    let fits = |seed: &u64| mutant.profile.as_ref().is_none_or(|profile| *profile == drawn(seed));
    let seeds: Vec<u64> = (0..).filter(fits).take(mutant.seeds).collect();
    // A hint counts only if a search within the mutant's number of seeds would find it.
    let hint: Vec<u64> = mutant.seen_in.into_iter().filter(|seed| seeds.contains(seed)).collect();
    let searched = seeds.chunks(AT_A_TIME).take(if seeds.len() > most { 0 } else { usize::MAX });
    std::iter::once(hint.as_slice()).chain(searched).find_map(|some| {
        let sum = shards(some.iter().copied(), |seed| {
            mutant::choose(mutant.name);
            run(seed, &Cut::default(), false)
        });
        let earliest = sum.failed.iter().min_by_key(|report| report.seed)?;
        Some((earliest.seed, earliest.wrongs[0].invariant))
    })
}

/// Saves the seed that detected a mutant in the mutant's patch.
fn keep(folder: &Path, name: &str, seed: u64) {
    let path = folder.join(name).with_extension("patch");
    let text = fs::read_to_string(&path).unwrap();
    let mut kept = String::new();
    for line in text.lines().filter(|line| !line.starts_with(SEEN_IN)) {
        kept.push_str(&format!("{line}\n"));
        if line.starts_with("Seeds: ") {
            kept.push_str(&format!("{SEEN_IN}{seed}\n"));
        }
    }
    fs::write(path, kept).unwrap();
}

/// Run by `cargo xtask sim --mutants`.
#[test]
#[ignore = "cargo xtask sim --mutants"]
fn every_mutant_is_caught() {
    let mutants = mutants();
    assert!(mutants.len() > 55, "only {} patches were found", mutants.len());
    let mut escaped = Vec::new();
    println!("{:<58} {:>7}  by", "the fault", "seen in");
    let named = std::env::var("TENANTRY_SIM_MUTANT").unwrap_or_default();
    let record = std::env::var("TENANTRY_SIM_RECORD").ok();
    let mutants: Vec<_> = mutants.into_iter().filter(|mutant| mutant.name.contains(&named)).collect();
    assert!(!mutants.is_empty(), "no mutant is named {named}");
    // Mutants that need many seeds are searched only by a longer run, or by a run that names the mutant.
    let most = if named.is_empty() { usize::try_from(most()).unwrap_or(usize::MAX) } else { usize::MAX };
    let mut rare = Vec::new();
    for mutant in &mutants {
        let Some((seed, invariant)) = caught(mutant, most) else {
            if mutant.seeds > most { &mut rare } else { &mut escaped }.push(mutant.name);
            continue;
        };
        println!("{:<58} {seed:>7}  {invariant}", mutant.what);
        if let Some(folder) = &record {
            keep(Path::new(folder), mutant.name, seed);
        }
    }
    if !rare.is_empty() {
        println!("not searched for here, because they need more than {most} seeds: {}", rare.join(", "));
    }
    assert!(escaped.is_empty(), "not detected: {escaped:?}");
}
