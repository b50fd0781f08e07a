//! The simulated Azure's random faults.

use std::collections::BTreeMap;

use azure_sim::Speed;
use serde_json::{Value, json};

use super::fixture::{Fixture, GROUPS, group};

async fn begin(fixture: &Fixture, chaos: Value) {
    fixture.send("POST", "/_sim/chaos", Some(chaos)).await.is(204);
}

/// The results of creating `many` groups, one after the other: the status, or 0 if there was no answer.
async fn met(fixture: &Fixture, many: usize) -> Vec<u16> {
    let mut met = Vec::new();
    for at in 0..many {
        let path = format!("{}?api-version={GROUPS}", group(&format!("g{at}")));
        let body = Some(json!({ "location": "westeurope" }));
        let sent = fixture.try_send("PUT", &path, &[("content-type", "application/json")], body).await;
        met.push(sent.map_or(0, |answer| answer.status));
    }
    met
}

fn counted(met: &[u16]) -> BTreeMap<u16, usize> {
    met.iter().fold(BTreeMap::new(), |mut counts, status| {
        *counts.entry(*status).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn a_share_of_all_requests_fails_the_same_way_each_time() {
    let chaos = json!({ "percent": 40, "seed": 7, "stallMs": 1 });
    let (one, other) = (Fixture::new(Speed::Max).await, Fixture::new(Speed::Max).await);
    begin(&one, chaos.clone()).await;
    begin(&other, chaos).await;
    let first = met(&one, 60).await;
    assert_eq!(first, met(&other, 60).await);
    let counts = counted(&first);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [0, 201, 429, 503]);
    let shown = one.sim("chaos").await;
    let dealt = |kind: &str| usize::try_from(shown["dealt"][kind].as_u64().unwrap()).unwrap();
    assert_eq!(shown["requests"], 60);
    assert_eq!((dealt("throttle"), dealt("unavailable")), (counts[&429], counts[&503]));
    assert_eq!(dealt("timeout") + dealt("lost"), counts[&0]);
    assert!(dealt("timeout") > 0 && dealt("lost") > 0, "{shown}");
    // Requests whose answer arrived or was lost were carried out; all others were not.
    let groups = one.sim("objects").await.as_array().unwrap().len();
    assert_eq!(groups, counts[&201] + dealt("lost"));
    let other_seed = Fixture::new(Speed::Max).await;
    begin(&other_seed, json!({ "percent": 40, "seed": 8, "stallMs": 1 })).await;
    assert_ne!(first, met(&other_seed, 60).await);
}

#[tokio::test]
async fn each_kind_of_random_fault_has_its_effect() {
    let fixture = Fixture::new(Speed::Max).await;
    let only = |kind: &str| json!({ "percent": 100, "kinds": [kind], "stallMs": 1 });
    let id = group("acme");
    let body = json!({ "location": "westeurope" });
    begin(&fixture, only("throttle")).await;
    let throttled = fixture.put(&id, GROUPS, body.clone()).await.refuses(429, "TooManyRequests");
    assert_eq!(throttled.header("retry-after"), Some("1"));
    begin(&fixture, only("unavailable")).await;
    fixture.put(&id, GROUPS, body.clone()).await.refuses(503, "ServiceUnavailable");
    let path = format!("{id}?api-version={GROUPS}");
    begin(&fixture, only("timeout")).await;
    fixture.try_send("PUT", &path, &[], Some(body.clone())).await.unwrap_err();
    assert_eq!(fixture.sim("objects").await, json!([]));
    begin(&fixture, only("lost")).await;
    fixture.try_send("PUT", &path, &[], Some(body)).await.unwrap_err();
    assert_eq!(fixture.sim("objects").await.as_array().unwrap().len(), 1);
    let journal = fixture.sim("journal").await;
    let statuses: Vec<&Value> = journal.as_array().unwrap().iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, [429, 503, 0, 201]);
    fixture.send("DELETE", "/_sim/chaos", None).await.is(204);
    fixture.get(&id, GROUPS).await.is(200);
    let shown = fixture.sim("chaos").await;
    assert_eq!((&shown["settings"], &shown["dealt"]["lost"]), (&Value::Null, &json!(1)));
}

#[tokio::test]
async fn the_identity_endpoint_fails_only_on_request() {
    let fixture = Fixture::strict().await;
    let ask = async || {
        let path = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com";
        fixture.try_send("GET", path, &[("x-identity-header", fixture.secret())], None).await.unwrap().status
    };
    let chaos = json!({ "percent": 100, "kinds": ["unavailable"] });
    begin(&fixture, chaos.clone()).await;
    assert_eq!(ask().await, 200);
    let mut identity_too = chaos;
    identity_too["identity"] = json!(true);
    begin(&fixture, identity_too).await;
    assert_eq!(ask().await, 503);
}

#[tokio::test]
async fn invalid_chaos_settings_are_refused() {
    let fixture = Fixture::new(Speed::Max).await;
    let bad = [
        json!({}),
        json!({ "percent": 101 }),
        json!({ "percent": 10, "kinds": [] }),
        json!({ "percent": 10, "kinds": ["flood"] }),
        json!({ "percent": 10, "stallMs": 600_001 }),
        json!({ "percent": 10, "sead": 1 }),
    ];
    for chaos in bad {
        fixture.send("POST", "/_sim/chaos", Some(chaos)).await.refuses(400, "BadChaos");
    }
    assert_eq!(fixture.sim("chaos").await["settings"], Value::Null);
}
