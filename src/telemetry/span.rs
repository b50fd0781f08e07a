//! A span: one piece of work within a trace.

use std::{borrow::Cow, future::Future};

use opentelemetry::{
    Context, KeyValue, Value,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
        TraceFlags, TraceId, TraceState,
    },
};
use opentelemetry_sdk::trace::Span as Recorded;
use uuid::Uuid;

use super::{
    export::exporting,
    trace::{Trace, scope},
};

/// A span, from its start until it is dropped. It is recorded only if spans are exported and its trace is sampled; its
/// ids are known in any case.
#[must_use]
pub struct Span {
    at: Option<Trace>,
    recorded: Option<Recorded>,
}

impl Span {
    /// Begins a child of the current span. Outside of every trace and without an exporter, the span does nothing.
    pub fn begin<N: Into<Cow<'static, str>>>(
        kind: SpanKind,
        name: impl FnOnce() -> N,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        let parent = Trace::current();
        match parent {
            None if exporting().is_none() => Self { at: None, recorded: None },
            _ => Self::under(parent, None, kind, name, attributes),
        }
    }

    /// Begins a child of `parent`, or the root of a new trace if there is none. `link` is a second cause, in another
    /// trace.
    pub fn under<N: Into<Cow<'static, str>>>(
        parent: Option<Trace>,
        link: Option<Trace>,
        kind: SpanKind,
        name: impl FnOnce() -> N,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self {
        let Some(exporting) = exporting() else {
            let at = parent.map_or_else(|| Trace::of(None), Trace::child);
            return Self { at: Some(at), recorded: None };
        };
        let context = match parent {
            Some(parent) => Context::new().with_remote_span_context(context_of(parent)),
            None => Context::new(),
        };
        let links = link.map(|link| Link::with_context(context_of(link)));
        let span = SpanBuilder::from_name(name()).with_kind(kind).with_attributes(attributes());
        let span = exporting.start(span.with_links(links.into_iter().collect()), &context);
        let given = span.span_context();
        // After the exporter has ended, spans have no ids of their own.
        let at = match given.is_valid() {
            true => Trace::at(
                Uuid::from_bytes(given.trace_id().to_bytes()),
                u64::from_be_bytes(given.span_id().to_bytes()),
                given.is_sampled(),
            ),
            false => parent.map_or_else(|| Trace::of(None), Trace::child),
        };
        Self { at: Some(at), recorded: span.is_recording().then_some(span) }
    }

    /// The span's position in the trace, which is the parent of its children; `None` for a span that does nothing.
    pub fn at(&self) -> Option<Trace> {
        self.at
    }

    /// Runs a future within the span, so that spans which the future begins are its children.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        scope(self.at, work)
    }

    /// Sets an attribute of the span, if the span is recorded.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(recorded) = &mut self.recorded {
            recorded.set_attribute(KeyValue::new(name, value));
        }
    }

    /// Marks the span as failed, with a code as the reason. Never pass a text that another party wrote.
    pub fn fail(&mut self, code: impl Into<Cow<'static, str>>) {
        if let Some(recorded) = &mut self.recorded {
            let code = code.into();
            recorded.set_attribute(KeyValue::new("error.type", code.clone()));
            recorded.set_status(Status::error(code));
        }
    }
}

/// Converts a position for OpenTelemetry. It counts as remote, as from another process.
fn context_of(trace: Trace) -> SpanContext {
    let flags = TraceFlags::default().with_sampled(trace.is_sampled());
    let (id, span) =
        (TraceId::from_bytes(trace.id().into_bytes()), SpanId::from_bytes(trace.span().to_be_bytes()));
    SpanContext::new(id, span, flags, true, TraceState::default())
}
