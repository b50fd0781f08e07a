//! The documentation says what is there: its links lead somewhere, and its commands, settings, codes and event types are
//! those of the program.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tenantry::{
    config::SETTINGS,
    tenant::{Action, FailureClass, Verdict},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder with that ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), "md");
    let others = ["README.md", "SECURITY.md", "examples/README.md", "examples/signup-app/README.md"];
    pages.extend(others.map(|page| root().join(page)));
    pages
}

/// The fenced blocks of a page, with their languages.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let (mut blocks, mut open) = (Vec::new(), None::<(&str, String)>);
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A page without its fenced blocks.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let kept = page.lines().filter(|line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The targets of `[text](target)`.
fn links(page: &str) -> Vec<String> {
    let page = prose(page);
    page.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

/// The anchors that a page's headings have on GitHub.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let there = match fs::read_to_string(&target) {
                Ok(text) => anchor.is_empty() || anchors(&text).contains(anchor),
                Err(_) => target.is_dir() && anchor.is_empty(),
            };
            if !there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_index_of_decisions_lists_each_page() {
    let linked: BTreeSet<String> = links(&read("docs/decisions/README.md")).into_iter().collect();
    let there: BTreeSet<String> = files(&root().join("docs/decisions"), "md")
        .iter()
        .map(|page| page.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(linked, there);
}

/// The help of a command, as a person gets it.
fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tenantry")).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?} is no command");
    String::from_utf8(output.stdout).unwrap()
}

/// Calls of tenantry on a page, as words: in blocks, also by way of cargo, and in the text.
fn commands(page: &str) -> Vec<Vec<String>> {
    let words = |rest: &str| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut commands = Vec::new();
    for (_, block) in blocks(page).into_iter().filter(|(language, _)| *language == "sh") {
        for line in block.lines() {
            let line = line.split('#').next().unwrap_or_default();
            // An example is another program.
            let of_tenantry = |(options, rest)| (!str::contains(options, "--example")).then_some(rest);
            let by_cargo = || line.split_once("cargo run ")?.1.split_once("-- ").and_then(of_tenantry);
            commands.extend(line.strip_prefix("tenantry ").or_else(by_cargo).map(words));
        }
    }
    let prose = prose(page);
    let spans = prose.split('`').skip(1).step_by(2);
    commands.extend(spans.filter_map(|span| span.strip_prefix("tenantry ")).map(words));
    commands
}

#[test]
fn every_command_on_a_page_exists_with_its_options() {
    let mut seen = BTreeSet::new();
    for page in pages() {
        for words in commands(&fs::read_to_string(&page).unwrap()) {
            let text = help(&[words[0].as_str()]);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(text.contains(option.as_str()), "{}: {} has no {option}", page.display(), words[0]);
            }
            seen.insert(words[0].clone());
        }
    }
    let expected = ["check", "history", "list", "local", "plan", "retry", "status", "submit"];
    assert!(expected.iter().all(|name| seen.contains(*name)), "{seen:?}");
    let readme = read("README.md");
    let readme = blocks(&readme);
    let try_it: Vec<&str> =
        readme.iter().filter(|(language, _)| *language == "sh").map(|(_, text)| text.as_str()).collect();
    assert_eq!(try_it[0], "cargo run --release -- local examples/signups/*.json\ncargo xtask test\n");
    assert!(read(".cargo/config.toml").contains("xtask = "), "`cargo xtask` is no alias");
}

#[test]
fn operating_names_every_command() {
    let page = read("docs/operating.md");
    let listed = help(&[]);
    let (_, commands) = listed.split_once("Commands:").unwrap();
    let (commands, _) = commands.split_once("Options:").unwrap();
    for line in commands.lines().filter(|line| !line.trim().is_empty()) {
        let name = line.split_whitespace().next().unwrap();
        assert!(name == "help" || page.contains(&format!("`{name}")), "docs/operating.md leaves {name} out");
    }
}

#[test]
fn the_table_of_settings_is_that_of_the_program() {
    let rows: Vec<String> = SETTINGS
        .iter()
        .map(|setting| {
            format!(
                "| `{}` | {} | {} | `{}` |",
                setting.name, setting.meaning, setting.default, setting.example
            )
        })
        .collect();
    let page = read("docs/operating.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| setting | "));
    let written: Vec<&str> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
    assert_eq!(written, rows, "docs/operating.md and src/config/settings.rs differ");
}

#[test]
fn operating_says_what_to_do_about_each_class_of_failure() {
    let page = read("docs/operating.md");
    for class in [
        FailureClass::Transient,
        FailureClass::Throttled,
        FailureClass::Ambiguous,
        FailureClass::ReplicationLag,
        FailureClass::Wait,
        FailureClass::NeedsProvider,
        FailureClass::NameHeld,
        FailureClass::Foreign,
        FailureClass::Quota,
        FailureClass::Denied,
        FailureClass::Permanent,
    ] {
        let word = serde_json::to_value(class).unwrap();
        let (begin, end) =
            (format!("| `{}` |", word.as_str().unwrap()), format!("| {} |", class.next_action()));
        let row = page.lines().find(|line| line.starts_with(&begin));
        assert!(row.is_some_and(|row| row.ends_with(&end)), "docs/operating.md: {begin} … {end}");
    }
}

