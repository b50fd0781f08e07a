//! `tenantry serve` in the local environment with a collector, called as the Functions host calls it.

use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tenantry::ports::{Clock as _, SystemClock};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    process::{Child, Command},
};

use crate::testkit::until;

pub(crate) struct Serving {
    child: Child,
    url: String,
    azure: String,
    client: reqwest::Client,
}

impl Serving {
    pub(crate) async fn start(folder: &Path, speed: &str, collector: &str) -> Self {
        Self::start_with(folder, speed, collector, &[]).await
    }

    /// Starts the program with additional settings.
    pub(crate) async fn start_with(
        folder: &Path,
        speed: &str,
        collector: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command.arg("serve").current_dir(folder).env_clear();
        command.envs([
            ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string().as_str()),
            ("TENANTRY_DATA", "data"),
            ("TENANTRY_SPEED", speed),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
            ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
            ("OTEL_SERVICE_NAME", "tenantry-test"),
        ]);
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let (url, client) = (format!("http://127.0.0.1:{port}"), crate::testkit::client());
        until("it answers", async || client.get(&url).send().await.map_err(|error| json!(error.to_string())))
            .await;
        let azure = std::fs::read_to_string(folder.join("data/azure.port")).unwrap();
        Self { child, url, azure: format!("http://127.0.0.1:{}", azure.trim()), client }
    }

    /// Calls a function with a message and the metadata that the host adds.
    pub(crate) async fn message(&self, function: &str, binding: &str, body: &Value, metadata: Value) {
        let data = BASE64_STANDARD.encode(body.to_string());
        let envelope = json!({"Data": {binding: data}, "Metadata": metadata});
        let request = self.client.post(format!("{}/{function}", self.url)).json(&envelope);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    }

    /// Calls a timer function in this trace context, as the host does.
    pub(crate) async fn tick(&self, function: &str, traceparent: &str) {
        let envelope = json!({"Data": {"timer": {"IsPastDue": false}}, "Metadata": {}});
        let request = self.client.post(format!("{}/{function}", self.url)).json(&envelope);
        let answer = request.header("traceparent", traceparent).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{}", answer.text().await.unwrap());
    }

    /// Reads from the test API of the simulated Azure.
    pub(crate) async fn sim(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}/_sim/{path}", self.azure)).send().await.unwrap();
        answer.json().await.unwrap()
    }

    pub(crate) async fn fault(&self, fault: &Value) {
        let answer =
            self.client.post(format!("{}/_sim/faults", self.azure)).json(fault).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Terminates the program as the platform does. Returns the program's log, and how long it took to end.
    pub(crate) async fn end(mut self) -> (String, Duration) {
        let at = SystemClock.now();
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let mut log = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut log).await.unwrap();
        // This exit code asks the host to start the program again.
        assert_eq!(self.child.wait().await.unwrap().code(), Some(200), "{log}");
        (log, Duration::try_from(SystemClock.now().duration_since(at)).unwrap())
    }
}
