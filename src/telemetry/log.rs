//! Log lines: JSON for the Functions host, plain text for people.
//!
//! The host treats each stdout line of its handler as a log record of level Information, and stderr lines as errors.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, fmt as write,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

use super::trace::Trace;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// JSON, one object per line, on stdout.
    Json,
    /// For people, on stderr.
    Plain,
}

/// Directives that switch off two targets, whatever the filter: there `azure_core` 0.21 logs the `Authorization`
/// header, and `azure_storage` its credentials.
const MUTE: [&str; 2] = ["azure_core::policies::transport=off", "azure_storage::authorization=off"];

/// Starts logging; a second call changes nothing. `filter` is a tracing filter, `otherwise` the filter to use without
/// one.
pub fn begin(style: Style, filter: Option<&str>, otherwise: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or(otherwise));
    let mute = MUTE.iter().filter_map(|directive| directive.parse().ok());
    let filter = mute.fold(filter, EnvFilter::add_directive);
    let begun = match style {
        Style::Json => write().event_format(Lines).with_env_filter(filter).try_init(),
        Style::Plain => write().with_writer(std::io::stderr).with_env_filter(filter).try_init(),
    };
    // A test may have started logging already.
    let _ = begun;
}

/// Formats a log event as a JSON object in one line. The members that every line has come first.
struct Lines;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    target: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let at = Trace::current();
        let line = Line {
            timestamp,
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            trace_id: at.map(|at| at.id().simple().to_string()),
            span_id: at.map(|at| format!("{:016x}", at.span())),
            fields: fields.0,
        };
        writeln!(out, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

/// The fields of a log event as JSON members; `message` is its text.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}
