//! Tests the metric of how long requests are delayed to keep to Azure's limits: the only metric that the simulated
//! Azure does not cause. The exporter records everything in its process, so this test is a target of its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../suite/telemetry/collector.rs"]
#[allow(dead_code, reason = "tests/suite/telemetry takes the rest")]
mod collector;
#[path = "../suite/testkit/mod.rs"]
mod testkit;

use std::{sync::Arc, time::Duration};

use axum::{Router, http::StatusCode};
use tenantry::{
    azure::{client::client, throttle::Throttle, transport::HttpTransport},
    ports::Transport as _,
    telemetry::{Export, Sampling, Trace, export},
};
use tenantry_core::steps::{Api, Method, Request};

use collector::Collector;
use testkit::fixture::Jumping;

#[tokio::test(flavor = "multi_thread")]
async fn throttle_delays_are_measured_and_requests_of_unsampled_traces_are_not_exported() {
    let collector = Collector::new().await;
    let to = Export {
        endpoint: collector.url.parse().unwrap(),
        service: "tenantry".to_owned(),
        sampling: Sampling { share: 1.0, follows_parent: true },
        interval: Duration::from_secs(60),
    };
    let exporter = export(&to, "test", "this", client(Duration::from_secs(5)).unwrap()).unwrap();

    let busy = Router::new().fallback(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")], "{}"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, busy).await.unwrap() });
    let transport = HttpTransport::simulated(&url, Duration::from_secs(5)).unwrap();
    let transport = Arc::new(transport.throttled(Throttle::new(Jumping::new())));
    let ask =
        || Request::new(Api::Arm, Method::Get, "/subscriptions/s/resourceGroups/secret-name?sig=canary");
    let id = |digit: &str| digit.repeat(32);
    for (digit, sampled) in [("1", "01"), ("2", "00")] {
        let at = Trace::of(Some(&format!("00-{}-00f067aa0ba902b7-{sampled}", id(digit))));
        assert_eq!(at.scope(transport.send(ask())).await.unwrap().status, 429);
    }
    server.abort();
    exporter.end(Duration::from_secs(5)).await;

    let metrics = collector.metrics();
    let (unit, points) = &metrics["tenantry.throttle.wait"];
    assert_eq!((unit.as_str(), points.len()), ("s", 1), "the second had to wait: {points:?}");
    assert_eq!(points[0].attributes["tenantry.service"], "arm");
    assert_eq!(points[0].attributes["tenantry.waited"], "inline");
    let spans: Vec<_> =
        collector.spans().into_iter().filter(|span| span.name.contains("resourceGroups")).collect();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(
        (spans[0].trace.clone(), spans[0].name.as_str()),
        (id("1"), "GET /subscriptions/{}/resourceGroups/{}")
    );
    assert!(!collector.text().contains("secret-name") && !collector.text().contains("canary"));
}
