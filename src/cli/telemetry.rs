//! Exports telemetry while a command serves.

use std::time::Duration;

use crate::{
    azure::client::client,
    config::Config,
    telemetry::{Exporter, export, fresh},
};

/// The timeout of an export request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The timeout of the last export. The shutdown grace period and this timeout together stay below five seconds.
const LAST: Duration = Duration::from_millis(700);

/// Starts the export of spans and metrics, if an endpoint is set. A failure is logged, and the command serves without
/// it.
pub(super) fn begin(config: &Config) -> Option<Exporter> {
    let to = config.export.as_ref()?;
    let client = match client(TIMEOUT) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error = %error, "nothing is exported: there is no HTTP client");
            return None;
        }
    };
    let process = fresh().to_string();
    match export(to, &config.deployment, &process, client) {
        Ok(exporter) => {
            tracing::info!(endpoint = %to.endpoint, "spans and metrics are exported");
            Some(exporter)
        }
        Err(error) => {
            tracing::error!(error = %error, "nothing is exported: see the settings that begin with OTEL_");
            None
        }
    }
}

/// Exports what is not exported yet, and ends the exporter.
pub(super) async fn end(exporter: Option<Exporter>) {
    if let Some(exporter) = exporter {
        exporter.end(LAST).await;
    }
}
