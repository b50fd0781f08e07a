//! Exporting for as long as a command serves.

use std::time::Duration;

use crate::{
    azure::client::client,
    config::Config,
    telemetry::{Exporter, export, fresh},
};

/// How long a delivery may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last delivery is waited for. With the time that functions are given to end it stays within five seconds.
const LAST: Duration = Duration::from_millis(700);

/// Begins to export, if an endpoint is set. What can't be exported is no reason not to serve.
pub(super) fn begin(config: &Config) -> Option<Exporter> {
    let to = config.export.as_ref()?;
    let client = match client(PATIENCE) {
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

/// Hands over the last that was recorded.
pub(super) async fn end(exporter: Option<Exporter>) {
    if let Some(exporter) = exporter {
        exporter.end(LAST).await;
    }
}
