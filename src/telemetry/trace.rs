//! The trace that work belongs to (W3C Trace Context).

use std::future::Future;

use uuid::Uuid;

use super::export::exporting;

tokio::task_local! {
    static TRACE: Option<Trace>;
}

/// A position in a trace: the trace's id, and the span that is the parent of what follows.
///
/// Azure gets the id too, as the correlation id, so the activity log's entries about a request can be found by the
/// trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: Uuid,
    span: u64,
    sampled: bool,
}

impl Trace {
    /// The position in a `traceparent` header; a new trace if there is none, or an invalid one.
    pub fn of(traceparent: Option<&str>) -> Self {
        traceparent.and_then(Self::parse).unwrap_or_else(|| Self::new(fresh(), false))
    }

    /// The position in a `traceparent`, if it is valid.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.trim_matches(['"', ' ']).split('-');
        let (version, id, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex(version, 2) || version == "ff" || !hex(id, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let id = Uuid::try_parse(id).ok().filter(|id| !id.is_nil())?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self { id, span, sampled })
    }

    fn new(id: Uuid, sampled: bool) -> Self {
        // Never all zeros: some bits of a version 4 UUID are fixed.
        let (span, _) = fresh().as_u64_pair();
        Self { id, span, sampled }
    }

    /// A position with these ids.
    pub(super) fn at(id: Uuid, span: u64, sampled: bool) -> Self {
        Self { id, span, sampled }
    }

    /// The position of a new span in the same trace.
    pub(super) fn child(self) -> Self {
        Self::new(self.id, self.sampled)
    }

    /// This position with the sampling decision of another one.
    #[must_use]
    pub fn recorded_as(self, other: Self) -> Self {
        Self { sampled: other.sampled, ..self }
    }

    /// This position, sampled as if this program had started the trace: the sampled flag of the sender is not used. The
    /// Functions host sends "not sampled" for everything that no earlier sender has sampled.
    #[must_use]
    pub fn undecided(self) -> Self {
        let sampled = exporting().map_or(self.sampled, |exporting| exporting.takes(self.id));
        Self { sampled, ..self }
    }

    /// The position of the current task, if it belongs to a trace.
    pub fn current() -> Option<Self> {
        TRACE.try_with(|trace| *trace).ok().flatten()
    }

    /// The position of the current task, as a `traceparent`.
    pub fn current_header() -> Option<String> {
        Self::current().map(Self::header)
    }

    /// Runs a future at this position.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        scope(Some(self), work)
    }

    /// The id of the trace, shared by all its spans.
    pub fn id(self) -> Uuid {
        self.id
    }

    /// The id of the span.
    pub fn span(self) -> u64 {
        self.span
    }

    /// Whether the trace is sampled.
    pub fn is_sampled(self) -> bool {
        self.sampled
    }

    /// This position as a `traceparent`.
    pub fn header(self) -> String {
        format!("00-{}-{:016x}-0{}", self.id.simple(), self.span, u8::from(self.sampled))
    }
}

/// Runs a future at a position, or at none.
pub(super) fn scope<F: Future>(at: Option<Trace>, work: F) -> impl Future<Output = F::Output> {
    TRACE.scope(at, work)
}

/// A random id for outside protocols: traces, spans, requests. No decision depends on it.
#[expect(clippy::disallowed_methods, reason = "W3C Trace Context and x-ms-client-request-id want random ids")]
pub fn fresh() -> Uuid {
    Uuid::new_v4()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_position_is_read_and_written_without_loss() {
        let trace = Trace::parse(PARENT).unwrap();
        assert_eq!(trace.id().to_string(), "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
        assert_eq!((trace.header().as_str(), trace.is_sampled()), (PARENT, true));
        assert_eq!(Trace::parse(&format!("\"{PARENT}\"")), Some(trace), "as a quoted property");
    }

    #[test]
    fn a_child_is_another_span_of_the_same_trace() {
        let trace = Trace::parse(PARENT).unwrap();
        let (one, two) = (trace.child(), trace.child());
        assert_eq!((one.id(), one.is_sampled()), (trace.id(), true));
        assert_ne!(one.span(), two.span());
        assert_eq!(one.header().len(), PARENT.len());
    }

    #[test]
    fn an_invalid_position_starts_a_new_trace() {
        for odd in [
            "",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "|7d7e9a1b.",
        ] {
            assert_eq!(Trace::parse(odd), None, "{odd}");
            assert!(!Trace::of(Some(odd)).id().is_nil());
        }
        assert!(!Trace::of(None).id().is_nil());
    }
}
