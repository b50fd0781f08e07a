//! Exports spans and metrics by OTLP over HTTP, if an endpoint is set.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::join;
use opentelemetry::{
    Context, KeyValue,
    metrics::MeterProvider as _,
    trace::{SpanBuilder, SpanKind, TraceId, Tracer as _, TracerProvider as _},
};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider, Temporality},
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, SdkTracer, SdkTracerProvider,
        ShouldSample as _, Span,
    },
};
use reqwest::{Client, Url};
use tokio::{runtime::Handle, sync::oneshot};
use uuid::Uuid;

use super::{METRICS, metrics::Instrument, otlp_exporter::OtlpExporter};

/// The timeout of an export request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many spans may wait for export; further ones are dropped.
const QUEUE: usize = 8192;
/// How many spans one request has at most.
const BATCH: usize = 512;
/// How long spans are collected for one export request.
const GATHER: Duration = Duration::from_secs(2);

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The share of traces that are recorded, from 0 to 1.
    pub share: f64,
    /// Whether the sampling decision in a sender's `traceparent` is followed.
    pub follows_parent: bool,
}

impl Sampling {
    fn sampler(self) -> Sampler {
        if self.follows_parent { Sampler::ParentBased(Box::new(self.own())) } else { self.own() }
    }

    /// The sampler for traces without a sender's decision. It decides by the trace id, so all processes with the same
    /// share decide the same.
    fn own(self) -> Sampler {
        match self.share {
            share if share >= 1.0 => Sampler::AlwaysOn,
            share if share <= 0.0 => Sampler::AlwaysOff,
            share => Sampler::TraceIdRatioBased(share),
        }
    }

    /// Whether a trace without a sender's decision is recorded.
    fn takes(self, trace: Uuid) -> bool {
        let id = TraceId::from_bytes(trace.into_bytes());
        let sampled = self.own().should_sample(None, id, "", &SpanKind::Internal, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }
}

/// Where spans and metrics are exported to, and under which name.
#[derive(Debug, Clone)]
pub struct Export {
    /// The collector's URL, without the path of a signal such as `v1/traces`.
    pub endpoint: Url,
    /// The name of the service, the resource attribute `service.name`.
    pub service: String,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// How often metrics are exported.
    pub interval: Duration,
}

impl Export {
    /// The URL of a signal: the endpoint's path followed by `v1/traces` or `v1/metrics` (OpenTelemetry, "OTLP Exporter
    /// Configuration").
    fn address(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.endpoint.as_str().trim_end_matches('/'))
    }
}

/// What records spans and metrics; kept until the process ends.
pub(super) struct Exporting {
    tracer: SdkTracer,
    sampling: Sampling,
    instruments: BTreeMap<&'static str, Instrument>,
}

static EXPORTING: OnceLock<Exporting> = OnceLock::new();

/// What records spans and metrics; `None` if no endpoint is set.
pub(super) fn exporting() -> Option<&'static Exporting> {
    EXPORTING.get()
}

impl Exporting {
    pub(super) fn start(&self, span: SpanBuilder, parent: &Context) -> Span {
        self.tracer.build_with_context(span, parent)
    }

    /// Whether a trace without a sender's decision is recorded.
    pub(super) fn takes(&self, trace: Uuid) -> bool {
        self.sampling.takes(trace)
    }

    pub(super) fn instrument(&self, name: &str) -> Option<&Instrument> {
        self.instruments.get(name)
    }
}

/// The running export of spans and metrics. [`Exporter::end`] flushes and ends it.
pub struct Exporter {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Starts recording and exporting, once per process. `process` identifies this process among all others.
///
/// # Errors
/// If an exporter can't be built from its settings.
pub fn export(
    to: &Export,
    deployment: &str,
    process: &str,
    client: Client,
) -> Result<Exporter, ExporterBuildError> {
    let exporter: Arc<dyn HttpClient> = Arc::new(OtlpExporter::new(client, Handle::current()));
    let spans = SpanExporter::builder()
        .with_http()
        .with_shared_http_client(Arc::clone(&exporter))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(to.address("traces"))
        .with_timeout(TIMEOUT)
        .build()?;
    // A process runs for minutes, beside others. Deltas of processes add up; a cumulative total of an ended process
    // would stay at its last value.
    let metrics = MetricExporter::builder()
        .with_http()
        .with_shared_http_client(exporter)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(to.address("metrics"))
        .with_timeout(TIMEOUT)
        .with_temporality(Temporality::Delta)
        .build()?;
    let resource = Resource::builder_empty()
        .with_service_name(to.service.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", process.to_owned()))
        .with_attribute(KeyValue::new("deployment.environment.name", deployment.to_owned()))
        .build();
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(QUEUE)
        .with_max_export_batch_size(BATCH)
        .with_scheduled_delay(GATHER)
        .build();
    let spans = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(spans).with_batch_config(batches).build())
        .with_sampler(to.sampling.sampler())
        .with_resource(resource.clone())
        .build();
    let metrics = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(metrics).with_interval(to.interval).build())
        .with_resource(resource)
        .build();
    let meter = metrics.meter("tenantry");
    let instruments = METRICS.iter().map(|metric| (metric.name, Instrument::of(metric, &meter))).collect();
    let _ = EXPORTING.set(Exporting { tracer: spans.tracer("tenantry"), sampling: to.sampling, instruments });
    Ok(Exporter { spans, metrics })
}

impl Exporter {
    /// Flushes what has been recorded, for at most `limit`. Nothing is recorded afterwards.
    pub async fn end(self, limit: Duration) {
        let Self { spans, metrics } = self;
        let spans = on_detached_thread(move || spans.shutdown_with_timeout(limit));
        let metrics = on_detached_thread(move || metrics.shutdown_with_timeout(limit));
        match tokio::time::timeout(limit, join(spans, metrics)).await {
            Ok((Ok(Ok(())), Ok(Ok(())))) => {}
            Ok(_) | Err(_) => tracing::warn!("the last telemetry was not exported in time"),
        }
    }
}

/// Runs blocking work on a thread that does not keep the process alive.
fn on_detached_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, ended) = oneshot::channel();
    std::thread::spawn(move || done.send(work()));
    ended
}
