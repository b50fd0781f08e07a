//! The simulated Azure's restarts, journal and faults, and its behaviour with many tenants at once.

use azure_sim::Speed;
use serde_json::{Value, json};

use super::fixture::{Fixture, GROUPS, ML, NET, deployment_body, group, private_endpoint_body};

#[tokio::test]
async fn a_restart_loses_nothing_and_operations_continue() {
    let mut fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let id = format!("{workspace}/onlineEndpoints/ep-acme");
    let started = fixture.put(&id, ML, super::fixture::endpoint_body()).await.is(201);
    let poll = started.header("azure-asyncoperation").unwrap().replace(fixture.base(), "");
    let objects = fixture.sim("objects").await;
    let journal = fixture.sim("journal").await;
    fixture.restart().await;
    assert_eq!(fixture.sim("objects").await, objects);
    assert_eq!(fixture.sim("journal").await, journal);
    assert_eq!(fixture.send("GET", &poll, None).await.is(200).text("/status"), "InProgress");
    fixture.pass(120);
    fixture.restart().await;
    assert_eq!(fixture.send("GET", &poll, None).await.is(200).text("/status"), "Succeeded");
    assert_eq!(fixture.get(&id, ML).await.is(200).text("/properties/provisioningState"), "Succeeded");
}

#[test]
fn a_speed_is_max_or_a_positive_number() {
    assert_eq!("MAX".parse::<Speed>().unwrap(), Speed::Max);
    assert_eq!("2.5".parse::<Speed>().unwrap(), Speed::Factor(2.5));
    for bad in ["", "0", "-1", "inf", "NaN", "fast"] {
        assert!(bad.parse::<Speed>().unwrap_err().to_string().contains("is not a speed"));
    }
}

#[tokio::test]
async fn the_journal_shows_each_request_and_its_tenant() {
    let fixture = Fixture::new(Speed::Max).await;
    let rg = fixture.group("acme").await;
    fixture.get(&rg, GROUPS).await.is(200);
    fixture.get(&format!("{rg}/providers/Microsoft.KeyVault/vaults/kv-none"), "2023-07-01").await.is(404);
    fixture.put(&group("bad"), "1999-01-01", json!({})).await.is(400);
    fixture.delete(&rg, GROUPS).await.is(202);
    let journal = fixture.sim("journal").await;
    let reported: Vec<(&str, u64, Option<&str>)> = journal
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            (line["method"].as_str().unwrap(), line["status"].as_u64().unwrap(), line["tenant"].as_str())
        })
        .collect();
    let acme = Some("acme");
    assert_eq!(
        reported,
        [
            ("PUT", 201, acme),
            ("GET", 200, acme),
            ("GET", 404, acme),
            ("PUT", 400, None),
            ("DELETE", 202, acme)
        ]
    );
    assert_eq!(journal[0]["path"], format!("{rg}?api-version={GROUPS}"));
    assert_eq!(journal[0]["at"], "2026-09-21T14:13:20Z");
}

#[tokio::test]
async fn injected_faults_replace_answers_drop_requests_and_fail_operations() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = group("acme");
    let body = json!({ "location": "westeurope" });
    let on = json!({ "method": "PUT", "pathContains": "RG-acme" });
    let throttled = json!({ "status": 429, "headers": { "Retry-After": "7" }, "body": { "error": { "code": "TooManyRequests" } } });
    fixture.fault(json!({ "match": on, "times": 1, "answer": throttled })).await;
    assert_eq!(
        fixture.put(&rg, GROUPS, body.clone()).await.refuses(429, "TooManyRequests").header("retry-after"),
        Some("7")
    );
    fixture.get(&rg, GROUPS).await.is(404);
    fixture.fault(json!({ "match": on, "dropReply": true })).await;
    let path = format!("{rg}?api-version={GROUPS}");
    fixture.try_send("PUT", &path, &[], Some(body.clone())).await.unwrap_err();
    fixture.get(&rg, GROUPS).await.is(200);
    fixture
        .fault(json!({ "match": { "method": "PUT", "pathContains": "storageAccounts" },
        "failOperation": { "code": "InternalServerError", "message": "bad luck" } }))
        .await;
    let storage = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stacme");
    let started = fixture.put(&storage, "2023-05-01", super::fixture::storage_body()).await.is(202);
    fixture.pass(21);
    fixture.send("GET", started.header("location").unwrap(), None).await.refuses(500, "InternalServerError");
    assert_eq!(
        fixture.get(&storage, "2023-05-01").await.is(200).text("/properties/provisioningState"),
        "Failed"
    );
    fixture.fault(json!({ "match": on, "times": 5, "answer": { "status": 500 } })).await;
    fixture.send("DELETE", "/_sim/faults", None).await.is(204);
    fixture.put(&rg, GROUPS, body).await.is(200);
    fixture.send("POST", "/_sim/faults", Some(json!({ "tims": 1 }))).await.refuses(400, "BadFault");
}

async fn tenant(fixture: &Fixture, n: usize) {
    let name = format!("t{n:03}");
    let rg = fixture.group(&name).await;
    let workspace = fixture.workspace(&rg, &name).await;
    let endpoint = fixture.endpoint(&workspace, &format!("ep-{name}")).await;
    fixture.put(&format!("{endpoint}/deployments/main"), ML, deployment_body()).await.is(201);
    let private = format!("{rg}/providers/Microsoft.Network/privateEndpoints/pe-{name}");
    fixture.put(&private, NET, private_endpoint_body(&workspace)).await.is(201);
    let app = json!({ "displayName": name, "tags": [format!("tenantry-tenant:{name}")] });
    fixture.upsert(&format!("/v1.0/applications(uniqueName='{name}')"), app).await.is(201);
    for _ in 0..25 {
        fixture.get(&endpoint, ML).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_tenants_at_once_get_an_address_each() {
    let fixture = Fixture::new(Speed::Max).await;
    let all = (0..100).map(|n| tenant(&fixture, n));
    futures_util::future::join_all(all).await;
    let objects = fixture.sim("objects").await;
    let of_kind =
        |kind: &str| objects.as_array().unwrap().iter().filter(|object| object["kind"] == kind).count();
    assert_eq!(of_kind("Microsoft.MachineLearningServices/workspaces/onlineEndpoints"), 100);
    assert_eq!(of_kind("Microsoft.Network/networkInterfaces"), 100);
    let interfaces: Vec<&Value> = objects
        .as_array()
        .unwrap()
        .iter()
        .filter(|object| object["kind"] == "Microsoft.Network/networkInterfaces")
        .collect();
    let mut addresses = std::collections::BTreeSet::new();
    for interface in interfaces {
        let shown = fixture.get(interface["id"].as_str().unwrap(), NET).await.is(200);
        addresses.insert(shown.text("/properties/ipConfigurations/0/properties/privateIPAddress").to_owned());
    }
    assert_eq!(addresses.len(), 100);
}
