//! Every code of the program's answers, and every type of event, is named on a page.

use std::{collections::BTreeSet, fs};

use tenantry_core::tenant::{Action, IsolationVerdict};

use super::pages::{files, read, root};

/// The arguments of a call, as they are written. The text begins after the opening bracket of the call.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    let mut arguments = vec![String::new()];
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted && depth == 0 => return arguments,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                arguments.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = arguments.last_mut() {
            last.push(c);
        }
    }
    arguments
}

/// The codes in calls that create a fault: arguments that are one lower-case literal.
fn codes(folder: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in files(&root().join(folder), "rs") {
        let text = fs::read_to_string(file).unwrap();
        for opening in ["fault(", "Fault::new("] {
            for (at, _) in text.match_indices(opening) {
                codes.extend(arguments(&text[at + opening.len()..]).iter().filter_map(|argument| {
                    let code = argument.trim().strip_prefix('"')?.strip_suffix('"')?;
                    let plain = code
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
                    (plain && !code.is_empty()).then(|| code.to_owned())
                }));
            }
        }
        // Faults that are written as struct literals.
        codes.extend(
            text.split("code: \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
        );
    }
    codes
}

#[test]
fn messages_names_every_code_of_a_refusal() {
    let page = read("docs/messages.md");
    let mut codes = codes("src/intake");
    assert!(codes.len() > 20, "the codes were not found: {codes:?}");
    codes.insert("invalid".to_owned());
    let missing: Vec<&String> = codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/messages.md leaves out {missing:?}");
}

/// The codes of the planner are named in messages.md or in blueprint.md, which it refers to.
#[test]
fn every_code_of_a_plan_that_fails_is_named() {
    let pages = read("docs/messages.md") + &read("docs/blueprint.md");
    let mut codes = BTreeSet::new();
    for file in [
        "crates/core/src/blueprint/planner.rs",
        "crates/core/src/blueprint/parameter.rs",
        "crates/core/src/blueprint/rules.rs",
    ] {
        let text = read(file);
        codes.extend(
            text.split("code: \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
        );
        for (at, _) in text.match_indices("fault(") {
            codes.extend(arguments(&text[at + 6..]).iter().filter_map(|argument| {
                let code = argument.trim().strip_prefix('"')?.strip_suffix('"')?;
                (code.contains('-') && !code.contains([' ', '/'])).then(|| code.to_owned())
            }));
        }
    }
    assert!(
        codes.contains("unknown-tier") && codes.contains("too-long") && codes.contains("broad-role"),
        "{codes:?}"
    );
    let missing: Vec<&String> = codes.iter().filter(|code| !pages.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "no page names {missing:?}");
}

/// The event types that the program can publish, without their prefix and version.
fn event_types() -> BTreeSet<String> {
    let nouns = [
        Action::Signup,
        Action::Update,
        Action::Suspend,
        Action::Resume,
        Action::Deprovision,
        Action::Retry,
        Action::Reconcile,
    ]
    .map(Action::noun);
    let verdicts = [IsolationVerdict::Verified, IsolationVerdict::Violated, IsolationVerdict::Inconclusive]
        .map(IsolationVerdict::as_str);
    let mut types = BTreeSet::new();
    for file in
        [root().join("src"), root().join("crates/core/src")].iter().flat_map(|folder| files(folder, "rs"))
    {
        let text = fs::read_to_string(file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code: String = code.collect::<Vec<_>>().join("\n");
        for literal in
            code.split('"').filter(|part| part.starts_with("tenant.") || part.starts_with("message."))
        {
            let plain = literal.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '{' | '}'));
            match literal.split_once("{}") {
                Some((before, "")) if plain => {
                    types.extend(verdicts.map(|verdict| format!("{before}{verdict}")));
                }
                Some((before, after)) if plain => {
                    types.extend(nouns.map(|noun| format!("{before}{noun}{after}")));
                }
                None if plain && literal.ends_with("ed") || literal.ends_with("ing") => {
                    types.insert(literal.to_owned());
                }
                Some(_) | None => {}
            }
        }
    }
    types
}

#[test]
fn messages_names_every_type_of_event() {
    let types = event_types();
    for known in ["tenant.provision.succeeded", "tenant.operation.cancelled", "message.rejected"] {
        assert!(types.contains(known), "{known} was not found: {types:?}");
    }
    let page = read("docs/messages.md");
    let missing: Vec<&String> = types
        .iter()
        .filter(|of| {
            let (noun, verb) = of.rsplit_once('.').unwrap();
            let row = page.lines().find(|line| line.starts_with(&format!("| `{noun}.")));
            !page.contains(&format!("`{of}`")) && !row.is_some_and(|row| row.contains(&format!("`.{verb}`")))
        })
        .collect();
    assert!(missing.is_empty(), "docs/messages.md leaves out {missing:?}");
}
