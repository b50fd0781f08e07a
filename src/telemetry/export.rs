//! Spans and metrics by OTLP over HTTP, where an endpoint is set.

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

use super::{METRICS, courier::Courier, metrics::Instrument};

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many spans may wait; what comes on top of that is dropped.
const QUEUE: usize = 8192;
/// How many spans go out together.
const BATCH: usize = 512;
/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(2);

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Which share of traces, from 0 to 1.
    pub share: f64,
    /// Whether a sender who began a trace has decided already.
    pub follows_parent: bool,
}

impl Sampling {
    fn sampler(self) -> Sampler {
        if self.follows_parent { Sampler::ParentBased(Box::new(self.own())) } else { self.own() }
    }

    /// Decides by the trace's id, so all who decide by the same share decide the same.
    fn own(self) -> Sampler {
        match self.share {
            share if share >= 1.0 => Sampler::AlwaysOn,
            share if share <= 0.0 => Sampler::AlwaysOff,
            share => Sampler::TraceIdRatioBased(share),
        }
    }

    /// Whether a trace is recorded about which no sender has decided.
    fn takes(self, trace: Uuid) -> bool {
        let id = TraceId::from_bytes(trace.into_bytes());
        let sampled = self.own().should_sample(None, id, "", &SpanKind::Internal, &[], &[]);
        sampled.decision == SamplingDecision::RecordAndSample
    }
}

/// Where spans and metrics go, and as whose.
#[derive(Debug, Clone)]
pub struct Export {
    /// The collector, without the path of a signal.
    pub endpoint: Url,
    /// The service's name.
    pub service: String,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// How often metrics go out.
    pub interval: Duration,
}

impl Export {
    /// The address of a signal: the endpoint's path with `v1/traces` or `v1/metrics` behind it (OpenTelemetry, "OTLP
    /// Exporter Configuration").
    fn address(&self, signal: &str) -> String {
        format!("{}/v1/{signal}", self.endpoint.as_str().trim_end_matches('/'))
    }
}

/// What records, for as long as the process lives.
pub(super) struct Exporting {
    tracer: SdkTracer,
    sampling: Sampling,
    instruments: BTreeMap<&'static str, Instrument>,
}

static EXPORTING: OnceLock<Exporting> = OnceLock::new();

/// What records, if anything does.
pub(super) fn exporting() -> Option<&'static Exporting> {
    EXPORTING.get()
}

impl Exporting {
    pub(super) fn start(&self, span: SpanBuilder, parent: &Context) -> Span {
        self.tracer.build_with_context(span, parent)
    }

    /// Whether a trace is recorded about which no sender has decided.
    pub(super) fn takes(&self, trace: Uuid) -> bool {
        self.sampling.takes(trace)
    }

    pub(super) fn instrument(&self, name: &str) -> Option<&Instrument> {
        self.instruments.get(name)
    }
}

/// What has to be ended, so that nothing that was recorded is lost.
pub struct Exporter {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Begins to record and export, once per process. `process` tells this process from all others.
///
/// # Errors
/// When an exporter can't be made from its settings.
pub fn export(
    to: &Export,
    deployment: &str,
    process: &str,
    client: Client,
) -> Result<Exporter, ExporterBuildError> {
    let courier: Arc<dyn HttpClient> = Arc::new(Courier::new(client, Handle::current()));
    let spans = SpanExporter::builder()
        .with_http()
        .with_shared_http_client(Arc::clone(&courier))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(to.address("traces"))
        .with_timeout(PATIENCE)
        .build()?;
    // A process lives for minutes here and runs beside others: differences add up, totals of the dead would stand still.
    let metrics = MetricExporter::builder()
        .with_http()
        .with_shared_http_client(courier)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(to.address("metrics"))
        .with_timeout(PATIENCE)
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
    /// Hands over what has been recorded, and waits for that no longer than `limit`. Nothing is recorded afterwards.
    pub async fn end(self, limit: Duration) {
        let Self { spans, metrics } = self;
        let spans = aside(move || spans.shutdown_with_timeout(limit));
        let metrics = aside(move || metrics.shutdown_with_timeout(limit));
        match tokio::time::timeout(limit, join(spans, metrics)).await {
            Ok((Ok(Ok(())), Ok(Ok(())))) => {}
            Ok(_) | Err(_) => tracing::warn!("the last telemetry was not taken in time"),
        }
    }
}

/// Does what blocks on a thread that does not keep the process when nobody waits for it any more.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, ended) = oneshot::channel();
    std::thread::spawn(move || done.send(work()));
    ended
}