/// The arguments of a call that begins right behind its opening bracket, as they are written.
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

/// The codes in calls that make a fault: arguments that are one lower-case word.
fn codes(folder: &str) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for file in files(&root().join(folder), "rs") {
        let text = fs::read_to_string(file).unwrap();
        for opening in ["fault(", "Fault::new("] {
            for (at, _) in text.match_indices(opening) {
                let words = arguments(&text[at + opening.len()..]);
                codes.extend(words.iter().filter_map(|word| {
                    let word = word.trim().strip_prefix('"')?.strip_suffix('"')?;
                    let plain = word
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
                    (plain && !word.is_empty()).then(|| word.to_owned())
                }));
            }
        }
        // Faults that are written as structures.
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

/// What the planner may say of a request is named in messages.md or in blueprint.md, which it refers to.
#[test]
fn every_code_of_a_plan_that_fails_is_named() {
    let pages = read("docs/messages.md") + &read("docs/blueprint.md");
    let mut codes = BTreeSet::new();
    for file in ["src/blueprint/planner.rs", "src/blueprint/parameter.rs", "src/blueprint/rules.rs"] {
        let text = read(file);
        codes.extend(
            text.split("code: \"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())),
        );
        for (at, _) in text.match_indices("fault(") {
            codes.extend(arguments(&text[at + 6..]).iter().filter_map(|word| {
                let word = word.trim().strip_prefix('"')?.strip_suffix('"')?;
                (word.contains('-') && !word.contains([' ', '/'])).then(|| word.to_owned())
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

/// The event types that the program can tell, without their prefix and version.
fn event_types() -> BTreeSet<String> {
    let nouns =
        [Action::Signup, Action::Update, Action::Suspend, Action::Resume, Action::Deprovision, Action::Retry]
            .map(Action::noun);
    let verdicts = [Verdict::Verified, Verdict::Violated, Verdict::Inconclusive].map(Verdict::word);
    let mut types = BTreeSet::new();
    for file in files(&root().join("src"), "rs") {
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
            let (subject, verb) = of.rsplit_once('.').unwrap();
            let row = page.lines().find(|line| line.starts_with(&format!("| `{subject}.")));
            !page.contains(&format!("`{of}`")) && !row.is_some_and(|row| row.contains(&format!("`.{verb}`")))
        })
        .collect();
    assert!(missing.is_empty(), "docs/messages.md leaves out {missing:?}");
}

#[test]
fn the_examples_of_json_are_json() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for (_, block) in blocks(&text).into_iter().filter(|(language, _)| *language == "json") {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(&block);
            assert!(parsed.is_ok(), "{}: {:?}\n{block}", page.display(), parsed.err());
        }
    }
}

#[test]
fn pages_stay_short_enough_to_be_read() {
    for page in pages() {
        let lines = fs::read_to_string(&page).unwrap().lines().count();
        assert!(lines <= 250, "{} has {lines} lines", page.display());
    }
    assert!(read("README.md").lines().count() <= 130);
}

/// The words in backticks of a text, in order.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = read("docs/security.md");
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let words: Vec<&str> = quoted(row).collect();
        for pair in words.windows(2).filter(|pair| pair[0].starts_with("tests/") && pair[0].ends_with(".rs"))
        {
            assert!(read(pair[0]).contains(&format!("fn {}(", pair[1])), "{} has no {}", pair[0], pair[1]);
            named += 1;
        }
    }
    assert!(named > 25, "the page names {named} tests");
}

/// The fields of each line that is logged: what stands in `tracing::level!(..)` before the text.
fn logged(source: &str) -> Vec<String> {
    let mut fields = Vec::new();
    for (at, _) in source.match_indices("tracing::") {
        let rest = &source[at + "tracing::".len()..];
        let Some(arguments) = ["error", "warn", "info", "debug", "trace"]
            .iter()
            .find_map(|level| rest.strip_prefix(level)?.strip_prefix("!("))
        else {
            continue;
        };
        let fixed = arguments.trim_start().strip_prefix("target: \"handler\",").unwrap_or(arguments);
        let before_text = fixed.split('"').next().unwrap_or_default();
        fields.extend(before_text.split(',').map(str::trim).filter(|field| !field.is_empty()).map(|field| {
            let name = field.split('=').next().unwrap_or_default().trim();
            name.trim_start_matches(['%', '?']).to_owned()
        }));
    }
    fields
}

#[test]
fn only_listed_fields_are_logged() {
    assert_eq!(logged(r#"tracing::warn!(a.b = f(x), %c, ?d, e, "text {f}")"#), ["a.b", "c", "d", "e"]);
    let sources = files(&root().join("src"), "rs");
    let used: BTreeSet<String> =
        sources.iter().flat_map(|path| logged(&fs::read_to_string(path).unwrap())).collect();
    let page = read("docs/operating.md");
    let table = page.split("| field | what it is |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter_map(|row| row.split('|').nth(1));
    let listed: BTreeSet<String> = rows.flat_map(quoted).map(str::to_owned).collect();
    assert_eq!(used, listed, "left: logged in src; right: listed in docs/operating.md");
}
