//! Sends spans and metrics to the collector, over the program's own HTTP client.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::Client;
use tokio::{
    runtime::Handle,
    time::{Duration, Instant},
};

/// The largest response that is read, in bytes; a collector only reports how much it accepted.
const MOST_BYTES: usize = 64 << 10;
/// How long further failures of the collector are not logged after one was.
const SILENCE: Duration = Duration::from_secs(600);

/// The HTTP client of OpenTelemetry's exporters. Their threads have no Tokio runtime, so the requests run in the
/// program's.
#[derive(Debug)]
pub(super) struct OtlpExporter {
    client: Client,
    runtime: Handle,
    lost: Mutex<Lost>,
}

/// The failed exports since the last log line about them.
#[derive(Debug, Default)]
struct Lost {
    batches: u64,
    reported_at: Option<Instant>,
}

impl OtlpExporter {
    pub(super) fn new(client: Client, runtime: Handle) -> Self {
        Self { client, runtime, lost: Mutex::default() }
    }

    /// Logs failed exports, at most once per [`SILENCE`].
    fn lost(&self, why: &str) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.batches += 1;
        if lost.reported_at.is_none_or(|at| at.elapsed() > SILENCE) {
            tracing::warn!(
                batches = lost.batches,
                why,
                "telemetry is not delivered: see OTEL_EXPORTER_OTLP_ENDPOINT"
            );
            *lost = Lost { batches: 0, reported_at: Some(Instant::now()) };
        }
    }
}

#[async_trait]
impl HttpClient for OtlpExporter {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let sent = self.runtime.spawn(deliver(self.client.clone(), request)).await;
        match sent {
            Ok(Ok(response)) => {
                if !response.status().is_success() {
                    self.lost(&format!("the collector answered HTTP {}", response.status().as_u16()));
                }
                Ok(response)
            }
            Ok(Err(error)) => {
                self.lost("the collector can't be reached, or did not answer");
                Err(error)
            }
            Err(ended) => Err(ended.into()),
        }
    }
}

async fn deliver(client: Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let mut incoming = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(chunk) = incoming.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = incoming.status();
    Ok(response)
}
