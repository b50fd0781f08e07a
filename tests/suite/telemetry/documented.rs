//! docs/telemetry.md lists every metric and every attribute of a span.

use std::collections::{BTreeMap, BTreeSet};

use tenantry::{config::Config, telemetry::METRICS};

use super::collector::Span;
use crate::testkit::repository;

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/telemetry.md")).unwrap()
}

/// The rows of the table on a page whose header starts with `head`.
fn rows(page: &str, head: &str) -> Vec<String> {
    let table = page.lines().skip_while(|line| !line.starts_with(head));
    table.skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

#[test]
fn the_table_of_metrics_matches_the_program() {
    let written = rows(&page(), "| metric | ");
    let expected: Vec<String> = METRICS
        .iter()
        .map(|metric| {
            let attributes: Vec<String> =
                metric.attributes.iter().map(|attribute| format!("`{attribute}`")).collect();
            let attributes = if attributes.is_empty() { "–".to_owned() } else { attributes.join(", ") };
            let (name, kind, unit) = (metric.name, metric.kind.as_str(), metric.unit);
            format!("| `{name}` | {kind}, `{unit}` | {attributes} | {} |", metric.meaning)
        })
        .collect();
    assert_eq!(written, expected, "docs/telemetry.md and src/telemetry/metrics.rs differ");
}

/// Asserts that docs/telemetry.md lists every attribute of these spans.
pub(crate) fn only_listed_attributes(spans: &[Span]) {
    let listed: BTreeSet<String> = rows(&page(), "| attribute | ")
        .iter()
        .flat_map(|row| quoted(row.split('|').nth(1).unwrap()).collect::<Vec<_>>())
        .collect();
    let seen: BTreeSet<String> = spans.iter().flat_map(|span| span.attributes.keys().cloned()).collect();
    let unlisted: Vec<&String> = seen.difference(&listed).collect();
    assert!(seen.len() > 15 && unlisted.is_empty(), "docs/telemetry.md does not list {unlisted:?}");
}

fn read(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let settings: BTreeMap<&str, &str> = settings.iter().copied().collect();
    Config::read(|name| settings.get(name).map(|value| (*value).to_owned()))
        .map_err(|faults| faults.into_iter().map(|fault| fault.name.to_owned()).collect())
}

#[test]
fn an_endpoint_is_https_or_this_machine_and_a_key_is_no_setting() {
    const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let here = (ENDPOINT, "http://127.0.0.1:4318");
    assert!(read(&[]).unwrap().export.is_none());
    let export = read(&[here, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")]);
    let sampling = export.unwrap().export.unwrap().sampling;
    assert!(!sampling.follows_parent && (sampling.share - 0.25).abs() < 1e-9);
    // Without an endpoint, the other settings are not read: the host may have OTEL settings of its own.
    assert!(read(&[("OTEL_EXPORTER_OTLP_HEADERS", "api-key=x")]).unwrap().export.is_none());
    for wrong in [
        "http://collector.example.com",
        "https://key@collector.example.com",
        "https://c.example.com?k=1",
        "grpc",
    ] {
        assert_eq!(read(&[(ENDPOINT, wrong)]).unwrap_err(), [ENDPOINT], "{wrong}");
    }
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=x"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_SERVICE_NAME", "a b"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1"),
    ] {
        assert_eq!(read(&[here, (name, value)]).unwrap_err(), [name], "{name}");
    }
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=x");
    assert_eq!(read(&[here, traces]).unwrap_err(), ["OTEL_EXPORTER_OTLP_HEADERS"]);
}
