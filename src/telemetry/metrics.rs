//! The metrics, in one table; docs/telemetry.md repeats it, and a test compares.
//!
//! Every attribute has few values: no tenant, no request, no resource is named in one.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter},
};

use super::export::exporting;

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentKind {
    /// How often.
    Counter,
    /// How long, spread over buckets.
    Histogram,
    /// How many at the moment.
    Gauge,
}

impl InstrumentKind {
    /// The field's own word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: InstrumentKind,
    /// Its unit, as UCUM writes it.
    pub unit: &'static str,
    /// The attributes that its numbers have.
    pub attributes: &'static [&'static str],
    /// What it says.
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

/// Requests by what they were answered.
pub const REQUESTS: Metric = metric(
    "tenantry.requests",
    InstrumentKind::Counter,
    "{request}",
    &["tenantry.action", "tenantry.outcome"],
    "requests that were answered: `accepted`, `rejected` or `planned`; repeats count again",
);
/// Operations by how they ended.
pub const OPERATIONS: Metric = metric(
    "tenantry.operations",
    InstrumentKind::Counter,
    "{operation}",
    &["tenantry.action", "tenantry.outcome"],
    "accepted requests that came to an outcome: `succeeded`, `waiting` or `failed`",
);
/// How long sign-ups take.
pub const TIME_TO_READY: Metric = metric(
    "tenantry.time_to_ready",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.blueprint"],
    "from the acceptance of a sign-up until its tenant is active",
);
/// How long suspensions take to cut access.
pub const ACCESS_CUT: Metric = metric(
    "tenantry.access_cut",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.blueprint"],
    "from the acceptance of a suspension until the last step that cuts access was seen to have done so",
);
/// How long steps take.
pub const STEP_DURATION: Metric = metric(
    "tenantry.step.duration",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.blueprint", "tenantry.step", "tenantry.step.kind"],
    "from the last write of a step until it was seen as wanted; steps that needed no write have none",
);
/// How often is tried again, and why.
pub const RETRIES: Metric = metric(
    "tenantry.retries",
    InstrumentKind::Counter,
    "{retry}",
    &["tenantry.code", "tenantry.class"],
    "failures after which a step is tried again by itself, by code and class",
);
/// What the table of errors does not know yet.
pub const UNKNOWN_CODES: Metric = metric(
    "tenantry.unknown_codes",
    InstrumentKind::Counter,
    "{answer}",
    &["tenantry.code"],
    "answers whose code the table of errors does not know; from the 101st code of a process on, and for what is no code, `other`",
);
/// How long the services' limits make us wait.
pub const THROTTLE_WAIT: Metric = metric(
    "tenantry.throttle.wait",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.service", "tenantry.waited"],
    "how long a request was held back to keep to a service's limits, `in-place` or `parked`",
);
/// How long messages lie.
pub const QUEUE_AGE: Metric = metric(
    "tenantry.queue.age",
    InstrumentKind::Histogram,
    "s",
    &["faas.name"],
    "how long a message had been in its queue when its function was called",
);
/// What the sweep finds.
pub const DUE_BACKLOG: Metric = metric(
    "tenantry.due.backlog",
    InstrumentKind::Gauge,
    "{tenant}",
    &[],
    "what the sweep found overdue: tenants that nobody had woken, refusals that were not told; 200 means 200 or more",
);
/// What nothing gets going.
pub const STUCK: Metric = metric(
    "tenantry.stuck",
    InstrumentKind::Gauge,
    "{tenant}",
    &[],
    "what has been overdue for more than ten minutes, so that sweeps did not help; 200 means 200 or more",
);
/// How late events are told.
pub const OUTBOX_LAG: Metric = metric(
    "tenantry.outbox.lag",
    InstrumentKind::Histogram,
    "s",
    &["tenantry.outcome"],
    "how old the oldest event of a publication was: `told`, or `failed` and to be told again",
);
/// What the broker had given up.
pub const DEAD_LETTERS: Metric = metric(
    "tenantry.dead_letters",
    InstrumentKind::Counter,
    "{message}",
    &[],
    "dead letters of the request queue that were taken in once more, each counted when it was settled",
);

/// What nobody can read.
pub const UNREADABLE: Metric = metric(
    "tenantry.unreadable",
    InstrumentKind::Counter,
    "{row}",
    &["tenantry.kind"],
    "rows of the state that this version can't read, a `tenant` or a `request`; each run of a timer counts each again",
);

/// All of them.
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

/// Seconds from a request's to an endpoint's: all that is measured lies between.
const BUCKETS: [f64; 16] =
    [0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0];

/// Takes a number down, where metrics are exported. The values are those of the metric's attributes, in their order.
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

/// What takes the numbers of one metric.
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
