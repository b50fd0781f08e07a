//! The figures in docs/limits.md are those of the program.

use std::time::Duration;

use tenantry::reconciler::Settings;
use tenantry_core::{
    engine::Policy,
    ids::{StepName, TenantId},
};

use super::pages::{quoted, read};

/// The value of a limit as a page writes it: in bytes, in seconds, or the bare number.
fn written(limit: &str) -> u64 {
    let (number, unit) = limit.split_once(' ').unwrap_or((limit, ""));
    let number: u64 = number.replace(',', "").parse().unwrap_or_else(|_| panic!("`{limit}` is no figure"));
    let factor = match unit {
        "" | "bytes" | "characters" | "seconds" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "minutes" => 60,
        "hours" => 3600,
        other => panic!("`{other}` is a unit that no limit has"),
    };
    number * factor
}

/// The value of a constant's expression: a number, or a span in seconds; only `*` and `<<` occur.
fn value(expression: &str) -> u64 {
    let inner = expression.split_once("from_secs(").and_then(|(_, rest)| rest.strip_suffix(')'));
    let text = inner.unwrap_or(expression).replace('_', "");
    let number = |text: &str| {
        text.trim().parse::<u64>().unwrap_or_else(|_| panic!("`{expression}` can't be worked out here"))
    };
    match text.split_once("<<") {
        Some((left, right)) => number(left) << number(right),
        None => text.split('*').map(number).product(),
    }
}

/// The value of a constant in a source file.
fn constant(name: &str, file: &str) -> u64 {
    let source = read(file);
    let begin = format!("const {name}: ");
    let line = source.lines().find(|line| line.contains(&begin));
    let line = line.unwrap_or_else(|| panic!("{file} has no constant {name}"));
    let (_, expression) = line.split_once(" = ").unwrap();
    value(expression.trim_end_matches(';'))
}

/// The value of a limit that is not a constant, but a field of the settings for Azure.
fn setting(name: &str) -> u64 {
    let (settings, policy) = (Settings::azure("any"), Policy::azure());
    let span = |span: Duration| span.as_secs();
    match name {
        "Settings::azure().request_timeout" => span(settings.request_timeout),
        "Settings::azure().lease" => span(settings.lease),
        "Settings::azure().budget" => span(settings.budget),
        "Settings::azure().skew" => span(settings.skew),
        "Policy::azure().max_failures" => policy.max_failures.into(),
        "Policy::azure().backoff_most" => span(policy.backoff_most),
        "Policy::azure().unknown_tries" => policy.unknown_tries.into(),
        "Policy::azure().unknown_window" => span(policy.unknown_window),
        "Policy::azure().lag_budget" => span(policy.lag_budget),
        "Policy::azure().operation_deadline" => span(policy.operation_deadline),
        "Policy::azure().operation_most" => span(policy.operation_most),
        other => panic!("`{other}` is not known here"),
    }
}

#[test]
fn the_figures_of_the_page_of_limits_are_those_of_the_program() {
    let page = read("docs/limits.md");
    let table = page.lines().skip_while(|line| !line.starts_with("| what | limit | constant |"));
    let rows: Vec<&str> = table.skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 30, "only {} limits", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, limit, of] = cells[..] else { panic!("{row}") };
        let names: Vec<&str> = quoted(of).collect();
        let real = match names[..] {
            [name, file] => constant(name, file),
            [name] => setting(name),
            _ => panic!("{row}: it names no constant"),
        };
        assert_eq!(written(limit), real, "docs/limits.md: {what}: {of}");
    }
}

#[test]
fn ids_are_as_long_as_the_page_says() {
    let tenant = |length: usize| "a".repeat(length).parse::<TenantId>().is_ok();
    let step = |length: usize| "a".repeat(length).parse::<StepName>().is_ok();
    assert_eq!([2, 3, 32, 33].map(tenant), [false, true, true, false]);
    assert_eq!([0, 1, 40, 41].map(step), [false, true, true, false]);
    let page = read("docs/limits.md").replace('\n', " ");
    assert!(page.contains("three to thirty-two of") && page.contains("one to forty of"));
}

#[test]
fn figures_are_read_as_people_write_them() {
    assert_eq!(["64 KiB", "1,024", "2 hours"].map(written), [65536, 1024, 7200]);
    assert_eq!(
        ["900 * 1024", "8 << 20", "10_000", "Duration::from_secs(5 * 60)"].map(value),
        [921_600, 8 << 20, 10_000, 300]
    );
}
