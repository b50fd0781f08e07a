//! The simulated Azure's Event Grid topic.

use azure_sim::Speed;
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture};

const BATCH: &str = "application/cloudevents-batch+json; charset=utf-8";

async fn publish(fixture: &Fixture, content_type: &str, body: Value) -> Answer {
    let path = "/api/events?api-version=2018-01-01";
    fixture.try_send("POST", path, &[("content-type", content_type)], Some(body)).await.unwrap()
}

fn event(id: &str, tenant: &str) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/t", "type": "io.tenantry.x.v1", "tenantid": tenant,
        "time": "2026-11-22T17:20:00Z", "data": { "a": 1 } })
}

#[tokio::test]
async fn events_are_kept_in_order_of_arrival() {
    let mut fixture = Fixture::new(Speed::Max).await;
    publish(&fixture, BATCH, json!([event("1", "acme"), event("2", "other")])).await.is(200);
    publish(&fixture, "application/cloudevents+json", event("3", "acme")).await.is(200);
    fixture.restart().await;
    let ids = |events: Value| -> Vec<String> {
        events.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(fixture.sim("events").await), ["1", "2", "3"]);
    assert_eq!(ids(fixture.sim("events?tenant=acme").await), ["1", "3"]);
}

#[tokio::test]
async fn a_batch_with_an_invalid_cloud_event_is_refused_as_a_whole() {
    let fixture = Fixture::new(Speed::Max).await;
    let with = |name: &str, value: Value| {
        let mut event = event("2", "acme");
        event[name] = value;
        event
    };
    let bad = [
        with("id", json!("")),
        with("specversion", json!("0.3")),
        with("tenantId", json!("acme")),
        with("anattributenamethatislong", json!("x")),
        with("time", json!("yesterday")),
        with("extension", json!({})),
        json!({ "specversion": "1.0", "id": "1", "source": "/t" }),
    ];
    for bad in bad {
        publish(&fixture, BATCH, json!([event("1", "acme"), bad])).await.refuses(400, "BadRequest");
    }
    publish(&fixture, BATCH, event("1", "acme")).await.refuses(400, "BadRequest");
    publish(&fixture, "application/json", json!([])).await.is(415);
    publish(&fixture, BATCH, json!([with("data", json!("x".repeat(1 << 20)))])).await.is(413);
    assert_eq!(fixture.sim("events").await, json!([]));
}
