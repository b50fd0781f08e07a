//! The layers of the three crates, checked against their source: which part may use which, which parts are pure, and
//! how large files and functions may get.
//!
//! The source is read as text. Code under `#[cfg(test)]` is at a file's end and is ignored.

mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use source::{
    CORE, SIMULATED_AZURE, Source, core, functions, read, root, simulated_azure, sources, sources_in, used_by,
};

/// The layers of the program, from the highest to the lowest. A part uses itself and lower layers, nothing of its own
/// layer, so there can be no cycle.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["local"],
    &["app"],
    &["host"],
    &["reconciler", "intake", "azure"],
    &["scan"],
    // Reads lists page by page over the transport.
    &["paging"],
    &["ports", "wake_up"],
    &["config"],
    &["telemetry"],
];

/// The layers of the core.
const CORE_LAYERS: &[&[&str]] = &[
    // Both compare observations of Azure with blueprints and tenants.
    &["isolation", "drift"],
    // The actions that blueprints and steps need.
    &["permissions"],
    // The engine uses the steps' comparisons.
    &["engine"],
    &["steps"],
    &["tenant"],
    &["blueprint"],
    &["ids", "secrets", "compare", "types"],
    &["pointer", "spelling", "time"],
];

/// The layers of the simulated Azure.
const SIMULATED_AZURE_LAYERS: &[&[&str]] = &[
    &["pairing"],
    &["cloud"],
    &["http"],
    &["answer"],
    // The route to a service, and the API for tests.
    &["router", "sim"],
    &["inference", "login", "service_bus", "subscription", "journal_stream"],
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

/// Parts of the program with no I/O, no clock, no randomness and no async, besides the core: the files of intake that
/// decide about a message.
const PURE: [&str; 7] = [
    "intake/answer.rs",
    "intake/envelope.rs",
    "intake/placement.rs",
    "intake/request.rs",
    "intake/strict.rs",
    "intake/validate.rs",
    "intake/validate/",
];

/// What the core may depend on: none of these waits, or reaches a file or a network. jiff can read the clock, and uuid
/// can draw a random id if another crate enables `v4`; `IMPURE` rejects those calls.
const HARMLESS: [&str; 12] = [
    "jiff",
    "minijinja",
    "miniz_oxide",
    "percent-encoding",
    "regex-lite",
    "saphyr-parser",
    "schemars",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "uuid",
];

/// Calls of the legacy Azure crates that must not be used: they lose errors, properties or conditions
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

/// Text that shows that a part is not pure.
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
fn a_part_uses_only_lower_layers() {
    let mut wrong = upward_uses(&sources(), LAYERS);
    wrong.extend(upward_uses(&core(), CORE_LAYERS));
    wrong.extend(upward_uses(&simulated_azure(), SIMULATED_AZURE_LAYERS));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One message for each use of a part that is not in a lower layer.
fn upward_uses(sources: &[Source], layers: &[&[&str]]) -> Vec<String> {
    let layer_of: BTreeMap<&str, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(layer, parts)| parts.iter().map(move |part| (*part, layer)))
        .collect();
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        let part = source.part();
        let Some(layer) = layer_of.get(part) else {
            wrong.push(format!("{}: the part `{part}` has no layer; add it to one", source.path));
            continue;
        };
        for used in used_by(&source.code) {
            let below = layer_of.get(used.as_str()).is_some_and(|other| other > layer);
            if used != part && !below {
                wrong.push(format!("{} uses {used}, which is not in a layer below {part}", source.path));
            }
        }
    }
    wrong
}

#[test]
fn no_super_path_leaves_its_part() {
    // A path of `super` up to the crate's root would be a use that the check of the layers misses.
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
            let found = IMPURE.iter().filter(|text| line.contains(*text));
            wrong.extend(found.map(|text| format!("{}:{}: `{}`", source.path, number + 1, text.trim())));
        }
    }
    assert!(wrong.is_empty(), "pass these values to the pure parts instead:\n{}", wrong.join("\n"));
}

/// The steps of a plan have types; only one file knows their stored form.
#[test]
fn one_file_reads_the_stored_fields_of_a_step() {
    let sources = sources().into_iter().chain(core());
    let by_name = sources.filter(|source| source.code.contains(".fields."));
    let files: Vec<_> = by_name.map(|source| source.path).collect();
    assert_eq!(files, ["blueprint/fields.rs"]);
}

#[test]
fn the_core_depends_on_no_io_clock_or_randomness() {
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
    // Without `tokio-sleep` each pause of these crates would take a thread.
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
    assert!(wrong.is_empty(), "return an error instead of panicking:\n{}", wrong.join("\n"));
}

#[test]
#[expect(clippy::print_stdout, reason = "a report for runs with --nocapture")]
fn files_and_functions_stay_readable() {
    let mut wrong = Vec::new();
    let mut lines_of_source = Vec::new();
    for (folder, source) in [
        "src",
        CORE,
        "crates/core/tests",
        SIMULATED_AZURE,
        "tests",
        "xtask/src",
        "xtask/package/src",
        "xtask/types/src",
        "benches",
    ]
    .into_iter()
    .flat_map(|folder| sources_in(&root().join(folder)).into_iter().map(move |source| (folder, source)))
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

/// A name must identify its type.
#[test]
fn no_two_public_types_of_a_crate_share_a_name() {
    let mut wrong = Vec::new();
    for sources in [sources(), core(), simulated_azure()] {
        let mut known = BTreeMap::new();
        for source in &sources {
            for line in source.code.lines() {
                let tokens: Vec<&str> = line.split_whitespace().take(3).collect();
                let ["pub", "struct" | "enum" | "trait" | "type", name] = tokens.as_slice() else { continue };
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
