//! The lines that alerts ask for, as the program really writes them.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::common::{signup, stage::Stage};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The lines with that text, as an alert reads them.
    fn said(&self, text: &str) -> Vec<Value> {
        let written = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == text).collect()
    }
}

#[tokio::test]
async fn a_halt_and_a_sweep_are_logged_with_what_alerts_ask_for() {
    let log = Log::default();
    let writer = log.clone();
    // As src/telemetry.rs has it for the host.
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let stage = Stage::new().await;
    stage
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "No."}}}}))
        .await;
    stage.accept(&signup("tailspin")).await;
    stage.until_is("tailspin", "waiting").await;
    stage.until_told("tailspin", "tenant.operation.waiting", 1).await;
    let halts = log.said("an operation came to a halt");
    assert_eq!(halts.len(), 1, "{halts:#?}");
    let (halt, why) = (&halts[0], halts[0]["why"].as_str().unwrap());
    assert_eq!(
        (&halt["tenant.id"], &halt["outcome"], &halt["level"]),
        (&"tailspin".into(), &"waiting".into(), &"WARN".into())
    );
    assert!(why.contains("endpoint: AuthorizationFailed"), "{halt:#}");

    let before = log.said("swept").len();
    let status = stage.run_function("sweep", &json!({})).await;
    assert_eq!(status, 202);
    crate::common::until("the sweep says that it is through", async || {
        let now = log.said("swept");
        if now.len() > before { Ok(now) } else { Err(json!(now)) }
    })
    .await
    .iter()
    .for_each(|line| assert!(line["due"].is_u64() && line["level"] == "INFO", "{line:#}"));
}
