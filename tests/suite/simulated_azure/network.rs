//! The simulated Azure's private endpoints, their DNS zone groups, and the stamp's network.

use azure_sim::Speed;
use serde_json::json;

use super::fixture::{Fixture, ML, NET, private_endpoint_body, stamp};

fn private_endpoint(group: &str, name: &str) -> String {
    format!("{group}/providers/Microsoft.Network/privateEndpoints/{name}")
}

fn zones() -> serde_json::Value {
    json!({ "properties": { "privateDnsZoneConfigs": [
        { "name": "api", "properties": { "privateDnsZoneId": stamp("/zones/api") } },
        { "name": "notebooks", "properties": { "privateDnsZoneId": stamp("/zones/notebooks") } } ] } })
}

#[tokio::test]
async fn a_private_endpoint_gets_addresses_names_and_approval() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let id = private_endpoint(&rg, "pe-acme");
    let started = fixture.put(&id, NET, private_endpoint_body(&workspace)).await.is(201);
    assert!(started.header("azure-asyncoperation").is_some());
    let group = format!("{id}/privateDnsZoneGroups/default");
    let early = fixture.put(&group, NET, zones()).await.refuses(429, "RetryableError");
    assert_eq!(early.text("/error/details/0/code"), "ReferencedResourceNotProvisioned");
    fixture.pass(90);
    let ready = fixture.get(&id, NET).await.is(200);
    let link =
        "/properties/privateLinkServiceConnections/0/properties/privateLinkServiceConnectionState/status";
    assert_eq!(ready.text(link), "Approved");
    let interface = ready.text("/properties/networkInterfaces/0/id").to_owned();
    let interface = fixture.get(&interface, NET).await.is(200);
    let address = interface.text("/properties/ipConfigurations/0/properties/privateIPAddress").to_owned();
    assert_eq!(address, "10.20.0.7");
    assert_eq!(ready.text("/properties/customDnsConfigs/0/ipAddresses/0"), address);
    let connections = fixture.get(&workspace, ML).await.is(200);
    let status =
        "/properties/privateEndpointConnections/0/properties/privateLinkServiceConnectionState/status";
    assert_eq!(connections.text(status), "Approved");
    fixture.put(&group, NET, zones()).await.is(201);
    fixture.pass(20);
    let records = fixture.get(&group, NET).await.is(200);
    let record = "/properties/privateDnsZoneConfigs/0/properties/recordSets/0";
    assert!(records.text(&format!("{record}/fqdn")).ends_with(".privatelink.api.azureml.ms"));
    assert_eq!(records.text(&format!("{record}/ipAddresses/0")), address);
    fixture.delete(&workspace, ML).await.is(202);
    fixture.pass(30);
    assert_eq!(fixture.get(&id, NET).await.is(200).text(link), "Disconnected");
    fixture.delete(&id, NET).await.is(202);
    fixture.pass(45);
    fixture.get(&group, NET).await.refuses(404, "ParentResourceNotFound");
    let left = fixture.sim("objects?tenant=acme").await;
    assert!(!left.to_string().contains("Microsoft.Network"), "{left:#}");
}

#[tokio::test]
async fn a_subnet_takes_one_write_at_a_time() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let body = private_endpoint_body(&workspace);
    fixture.put(&private_endpoint(&rg, "pe-one"), NET, body.clone()).await.is(201);
    let second = fixture.put(&private_endpoint(&rg, "pe-two"), NET, body.clone()).await;
    let second = second.refuses(429, "RetryableErrorDueToAnotherOperation");
    assert_eq!(second.header("retry-after"), Some("15"));
    fixture.pass(90);
    fixture.put(&private_endpoint(&rg, "pe-two"), NET, body).await.is(201);
    fixture
        .delete(&private_endpoint(&rg, "pe-one"), NET)
        .await
        .refuses(429, "RetryableErrorDueToAnotherOperation");
    fixture.pass(90);
    fixture.delete(&private_endpoint(&rg, "pe-one"), NET).await.is(202);
}

#[tokio::test]
async fn an_invalid_connection_is_refused() {
    let fixture = Fixture::new(Speed::Max).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let id = private_endpoint(&rg, "pe-acme");
    let nowhere = private_endpoint_body(&format!("{workspace}x"));
    fixture.put(&id, NET, nowhere).await.refuses(400, "InvalidResourceReference");
    let mut wrong = private_endpoint_body(&workspace);
    wrong["properties"]["privateLinkServiceConnections"][0]["properties"]["groupIds"] = json!(["vault"]);
    fixture.put(&id, NET, wrong).await.refuses(400, "InvalidPrivateLinkServiceGroupId");
    let mut subnet = private_endpoint_body(&workspace);
    subnet["properties"]["subnet"]["id"] = json!(format!("{}x", stamp("/subnetId")));
    fixture.put(&id, NET, subnet).await.refuses(400, "InvalidResourceReference");
    fixture.put(&id, NET, private_endpoint_body(&workspace)).await.is(201);
    let mut zones = zones();
    zones["properties"]["privateDnsZoneConfigs"][1]["properties"]["privateDnsZoneId"] =
        json!(format!("{}x", stamp("/zones/api")));
    fixture
        .put(&format!("{id}/privateDnsZoneGroups/default"), NET, zones)
        .await
        .refuses(400, "InvalidResourceReference");
}

#[tokio::test]
async fn the_stamp_exists_from_the_start() {
    let fixture = Fixture::new(Speed::Max).await;
    fixture.get(&stamp("/subnetId"), NET).await.is(200);
    fixture.get(&stamp("/vnetId"), NET).await.is(200);
    fixture.get(&stamp("/zones/api"), "2024-06-01").await.is(200);
    let workspace = fixture.get(&stamp("/pooled/workspaceId"), ML).await.is(200);
    assert_eq!(workspace.text("/properties/publicNetworkAccess"), "Disabled");
    let endpoint =
        workspace.text("/properties/privateEndpointConnections/0/properties/privateEndpoint/id").to_owned();
    let endpoint = fixture.get(&endpoint, NET).await.is(200);
    assert_eq!(
        endpoint.text("/properties/customDnsConfigs/0/ipAddresses/0"),
        stamp("/pooled/privateEndpointIp")
    );
    let role = fixture.get(&stamp("/scorerRoleId"), "2022-04-01").await.is(200);
    assert_eq!(
        role.text("/properties/permissions/0/actions/0"),
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
    );
    assert_eq!(fixture.sim("objects").await, json!([]));
    assert!(fixture.sim("objects?all=true").await.as_array().unwrap().len() > 10);
    assert_eq!(fixture.sim("stamp").await["name"], "local-01");
}
