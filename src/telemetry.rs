//! Logs: JSON lines on stdout for the Functions host, plain lines on stderr for people.
//!
//! And the trace that requests belong to.
//!
//! The host takes each stdout line of its handler for a log record of level Information, and stderr lines for errors.

use std::future::Future;

use tracing_subscriber::{EnvFilter, fmt};
use uuid::Uuid;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// JSON, one object per line, on stdout.
    Json,
    /// For people, on stderr.
    Plain,
}

/// What is never logged, whatever is asked for: `azure_core` 0.21 shows the `Authorization` header there, and the
/// storage crate its credentials.
const MUTE: [&str; 2] = ["azure_core::policies::transport=off", "azure_storage::authorization=off"];

/// Begins logging; a second call changes nothing. `filter` is in tracing's form, `otherwise` is the level without one.
pub fn begin(style: Style, filter: Option<&str>, otherwise: &str) {
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or(otherwise));
    let mute = MUTE.iter().filter_map(|directive| directive.parse().ok());
    let filter = mute.fold(filter, EnvFilter::add_directive);
    let begun = match style {
        Style::Json => fmt().json().flatten_event(true).with_env_filter(filter).try_init(),
        Style::Plain => fmt().with_writer(std::io::stderr).with_env_filter(filter).try_init(),
    };
    // A test may have begun already.
    let _ = begun;
}

tokio::task_local! {
    static TRACE: Trace;
}

/// The trace that the work of one invocation belongs to (W3C Trace Context).
///
/// Azure is told its id as well, as the correlation id: what the activity log says of a request is found by the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: Uuid,
    sampled: bool,
}

impl Trace {
    /// The trace of a `traceparent` header; a new one if there is none, or none that can be read.
    pub fn of(traceparent: Option<&str>) -> Self {
        traceparent.and_then(Self::parse).unwrap_or_else(|| Self { id: fresh(), sampled: false })
    }

    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (_version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let id = Uuid::try_parse(id).ok().filter(|parsed| id.len() == 32 && !parsed.is_nil())?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        (span.len() == 16).then_some(Self { id, sampled })
    }

    /// The trace of the present task, if it has one.
    pub fn current() -> Option<Self> {
        TRACE.try_with(|trace| *trace).ok()
    }

    /// Runs something within this trace.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        TRACE.scope(self, work).await
    }

    /// The id of the whole trace.
    pub fn id(self) -> Uuid {
        self.id
    }

    /// A `traceparent` for one outgoing request, which is a span of its own.
    pub fn outgoing(self) -> String {
        let (span, _) = fresh().as_u64_pair();
        format!("00-{}-{span:016x}-0{}", self.id.simple(), u8::from(self.sampled))
    }
}

/// A random id for what outside protocols want one for: traces, spans, requests. Nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "W3C Trace Context and x-ms-client-request-id want random ids")]
pub fn fresh() -> Uuid {
    Uuid::new_v4()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn outgoing_requests_are_spans_of_the_same_trace() {
        let trace = Trace::of(Some(PARENT));
        assert_eq!(trace.id().to_string(), "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
        let (one, two) = (trace.outgoing(), trace.outgoing());
        assert!(one.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && one.ends_with("-01"));
        assert_eq!((one.len(), one == two), (PARENT.len(), false));
    }

    #[test]
    fn what_is_no_trace_begins_a_new_one() {
        for odd in [
            None,
            Some(""),
            Some("00-0-0-0"),
            Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        ] {
            assert!(!Trace::of(odd).id().is_nil());
        }
    }
}
