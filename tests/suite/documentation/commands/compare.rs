//! Compares the output that a page shows with the real one.
//!
//! What differs from run to run is masked: times and durations, GUIDs, lines of progress, and the widths of columns. A
//! line of `...` stands for any number of lines, `...` within a line for any text.

use jiff::Timestamp;

/// One token with a mask for what differs from run to run.
fn masked(token: &str) -> String {
    let core = token.trim_matches(|c: char| !c.is_alphanumeric());
    let is_guid = core.len() == 36
        && core.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && core.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let is_span = core.strip_suffix("ms").or_else(|| core.strip_suffix('s')).is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok()
    });
    let mask = match () {
        () if is_guid => "<guid>",
        () if core.parse::<Timestamp>().is_ok() => "<time>",
        () if is_span => "<span>",
        () => return token.to_owned(),
    };
    token.replace(core, mask)
}

/// Whether a line shows progress; such lines may be missing.
fn is_progress(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(_, rest)| {
        let tokens: Vec<&str> = rest.split([' ', ',', ';']).filter(|token| !token.is_empty()).collect();
        matches!(tokens.as_slice(), [_, done, "of", total, "steps", ..]
            if done.parse::<u32>().is_ok() && total.parse::<u32>().is_ok())
    })
}

fn lines(text: &str) -> Vec<String> {
    let kept = text.lines().filter(|line| !is_progress(line));
    let masked = kept.map(|line| line.split_whitespace().map(masked).collect::<Vec<_>>().join(" "));
    masked.filter(|line| !line.is_empty()).collect()
}

/// Whether a line is as shown, `...` standing for any text.
fn line_fits(shown: &str, line: &str) -> bool {
    let mut parts = shown.split("...");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Whether all lines are as shown; `reached` is set to the number of shown lines that fitted.
fn fits(shown: &[String], seen: &[String], done: usize, reached: &mut usize) -> bool {
    *reached = (*reached).max(done);
    match shown.split_first() {
        None => seen.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=seen.len()).any(|skip| fits(rest, &seen[skip..], done + 1, reached))
        }
        Some((first, rest)) => seen
            .split_first()
            .is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others, done + 1, reached)),
    }
}

/// Compares the output of commands with the output that a page shows.
///
/// # Errors
/// The first line that is not found, and the whole output.
pub(super) fn same(shown: &str, seen: &str) -> Result<(), String> {
    let (expected, found) = (lines(shown), lines(seen));
    let mut reached = 0;
    if fits(&expected, &found, 0, &mut reached) {
        return Ok(());
    }
    let at = expected.get(reached).map_or("the end", String::as_str);
    Err(format!("not found: {at}\n--- printed\n{seen}---"))
}

#[test]
fn times_durations_guids_and_progress_are_no_difference() {
    let shown = "begun at 2026-11-22T19:46:49Z\na: provisioning, 2 of 18 steps; x\n...\nA   TOOK\nb  5.7s  \
                 16d26c7f-a6e1-55f7-88fa-2323d36d1caa  mlw-x\n";
    let seen = "begun at 2027-01-01T00:00:00.5Z\nwhatever\nmore\nA TOOK\nb 12ms \
                00000000-a6e1-55f7-88fa-2323d36d1caa mlw-x\n";
    assert_eq!(same(shown, seen), Ok(()));
    assert!(same(shown, &seen.replace("mlw-x", "mlw-y")).is_err());
    assert!(same("a\nb\n", "a\n").is_err());
    assert!(same("a\n", "a\nb\n").is_err());
    assert_eq!(same("x '...' y\n", "x 'what is it' y\n"), Ok(()));
    assert!(same("x '...' y\n", "x 'what is it' z\n").is_err());
}
