//! A fake OpenTelemetry collector: receives OTLP over HTTP, keeps every byte, and decodes it as a collector does.

#![expect(clippy::wildcard_enum_match_arm, reason = "only the OTLP kinds that are sent are decoded")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse},
        trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{metric::Data, number_data_point},
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};

/// A span that the collector has received.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// The id of the parent span; empty for the root of a trace.
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The ids of the traces that the span links to.
    pub(crate) links: Vec<String>,
    pub(crate) failed: bool,
}

impl Span {
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// A data point that the collector has received: the sum of a counter, the count of a histogram, or the last value of
/// a gauge.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) number: f64,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Bytes>,
    metrics: Vec<Bytes>,
}

pub(crate) struct Collector {
    pub(crate) url: String,
    taken: Arc<Mutex<Taken>>,
    server: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Collector {
    pub(crate) async fn new() -> Self {
        let taken = Arc::<Mutex<Taken>>::default();
        let (spans, metrics) = (Arc::clone(&taken), Arc::clone(&taken));
        let router = Router::new()
            .route(
                "/v1/traces",
                post(move |body: Bytes| async move {
                    spans.lock().unwrap().spans.push(body);
                    (StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec())
                }),
            )
            .route(
                "/v1/metrics",
                post(move |body: Bytes| async move {
                    metrics.lock().unwrap().metrics.push(body);
                    (StatusCode::OK, ExportMetricsServiceResponse::default().encode_to_vec())
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, taken, server }
    }

    /// Everything that was received, as text.
    pub(crate) fn text(&self) -> String {
        let taken = self.taken.lock().unwrap();
        let all = taken.spans.iter().chain(&taken.metrics);
        all.map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let taken = self.taken.lock().unwrap();
        let read = |body: &Bytes| ExportTraceServiceRequest::decode(body.clone()).unwrap();
        let resources = taken.spans.iter().flat_map(|body| read(body).resource_spans);
        let spans = resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
        spans
            .map(|span| Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                kind: span.kind,
                attributes: read_all(span.attributes),
                links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
                failed: span.status.is_some_and(|status| status.code == 2),
            })
            .collect()
    }

    /// The attributes of each OTLP resource that spans were sent for.
    pub(crate) fn resources(&self) -> BTreeSet<BTreeMap<String, String>> {
        let taken = self.taken.lock().unwrap();
        let read = |body: &Bytes| ExportTraceServiceRequest::decode(body.clone()).unwrap();
        let resources = taken.spans.iter().flat_map(|body| read(body).resource_spans);
        resources.filter_map(|of| Some(read_all(of.resource?.attributes))).collect()
    }

    /// The metrics by name, each with its unit and its data points.
    pub(crate) fn metrics(&self) -> BTreeMap<String, (String, Vec<Point>)> {
        let taken = self.taken.lock().unwrap();
        let read = |body: &Bytes| ExportMetricsServiceRequest::decode(body.clone()).unwrap();
        let resources = taken.metrics.iter().flat_map(|body| read(body).resource_metrics);
        let metrics = resources.flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics);
        let mut named = BTreeMap::<String, (String, Vec<Point>)>::new();
        for metric in metrics {
            let number = |value: Option<number_data_point::Value>| match value.unwrap() {
                number_data_point::Value::AsDouble(number) => number,
                number_data_point::Value::AsInt(_) => panic!("all numbers are doubles"),
            };
            let points: Vec<Point> = match metric.data.unwrap() {
                Data::Sum(sum) => sum
                    .data_points
                    .into_iter()
                    .map(|point| Point {
                        attributes: read_all(point.attributes),
                        number: number(point.value),
                    })
                    .collect(),
                Data::Gauge(gauge) => gauge
                    .data_points
                    .into_iter()
                    .map(|point| Point {
                        attributes: read_all(point.attributes),
                        number: number(point.value),
                    })
                    .collect(),
                Data::Histogram(histogram) => histogram
                    .data_points
                    .into_iter()
                    .map(|point| {
                        assert!(point.sum.unwrap() >= 0.0, "a duration is not negative");
                        let number = point.bucket_counts.iter().sum::<u64>() as f64;
                        Point { attributes: read_all(point.attributes), number }
                    })
                    .collect(),
                other => panic!("{} is {other:?}", metric.name),
            };
            named.entry(metric.name).or_insert_with(|| (metric.unit, Vec::new())).1.extend(points);
        }
        named
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_all(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = attributes.into_iter();
    pairs.map(|pair| (pair.key, pair.value.unwrap().value.map(text).unwrap_or_default())).collect()
}
