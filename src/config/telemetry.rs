//! The settings of the export of spans and metrics, which are the standard ones of OpenTelemetry.

use std::time::Duration;

use super::{Reader, azure::parsed};
use crate::telemetry::{Export, Sampling};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SHARE: &str = "OTEL_TRACES_SAMPLER_ARG";
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";

/// The variants of the headers setting for one kind of telemetry, which the OpenTelemetry specification also defines.
const HEADERS_OF_SIGNALS: [&str; 2] =
    ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"];

/// Reads the settings of the export; `None` if nothing is exported. The other settings are read only if there is an
/// endpoint.
pub(super) fn export(reader: &mut Reader<'_>, in_azure: bool) -> Option<Export> {
    let endpoint = parsed(reader, ENDPOINT, &reader.text(ENDPOINT)?, in_azure);
    if reader.text(PROTOCOL).is_some_and(|protocol| protocol != "http/protobuf") {
        reader.refuse(PROTOCOL, "only `http/protobuf` is supported");
    }
    if [HEADERS, HEADERS_OF_SIGNALS[0], HEADERS_OF_SIGNALS[1]].iter().any(|name| reader.text(name).is_some())
    {
        let why = "headers hold a key, and settings hold no secrets; add them in a collector of your own";
        reader.refuse(HEADERS, why);
    }
    let service = service(reader);
    let sampling = sampling(reader);
    let interval = match reader.text(INTERVAL).map(|text| text.parse::<u64>()) {
        None => Some(60_000),
        Some(Ok(milliseconds)) if (100..=3_600_000).contains(&milliseconds) => Some(milliseconds),
        Some(Ok(_) | Err(_)) => {
            reader.refuse(INTERVAL, "it is a whole number of milliseconds from 100 to 3600000");
            None
        }
    };
    let interval = Duration::from_millis(interval?);
    Some(Export { endpoint: endpoint?, service, sampling: sampling?, interval })
}

fn service(reader: &mut Reader<'_>) -> String {
    let service = reader.text(SERVICE).unwrap_or_else(|| "tenantry".to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if service.len() > 64 || !service.chars().all(plain) {
        reader.refuse(SERVICE, "it has 1 to 64 letters, digits, hyphens, underscores and dots");
    }
    service
}

fn sampling(reader: &mut Reader<'_>) -> Option<Sampling> {
    let named = reader.text(SAMPLER).unwrap_or_else(|| "always_on".to_owned());
    let (follows_parent, own) = match named.strip_prefix("parentbased_") {
        Some(own) => (true, own),
        None => (false, named.as_str()),
    };
    let share = match own {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => match reader.text(SHARE).map(|text| text.parse::<f64>()) {
            None => 1.0,
            Some(Ok(share)) if (0.0..=1.0).contains(&share) => share,
            Some(Ok(_) | Err(_)) => {
                reader.refuse(SHARE, "it is a share from 0 to 1");
                return None;
            }
        },
        _ => {
            let why =
                "it is `always_on`, `always_off` or `traceidratio`, with or without `parentbased_` before it";
            reader.refuse(SAMPLER, why);
            return None;
        }
    };
    Some(Sampling { share, follows_parent })
}
