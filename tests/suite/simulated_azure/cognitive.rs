//! Accounts of Cognitive Services, the models deployed in them, and what is kept of a deleted account.

use azure_sim::{SUBSCRIPTION_ID, Speed};
use serde_json::{Value, json};

use super::world::{GROUPS, World};

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
async fn an_account_tells_its_endpoint_and_keeps_its_kind_and_sub_domain() {
    let world = World::new(Speed::Max).await;
    let id = account(&world.group("acme").await, "ai-acme");
    world.put(&id, COGNITIVE, json!({ "location": "westeurope" })).await.refuses(400, "BadRequest");
    world.put(&id, COGNITIVE, account_body("Acme-AI")).await.is(201);
    let shown = world.get(&id, COGNITIVE).await.is(200);
    assert_eq!(shown.text("/properties/endpoint"), "https://Acme-AI.openai.azure.com/");
    assert_eq!(shown.text("/properties/provisioningState"), "Succeeded");
    assert_eq!(shown.body["properties"]["disableLocalAuth"], true);
    let again = world.put(&id, COGNITIVE, account_body("Acme-AI")).await.is(200);
    assert_eq!(again.body["properties"]["internalId"], shown.body["properties"]["internalId"]);
    world.put(&id, COGNITIVE, account_body("other")).await.refuses(400, "BadRequest");
    let mut kind = account_body("Acme-AI");
    kind["kind"] = json!("SpeechServices");
    world.put(&id, COGNITIVE, kind).await.refuses(400, "BadRequest");
    let second = account(&world.group("globex").await, "ai-globex");
    world.put(&second, COGNITIVE, account_body("acme-ai")).await.refuses(409, "CustomDomainInUse");
}

#[tokio::test]
async fn a_deleted_account_holds_its_name_and_sub_domain_until_it_is_purged_or_two_days_old() {
    let world = World::new(Speed::Max).await;
    let id = account(&world.group("acme").await, "ai-acme");
    let elsewhere = account(&world.group("globex").await, "ai-globex");
    let kept = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.CognitiveServices/locations/westeurope/resourceGroups/rg-acme/deletedAccounts/ai-acme"
    );
    world.get(&kept, COGNITIVE).await.refuses(404, "ResourceNotFound");
    world.delete(&kept, COGNITIVE).await.is(204);
    world.put(&id, COGNITIVE, account_body("acme-ai")).await.is(201);
    world.get(&kept, COGNITIVE).await.refuses(404, "ResourceNotFound");

    world.delete(&id, COGNITIVE).await.is(202);
    world.get(&id, COGNITIVE).await.refuses(404, "ResourceNotFound");
    let shown = world.get(&kept, COGNITIVE).await.is(200);
    assert_eq!(shown.text("/id"), kept);
    assert_eq!(shown.body["tags"]["tenantry-tenant"], "acme");
    assert!(!shown.text("/properties/scheduledPurgeDate").is_empty());
    world.put(&id, COGNITIVE, account_body("acme-ai")).await.refuses(409, "FlagMustBeSetForRestore");
    world.put(&elsewhere, COGNITIVE, account_body("acme-ai")).await.refuses(409, "CustomDomainInUse");

    let mut restore = account_body("acme-ai");
    restore["properties"]["restore"] = json!(true);
    world.put(&elsewhere, COGNITIVE, restore.clone()).await.refuses(400, "BadRequest");
    world.put(&id, COGNITIVE, restore).await.is(201);
    assert_eq!(world.get(&id, COGNITIVE).await.is(200).body["properties"].get("restore"), None);

    world.delete(&id, COGNITIVE).await.is(202);
    world.delete(&kept, COGNITIVE).await.is(200);
    world.get(&kept, COGNITIVE).await.refuses(404, "ResourceNotFound");
    world.put(&elsewhere, COGNITIVE, account_body("acme-ai")).await.is(201);
    world.delete(&elsewhere, COGNITIVE).await.is(202);
    world.pass(48 * 3600 - 1);
    world.put(&id, COGNITIVE, account_body("acme-ai")).await.refuses(409, "CustomDomainInUse");
    world.pass(1);
    world.put(&id, COGNITIVE, account_body("acme-ai")).await.is(201);
}

#[tokio::test]
async fn a_model_needs_an_account_that_is_ready_and_holds_it() {
    let world = World::new(Speed::Factor(1.0)).await;
    let id = account(&world.group("acme").await, "ai-acme");
    let model = |name: &str| format!("{id}/deployments/{name}");
    world.put(&model("main"), COGNITIVE, model_body()).await.refuses(404, "ParentResourceNotFound");
    world.put(&id, COGNITIVE, account_body("acme-ai")).await.is(201);
    world.put(&model("main"), COGNITIVE, model_body()).await.refuses(409, "AccountProvisioningStateInvalid");
    world.pass(60);
    world.put(&model("main"), COGNITIVE, json!({})).await.refuses(400, "BadRequest");
    let made = world.put(&model("main"), COGNITIVE, model_body()).await.is(201);
    assert!(made.header("azure-asyncoperation").is_some());
    world.put(&model("other"), COGNITIVE, model_body()).await.refuses(409, "RequestConflict");
    world.pass(60);
    let shown = world.get(&model("main"), COGNITIVE).await.is(200);
    assert_eq!(shown.text("/properties/provisioningState"), "Succeeded");
    assert_eq!(shown.body["properties"]["currentCapacity"], 10);
    world.delete(&id, COGNITIVE).await.refuses(409, "CannotDeleteResource");
    world.delete(&model("main"), COGNITIVE).await.is(202);
    world.pass(60);
    world.delete(&id, COGNITIVE).await.is(202);
    world.pass(60);
    world.get(&id, COGNITIVE).await.refuses(404, "ResourceNotFound");
    let group = id.split("/providers/").next().unwrap();
    world.get(group, GROUPS).await.is(200);
}
