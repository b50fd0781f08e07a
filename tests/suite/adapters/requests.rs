//! The headers of every request.

use std::time::Duration;

use serde_json::json;
use tenantry::{azure::transport::HttpTransport, ports::Transport as _, telemetry::Trace};
use tenantry_core::steps::{Api, Method, Request};

use super::script::{Asked, Script};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn sent(request: Request) -> Asked {
    let script = Script::new([]).await;
    let transport = HttpTransport::simulated(&script.url.parse().unwrap(), Duration::from_secs(5)).unwrap();
    Trace::of(Some(PARENT)).scope(transport.send(request)).await.unwrap();
    script.asked().remove(0)
}

#[tokio::test]
async fn requests_to_arm_have_the_trace_as_correlation_id() {
    let asked = sent(
        Request::arm(Method::Put, &"/subscriptions/s".parse().unwrap(), &"2024-07-01".parse().unwrap())
            .with_body(json!({"a": 1})),
    )
    .await;
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("PUT", "/subscriptions/s?api-version=2024-07-01")
    );
    assert_eq!(asked.header("authorization"), "Bearer simulated");
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.header("x-ms-correlation-request-id"), "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
    assert!(asked.header("traceparent").starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_ne!(asked.header("traceparent"), PARENT);
    assert_eq!(asked.header("x-ms-client-request-id").len(), 36);
    assert!(asked.header("user-agent").starts_with("tenantry/"));
    assert_eq!(asked.body, r#"{"a":1}"#);
}

#[tokio::test]
async fn graph_has_its_own_name_for_the_request_id() {
    let asked = sent(Request::new(Api::Graph, Method::Get, "/v1.0/applications")).await;
    assert_eq!(asked.header("client-request-id").len(), 36);
    assert_eq!(
        (asked.header("x-ms-client-request-id"), asked.header("x-ms-correlation-request-id")),
        ("", "")
    );
}

#[tokio::test]
async fn connections_are_reused() {
    let script = Script::new([]).await;
    let transport = HttpTransport::simulated(&script.url.parse().unwrap(), Duration::from_secs(5)).unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        transport.send(Request::new(Api::Arm, Method::Delete, "/x")).await.unwrap();
        ids.push(script.asked().last().unwrap().header("x-ms-client-request-id").to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "each request has an id of its own");
    assert_eq!(script.connections(), 1);
}
