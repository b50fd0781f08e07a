//! Logs: JSON lines on stdout for the Functions host, plain lines on stderr for people.
//!
//! The host takes each stdout line of its handler for a log record of level Information, and stderr lines for errors.

use tracing_subscriber::{EnvFilter, fmt};

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// JSON, one object per line, on stdout.
    Json,
    /// For people, on stderr.
    Plain,
}

/// Begins logging; a second call changes nothing. `filter` is in tracing's form, `otherwise` is the level without one.
pub fn begin(style: Style, filter: Option<&str>, otherwise: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or(otherwise));
    let begun = match style {
        Style::Json => fmt().json().flatten_event(true).with_env_filter(filter).try_init(),
        Style::Plain => fmt().with_writer(std::io::stderr).with_env_filter(filter).try_init(),
    };
    // A test may have begun already.
    let _ = begun;
}
