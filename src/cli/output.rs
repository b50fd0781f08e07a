//! Output: results on stdout, problems on stderr.

use std::io::Write as _;

/// Prints a line of the result. Write errors, such as a closed pipe, are ignored.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line about a problem.
pub(super) fn problem(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        below = cause.source();
    }
    text
}

/// A table with a heading, columns as wide as their widest cell.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|cell| cell.chars().count())).max().unwrap_or_default()
    };
    let format_row = |row: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> =
            row.enumerate().map(|(at, cell)| format!("{cell:<w$}", w = width(at))).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![format_row(&mut heading.iter().copied())];
    lines.extend(rows.iter().map(|row| format_row(&mut row.iter().map(String::as_str))));
    lines
}
