//! The picture of the parts, held against the code: who may use whom, what stays pure, how large things get.
//!
//! The source is read as text. Code under `#[cfg(test)]` stands at a file's end and is not looked at.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use source::{
    CORE, SIMULATED_AZURE, Source, core, functions, read, root, simulated_azure, sources, sources_in, used_by,
};

/// The floors of the program, from the highest to the lowest. A part uses itself and what stands below it, nothing
/// beside it, so there can be no circle.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["local"],
    &["app"],
    &["host"],
    &["reconciler", "intake", "azure"],
    &["scan"],
    // Lists, page after page, over the wire.
    &["paging"],
    &["ports", "wake_up"],
    &["config"],
    &["telemetry"],
];

/// The floors of the core.
const CORE_FLOORS: &[&[&str]] = &[
    // What Azure shows against what blueprints and tenants say.
    &["isolation", "drift"],
    // What blueprints and steps need to be allowed.
    &["permissions"],
    // It takes in what steps have judged.
    &["engine"],
    &["steps"],
    &["tenant"],
    &["blueprint"],
    &["ids", "secrets", "compare"],
    &["pointer", "time"],
];

/// The floors of the simulated Azure.
const SIMULATED_AZURE_FLOORS: &[&[&str]] = &[
    &["pairing"],
    &["cloud"],
    &["http"],
    &["answer"],
    // The route to a service, and the window for tests.
    &["router", "sim"],
    &["inference", "login", "service_bus", "subscription"],
    // Resource Manager, and what the services share.
    &["arm", "inner", "settings"],
    &["access", "operations", "seed"],
    &["resources", "forms"],
    &["activity", "events", "roles", "service"],
    &["graph", "identity", "faults", "journal", "api_version"],
    &["store", "call"],
    &["reply", "clock"],
    &["error", "queue", "stamp"],
    &["db", "path", "chaos", "flaws", "subscribers", "digest", "pause"],
];

/// What of the program has no I/O, no clock, no randomness and no async, besides the core: the files of the intake that
/// judge a message.
const PURE: [&str; 7] = [
    "intake/answer.rs",
    "intake/envelope.rs",
    "intake/placement.rs",
    "intake/request.rs",
    "intake/strict.rs",
    "intake/validate.rs",
    "intake/validate/",
];

/// What the core may depend on: none of these can wait, tell the time, draw a number, or reach a file or a network.
const HARMLESS: [&str; 10] = [
    "jiff",
    "minijinja",
    "percent-encoding",
    "saphyr-parser",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "uuid",
];

/// What the legacy Azure crates offer and is not to be called: it loses errors, properties or conditions
/// (docs/decisions/0010). Receiving is the Functions host's work.
const UNSOUND: [&str; 13] = [
    "transaction(",
    "TransactionBuilder",
    "insert_or_replace",
    "insert_or_merge",
    ".merge(",
    "IfMatchCondition::Any",
    "peek_lock",
    "receive_and_delete",
    "subscription_receiver",
    "delete_message",
    "unlock_message",
    "custom_properties: Some",
    "new_http_client",
];

/// What gives away that a part is not pure.
const IMPURE: [&str; 12] = [
    "async ",
    ".await",
    "tokio",
    "reqwest",
    "new_v4",
    "std::env",
    "env::var",
    "std::fs",
    "TcpStream",
    "std::thread",
    "::now(",
    "HashMap",
];

const MAX_FILE_LINES: usize = 400;
const MEDIAN_LINES: usize = 130;
const MAX_FUNCTION_LINES: usize = 70;

#[test]
fn a_part_uses_only_what_stands_below_it() {
    let mut wrong = climbers(&sources(), FLOORS);
    wrong.extend(climbers(&core(), CORE_FLOORS));
    wrong.extend(climbers(&simulated_azure(), SIMULATED_AZURE_FLOORS));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Who uses what does not stand below it.
fn climbers(sources: &[Source], floors: &[&[&str]]) -> Vec<String> {
    let floor_of: BTreeMap<&str, usize> = floors
        .iter()
        .enumerate()
        .flat_map(|(floor, parts)| parts.iter().map(move |part| (*part, floor)))
        .collect();
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        let part = source.part();
        let Some(floor) = floor_of.get(part) else {
            wrong.push(format!("{}: the part `{part}` stands on no floor; give it one", source.path));
            continue;
        };
        for used in used_by(&source.code) {
            let below = floor_of.get(used.as_str()).is_some_and(|other| other > floor);
            if used != part && !below {
                wrong.push(format!("{} uses {used}, which does not stand below {part}", source.path));
            }
        }
    }
    wrong
}

