//! What the program tells of its own work: log lines, spans of a trace, and metrics (docs/telemetry.md lists them all).
//!
//! - Logs always: JSON lines on stdout for the Functions host, plain lines on stderr for people.
//! - The trace that work belongs to is always known and handed on ([`Trace`]), whether or not anybody records it: Azure
//!   is told its id, and a tenant's document keeps it over parked operations and restarts.
//! - Spans and metrics are recorded and exported only where an endpoint is set ([`export()`]). Where none is, recording
//!   one costs a look at an empty cell.
//!
//! # Guarantees
//! Exporting happens on threads of its own, from queues of a bounded length: it delays nothing, fails nothing, and what
//! can't be delivered is dropped. Nothing but the attributes at each call goes out: no header, no body, no query.

mod codes;
mod courier;
mod export;
mod log;
pub mod metrics;
mod span;
mod trace;

pub use codes::label;
pub use export::{Export, Exporter, Sampling, export};
pub use log::{Style, begin};
pub use metrics::{METRICS, Metric};
pub use opentelemetry::{KeyValue, trace::SpanKind};
pub use span::Span;
pub use trace::{Trace, fresh};
