//! The program's telemetry: log lines, spans, and metrics (docs/telemetry.md lists them all).
//!
//! - Logs always: JSON lines on stdout for the Functions host, plain lines on stderr for people.
//! - The trace that work belongs to is always known ([`Trace`]), whether or not it is recorded: requests to Azure carry
//!   its id, and a tenant's document keeps it while the tenant is requeued and across restarts.
//! - Spans and metrics are recorded and exported only if an endpoint is set ([`export()`]). Otherwise recording one
//!   costs only a read of an empty cell.
//!
//! # Guarantees
//! Exports run on threads of their own, from bounded queues: they delay nothing, fail nothing, and drop what can't be
//! delivered. Only the attributes given at each call are exported: no header, no body, no query.

mod codes;
mod export;
mod log;
pub mod metrics;
mod otlp_exporter;
mod span;
mod trace;

pub use codes::label;
pub use export::{Export, Exporter, Sampling, export};
pub use log::{Style, begin};
pub use metrics::{METRICS, Metric};
pub use opentelemetry::{KeyValue, trace::SpanKind};
pub use span::Span;
pub use trace::{Trace, fresh};