#[test]
fn no_path_climbs_out_of_its_part() {
    // `super` up to the crate's root would be a use that the floors don't see.
    let all = sources().into_iter().chain(core()).chain(simulated_azure());
    let wrong: Vec<String> = all
        .filter(|source| {
            let depth = source.path.matches('/').count() + usize::from(!source.path.ends_with("mod.rs"));
            source.code.contains(&"super::".repeat(depth.max(1)))
        })
        .map(|source| format!("{}: name the part, `crate::part::...`", source.path))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_parts_are_pure() {
    let mut wrong = Vec::new();
    let intake = sources().into_iter().filter(|source| PURE.iter().any(|pure| source.path.starts_with(pure)));
    for source in intake.chain(core()) {
        for (number, line) in source.code.lines().enumerate() {
            let found = IMPURE.iter().filter(|word| line.contains(*word));
            wrong.extend(found.map(|word| format!("{}:{}: `{}`", source.path, number + 1, word.trim())));
        }
    }
    assert!(wrong.is_empty(), "these parts are told what they need, they don't ask:\n{}", wrong.join("\n"));
}

/// The steps of a plan have types; how documents have them is known in one file.
#[test]
fn one_file_reads_the_stored_fields_of_a_step() {
    let sources = sources().into_iter().chain(core());
    let by_name = sources.filter(|source| source.code.contains(".fields."));
    let files: Vec<_> = by_name.map(|source| source.path).collect();
    assert_eq!(files, ["blueprint/fields.rs"]);
}

#[test]
fn the_core_depends_on_nothing_that_reaches_out() {
    let manifest = read(&root().join("crates/core/Cargo.toml"));
    let listed = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names = listed.lines().map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default());
    let others: Vec<_> =
        names.filter(|name| !name.is_empty() && !name.starts_with('#') && !HARMLESS.contains(name)).collect();
    assert_eq!(others, Vec::<&str>::new());
    assert!(!listed.contains("\"v4\""), "a core that draws numbers can't be repeated");
}

#[test]
fn the_unsound_parts_of_the_legacy_crates_are_not_called() {
    let mut found = Vec::new();
    for Source { path, code, .. } in sources().iter().filter(|source| source.path.starts_with("azure/")) {
        found.extend(
            UNSOUND.iter().filter(|call| code.contains(**call)).map(|call| format!("{path}: {call}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
    // Without it each pause of theirs would be a thread.
    let manifest = read(&root().join("Cargo.toml"));
    let legacy = manifest.lines().find(|line| line.starts_with("azure_core_legacy")).unwrap();
    assert!(legacy.contains("\"tokio-sleep\"") && !legacy.contains("reqwest"), "{legacy}");
}

#[test]
fn nothing_unwraps_outside_tests() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().chain(core()).chain(simulated_azure()) {
        for (number, line) in source.code.lines().enumerate() {
            if line.contains(".unwrap()") || line.contains(".expect(") {
                wrong.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "say what is wrong instead of ending:\n{}", wrong.join("\n"));
}

#[test]
#[expect(clippy::print_stdout, reason = "a report for whoever asks with --nocapture")]
fn files_and_functions_stay_readable() {
    let mut wrong = Vec::new();
    let mut lines_of_source = Vec::new();
    for (folder, source) in
        ["src", CORE, SIMULATED_AZURE, "tests", "xtask/src", "xtask/package/src", "benches"]
            .into_iter()
            .flat_map(|folder| {
                sources_in(&root().join(folder)).into_iter().map(move |source| (folder, source))
            })
    {
        let path = format!("{folder}/{}", source.path);
        let lines = source.text.lines().count();
        if lines > MAX_FILE_LINES {
            wrong.push(format!("{path} has {lines} lines; {MAX_FILE_LINES} are a reader's limit"));
        }
        for (name, lines) in
            functions(&source.text).into_iter().filter(|(_, lines)| *lines > MAX_FUNCTION_LINES)
        {
            wrong.push(format!("{path}: fn {name} has {lines} lines; {MAX_FUNCTION_LINES} are the limit"));
        }
        if ["src", CORE, SIMULATED_AZURE].contains(&folder) {
            lines_of_source.push(lines);
        }
    }
    lines_of_source.sort_unstable();
    let at =
        |share: usize| lines_of_source.get(lines_of_source.len() * share / 100).copied().unwrap_or_default();
    println!("{} files: median {} lines, p90 {}", lines_of_source.len(), at(50), at(90));
    if at(50) > MEDIAN_LINES {
        wrong
            .push(format!("half of the files have more than {} lines; {MEDIAN_LINES} are the limit", at(50)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A name says which type is meant, wherever it stands.
#[test]
fn no_two_public_types_of_a_crate_share_a_name() {
    let mut wrong = Vec::new();
    for sources in [sources(), core(), simulated_azure()] {
        let mut known = BTreeMap::new();
        for source in &sources {
            for line in source.code.lines() {
                let words: Vec<&str> = line.split_whitespace().take(3).collect();
                let ["pub", "struct" | "enum" | "trait" | "type", name] = words.as_slice() else { continue };
                let name = name.split(['<', '(', ':', ';', '{']).next().unwrap_or_default();
                if let Some(other) = known.insert(name.to_owned(), source.path.clone()) {
                    wrong.push(format!("{name} is in {other} and in {}", source.path));
                }
            }
        }
        assert!(known.len() > 10, "the types are read");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_crate_documentation_names_every_folder() {
    for (folder, sources) in [("src", sources()), (CORE, core()), (SIMULATED_AZURE, simulated_azure())] {
        let text = read(&root().join(folder).join("lib.rs"));
        let map: String = text.lines().filter(|line| line.starts_with("//!")).collect();
        let named = |part: &str| map.contains(&format!("`{part}`")) || map.contains(&format!("`mod@{part}`"));
        let folders = sources.iter().filter_map(|source| source.path.split_once('/')).map(|(name, _)| name);
        let missing: BTreeSet<_> = folders.filter(|folder| !named(folder)).collect();
        assert!(missing.is_empty(), "{folder}/lib.rs is the map; it does not name {missing:?}");
    }
}
