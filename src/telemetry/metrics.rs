//! The table of all metrics. docs/telemetry.md repeats it; a test compares both.
//!
//! Each attribute has few values: none identifies a tenant, a request or a resource.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter},
};

use super::export::exporting;

/// The kind of OpenTelemetry instrument that a metric has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentKind {
    /// A count of events.
    Counter,
    /// A distribution over buckets.
    Histogram,
    /// A current value.
    Gauge,
}

impl InstrumentKind {
    /// The kind's name in OpenTelemetry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        }
    }
}

/// The description of one metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// The metric's name, e.g. `tenantry.requests`.
    pub name: &'static str,
    /// The kind of instrument.
    pub kind: InstrumentKind,
    /// The unit, in UCUM notation, e.g. `s`.
    pub unit: &'static str,
    /// The names of the attributes.
    pub attributes: &'static [&'static str],
    /// What the metric measures.
    pub meaning: &'static str,
}

const fn metric(
    name: &'static str,
    kind: InstrumentKind,
    unit: &'static str,
    attributes: &'static [&'static str],
    meaning: &'static str,
) -> Metric {
    Metric { name, kind, unit, attributes, meaning }
}

/// Requests by action and answer.
pub const REQUESTS: Metric = metric(
    "tenantry.requests",
    InstrumentKind::Counter,
    "{request}",
    &["tenantry.action", "tenantry.outcome"],
    "requests that were answered: `accepted`, `rejected` or `planned`; repeats count again",
);
/// Operations by action and outcome.
pub const OPERATIONS: Metric = metric(
    "tenantry.operations",
    InstrumentKind::Counter,
    "{operation}",
    &["tenantry.action", "tenantry.outcome"],
    "accepted requests that have ended: `succeeded`, `waiting` or `failed`",
);
/// The duration of sign-ups.
pub const TIME_TO_READY: Metric = metric(
    "tenantry.time_to_ready",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.blueprint"],
    "from the acceptance of a sign-up until its tenant is active",
);
/// How long a suspension takes to cut access.
pub const ACCESS_CUT: Metric = metric(
    "tenantry.access_cut",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.blueprint"],
    "from the acceptance of a suspension until the last step that cuts access was observed to have done so",
);
/// The duration of steps.
pub const STEP_DURATION: Metric = metric(
    "tenantry.step.duration",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.blueprint", "tenantry.step", "tenantry.step.kind"],
    "from the last write of a step until its desired state was observed; steps that needed no write have none",
);
/// Retries by code and class.
pub const RETRIES: Metric = metric(
    "tenantry.retries",
    InstrumentKind::Counter,
    "{retry}",
    &["tenantry.code", "tenantry.class"],
    "failures after which a step is retried automatically, by code and class",
);
/// Answers with codes that the table of errors does not know.
pub const UNKNOWN_CODES: Metric = metric(
    "tenantry.unknown_codes",
    InstrumentKind::Counter,
    "{answer}",
    &["tenantry.code"],
    "answers whose code the table of errors does not know; from the 101st code of a process on, and for what is no code, `other`",
);
/// How long requests are delayed by the services' limits.
pub const THROTTLE_WAIT: Metric = metric(
    "tenantry.throttle.wait",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.service", "tenantry.waited"],
    "how long a request was delayed by a service's limits, `inline` or `requeued`",
);
/// How long messages were in their queue.
pub const QUEUE_AGE: Metric = metric(
    "tenantry.queue.age",
    InstrumentKind::Histogram,
    "s",
    &["faas.name"],
    "how long a message had been in its queue when its function was called",
);
/// How many entries a sweep finds overdue.
pub const DUE_BACKLOG: Metric = metric(
    "tenantry.due.backlog",
    InstrumentKind::Gauge,
    "{tenant}",
    &[],
    "what the sweep found overdue: tenants whose wake-up was lost, refusals that were not published; 200 means 200 or more",
);
/// How many entries stay overdue although sweeps run.
pub const STUCK: Metric = metric(
    "tenantry.stuck",
    InstrumentKind::Gauge,
    "{tenant}",
    &[],
    "what has been overdue for more than ten minutes, although sweeps ran; 200 means 200 or more",
);
/// How late events are published.
pub const OUTBOX_LAG: Metric = metric(
    "tenantry.outbox.lag",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.outcome"],
    "how old the oldest event of a publication was: `published`, or `failed` and to be retried",
);
/// Dead letters that were taken in again.
pub const DEAD_LETTERS: Metric = metric(
    "tenantry.dead_letters",
    InstrumentKind::Counter,
    "{message}",
    &[],
    "dead letters of the request queue that were taken in again, each counted when it was settled",
);

/// Rows of the state that this version can't read.
pub const UNREADABLE: Metric = metric(
    "tenantry.unreadable",
    InstrumentKind::Counter,
    "{row}",
    &["tenantry.kind"],
    "rows of the state that this version can't read, a `tenant` or a `request`; each run of a timer counts each again",
);

/// All metrics.
pub const METRICS: [Metric; 14] = [
    REQUESTS,
    OPERATIONS,
    TIME_TO_READY,
    ACCESS_CUT,
    STEP_DURATION,
    RETRIES,
    UNKNOWN_CODES,
    THROTTLE_WAIT,
    QUEUE_AGE,
    DUE_BACKLOG,
    STUCK,
    OUTBOX_LAG,
    DEAD_LETTERS,
    UNREADABLE,
];

/// The upper bounds of the histograms' buckets, in seconds: from the duration of a request to that of an endpoint's
/// creation, with all measured times in between.
const BUCKETS: [f64; 16] =
    [0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0];

/// Records a number, if metrics are exported. `values` are the values of the metric's attributes, in their order.
pub fn record<const N: usize>(metric: &Metric, number: f64, values: impl FnOnce() -> [String; N]) {
    let Some(instrument) = exporting().and_then(|exporting| exporting.instrument(metric.name)) else {
        return;
    };
    let named = metric.attributes.iter().zip(values());
    let attributes: Vec<KeyValue> = named.map(|(name, value)| KeyValue::new(*name, value)).collect();
    match instrument {
        Instrument::Counter(counter) => counter.add(number, &attributes),
        Instrument::Histogram(histogram) => histogram.record(number, &attributes),
        Instrument::Gauge(gauge) => gauge.record(number, &attributes),
    }
}

/// The recorder of one metric.
pub(super) enum Instrument {
    Counter(Counter<f64>),
    Histogram(Histogram<f64>),
    Gauge(Gauge<f64>),
}

impl Instrument {
    pub(super) fn of(metric: &Metric, meter: &Meter) -> Self {
        let Metric { name, unit, meaning, .. } = *metric;
        match metric.kind {
            InstrumentKind::Counter => {
                Self::Counter(meter.f64_counter(name).with_unit(unit).with_description(meaning).build())
            }
            InstrumentKind::Histogram => {
                let histogram = meter.f64_histogram(name).with_unit(unit).with_description(meaning);
                Self::Histogram(histogram.with_boundaries(BUCKETS.to_vec()).build())
            }
            InstrumentKind::Gauge => {
                Self::Gauge(meter.f64_gauge(name).with_unit(unit).with_description(meaning).build())
            }
        }
    }
}
