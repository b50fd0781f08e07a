//! The simulated Azure's Cognitive Services accounts, the models deployed in them, and soft-deleted accounts.

use azure_sim::{SUBSCRIPTION_ID, Speed};
use serde_json::{Value, json};

use super::fixture::{Fixture, GROUPS};

const COGNITIVE: &str = "2024-10-01";

fn account(group: &str, name: &str) -> String {
    format!("{group}/providers/Microsoft.CognitiveServices/accounts/{name}")
}

fn account_body(subdomain: &str) -> Value {
    json!({
        "location": "westeurope", "kind": "OpenAI", "sku": { "name": "S0" },
        "properties": { "customSubDomainName": subdomain, "disableLocalAuth": true },
        "tags": { "tenantry-tenant": "acme" },
    })
}

fn model_body() -> Value {
    json!({
        "sku": { "name": "Standard", "capacity": 10 },
        "properties": { "model": { "format": "OpenAI", "name": "gpt-4o-mini", "version": "2024-07-18" } },
    })
}

#[tokio::test]
async fn an_account_shows_its_endpoint_and_keeps_its_kind_and_subdomain() {
    let fixture = Fixture::new(Speed::Max).await;
    let id = account(&fixture.group("acme").await, "ai-acme");
    fixture.put(&id, COGNITIVE, json!({ "location": "westeurope" })).await.refuses(400, "BadRequest");
    fixture.put(&id, COGNITIVE, account_body("Acme-AI")).await.is(201);
    let shown = fixture.get(&id, COGNITIVE).await.is(200);
    assert_eq!(shown.text("/properties/endpoint"), "https://Acme-AI.openai.azure.com/");
    assert_eq!(shown.text("/properties/provisioningState"), "Succeeded");
    assert_eq!(shown.body["properties"]["disableLocalAuth"], true);
    let again = fixture.put(&id, COGNITIVE, account_body("Acme-AI")).await.is(200);
    assert_eq!(again.body["properties"]["internalId"], shown.body["properties"]["internalId"]);
    fixture.put(&id, COGNITIVE, account_body("other")).await.refuses(400, "BadRequest");
    let mut kind = account_body("Acme-AI");
    kind["kind"] = json!("SpeechServices");
    fixture.put(&id, COGNITIVE, kind).await.refuses(400, "BadRequest");
    let second = account(&fixture.group("globex").await, "ai-globex");
    fixture.put(&second, COGNITIVE, account_body("acme-ai")).await.refuses(409, "CustomDomainInUse");
}

#[tokio::test]
async fn a_deleted_account_keeps_its_name_and_subdomain_until_it_is_purged_or_two_days_old() {
    let fixture = Fixture::new(Speed::Max).await;
    let id = account(&fixture.group("acme").await, "ai-acme");
    let elsewhere = account(&fixture.group("globex").await, "ai-globex");
    let kept = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.CognitiveServices/locations/westeurope/resourceGroups/rg-acme/deletedAccounts/ai-acme"
    );
    fixture.get(&kept, COGNITIVE).await.refuses(404, "ResourceNotFound");
    fixture.delete(&kept, COGNITIVE).await.is(204);
    fixture.put(&id, COGNITIVE, account_body("acme-ai")).await.is(201);
    fixture.get(&kept, COGNITIVE).await.refuses(404, "ResourceNotFound");

    fixture.delete(&id, COGNITIVE).await.is(202);
    fixture.get(&id, COGNITIVE).await.refuses(404, "ResourceNotFound");
    let shown = fixture.get(&kept, COGNITIVE).await.is(200);
    assert_eq!(shown.text("/id"), kept);
    assert_eq!(shown.body["tags"]["tenantry-tenant"], "acme");
    assert!(!shown.text("/properties/scheduledPurgeDate").is_empty());
    fixture.put(&id, COGNITIVE, account_body("acme-ai")).await.refuses(409, "FlagMustBeSetForRestore");
    fixture.put(&elsewhere, COGNITIVE, account_body("acme-ai")).await.refuses(409, "CustomDomainInUse");

    let mut restore = account_body("acme-ai");
    restore["properties"]["restore"] = json!(true);
    fixture.put(&elsewhere, COGNITIVE, restore.clone()).await.refuses(400, "BadRequest");
    fixture.put(&id, COGNITIVE, restore).await.is(201);
    assert_eq!(fixture.get(&id, COGNITIVE).await.is(200).body["properties"].get("restore"), None);

    fixture.delete(&id, COGNITIVE).await.is(202);
    fixture.delete(&kept, COGNITIVE).await.is(200);
    fixture.get(&kept, COGNITIVE).await.refuses(404, "ResourceNotFound");
    fixture.put(&elsewhere, COGNITIVE, account_body("acme-ai")).await.is(201);
    fixture.delete(&elsewhere, COGNITIVE).await.is(202);
    fixture.pass(48 * 3600 - 1);
    fixture.put(&id, COGNITIVE, account_body("acme-ai")).await.refuses(409, "CustomDomainInUse");
    fixture.pass(1);
    fixture.put(&id, COGNITIVE, account_body("acme-ai")).await.is(201);
}

#[tokio::test]
async fn a_model_needs_a_ready_account_and_prevents_its_deletion() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let id = account(&fixture.group("acme").await, "ai-acme");
    let model = |name: &str| format!("{id}/deployments/{name}");
    fixture.put(&model("main"), COGNITIVE, model_body()).await.refuses(404, "ParentResourceNotFound");
    fixture.put(&id, COGNITIVE, account_body("acme-ai")).await.is(201);
    fixture
        .put(&model("main"), COGNITIVE, model_body())
        .await
        .refuses(409, "AccountProvisioningStateInvalid");
    fixture.pass(60);
    fixture.put(&model("main"), COGNITIVE, json!({})).await.refuses(400, "BadRequest");
    let made = fixture.put(&model("main"), COGNITIVE, model_body()).await.is(201);
    assert!(made.header("azure-asyncoperation").is_some());
    fixture.put(&model("other"), COGNITIVE, model_body()).await.refuses(409, "RequestConflict");
    fixture.pass(60);
    let shown = fixture.get(&model("main"), COGNITIVE).await.is(200);
    assert_eq!(shown.text("/properties/provisioningState"), "Succeeded");
    assert_eq!(shown.body["properties"]["currentCapacity"], 10);
    fixture.delete(&id, COGNITIVE).await.refuses(409, "CannotDeleteResource");
    fixture.delete(&model("main"), COGNITIVE).await.is(202);
    fixture.pass(60);
    fixture.delete(&id, COGNITIVE).await.is(202);
    fixture.pass(60);
    fixture.get(&id, COGNITIVE).await.refuses(404, "ResourceNotFound");
    let group = id.split("/providers/").next().unwrap();
    fixture.get(group, GROUPS).await.is(200);
}
