//! What pages state about the program is true: commands and their options, settings, classes of failure, log fields,
//! tests.

use std::{collections::BTreeSet, fs, process::Command};

use tenantry::config::SETTINGS;

use super::pages::{blocks, files, pages, prose, quoted, read, root};
use crate::testkit::CLASSES;

/// The output of `--help` for a command.
fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tenantry")).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?} is no command");
    String::from_utf8(output.stdout).unwrap()
}

/// The arguments of each call of `tenantry` on a page: in `sh` blocks, where cargo may run it too, and in backticks in
/// the text.
fn commands(page: &str) -> Vec<Vec<String>> {
    let arguments = |rest: &str| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut commands = Vec::new();
    for block in blocks(page).into_iter().filter(|block| block.language == "sh") {
        for line in block.text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            // `cargo run --example` runs another program.
            let of_tenantry = |(options, rest)| (!str::contains(options, "--example")).then_some(rest);
            let by_cargo = || line.split_once("cargo run ")?.1.split_once("-- ").and_then(of_tenantry);
            commands.extend(line.strip_prefix("tenantry ").or_else(by_cargo).map(arguments));
        }
    }
    let prose = prose(page);
    let spans = prose.split('`').skip(1).step_by(2);
    commands.extend(spans.filter_map(|span| span.strip_prefix("tenantry ")).map(arguments));
    commands
}

#[test]
fn every_command_on_a_page_exists_with_its_options() {
    let mut seen = BTreeSet::new();
    for (page, text) in pages() {
        for arguments in commands(&text) {
            let help = help(&[arguments[0].as_str()]);
            for option in arguments.iter().filter(|argument| argument.starts_with("--")) {
                assert!(help.contains(option.as_str()), "{page}: {} has no {option}", arguments[0]);
            }
            seen.insert(arguments[0].clone());
        }
    }
    let expected = ["check", "history", "list", "local", "plan", "retry", "status", "submit"];
    assert!(expected.iter().all(|name| seen.contains(*name)), "{seen:?}");
    let readme = read("README.md");
    let readme = blocks(&readme);
    let try_it: Vec<&str> =
        readme.iter().filter(|block| block.language == "sh").map(|block| block.text.as_str()).collect();
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
    for class in CLASSES {
        let (begin, end) =
            (format!("| `{}` |", super::class_name(class)), format!("| {} |", class.next_action()));
        let row = page.lines().find(|line| line.starts_with(&begin));
        assert!(row.is_some_and(|row| row.ends_with(&end)), "docs/operating.md: {begin} … {end}");
    }
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let page = read("docs/security.md");
    let mut named = 0;
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let texts: Vec<&str> = quoted(row).collect();
        for pair in texts.windows(2).filter(|pair| pair[0].starts_with("tests/") && pair[0].ends_with(".rs"))
        {
            assert!(read(pair[0]).contains(&format!("fn {}(", pair[1])), "{} has no {}", pair[0], pair[1]);
            named += 1;
        }
    }
    assert!(named > 25, "the page names {named} tests");
}

/// The names of the fields of all log lines in a source: the arguments of `tracing::level!(..)` before the text.
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
    let sources = ["src", "crates"].map(|folder| files(&root().join(folder), "rs"));
    let used: BTreeSet<String> =
        sources.iter().flatten().flat_map(|path| logged(&fs::read_to_string(path).unwrap())).collect();
    let pages = pages();
    let mut tables = pages.iter().filter_map(|(_, text)| text.split("| field | what it is |").nth(1));
    let table = tables.next().and_then(|rest| rest.split("\n\n").next()).unwrap();
    assert_eq!(tables.next(), None, "two pages list the fields of the log");
    let rows = table.lines().filter_map(|row| row.split('|').nth(1));
    let listed: BTreeSet<String> = rows.flat_map(quoted).map(str::to_owned).collect();
    assert_eq!(used, listed, "left: logged in src; right: listed on the page that has the table");
}
