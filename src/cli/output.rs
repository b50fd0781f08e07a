//! Output: results on stdout, problems on stderr.

use std::io::Write as _;

/// Prints a line of the result on stdout. Write errors, such as a closed pipe, are ignored.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a problem on stderr, after `error: `.
pub(super) fn problem(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// The text of an error, followed by those of its causes that it does not already end with.
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

/// The lines of a table: the heading, then the rows. Each column is as wide as its widest cell.
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
