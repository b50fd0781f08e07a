//! What all resource types have in common, and groups, storage, vaults, identities.

use azure_sim::{SUBSCRIPTION_ID, Speed};
use serde_json::json;

use super::world::{GROUPS, World, group, storage_body, vault_body};

const STORAGE: &str = "2023-05-01";
const VAULT: &str = "2023-07-01";
const IDENTITY: &str = "2023-01-31";

fn identity(group: &str, name: &str) -> String {
    format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

#[tokio::test]
async fn a_group_is_made_changed_shown_and_listed() {
    let world = World::new(Speed::Max).await;
    let id = group("acme");
    world.get(&id, GROUPS).await.refuses(404, "ResourceGroupNotFound");
    let body = json!({ "location": "West Europe", "tags": { "tenantry-tenant": "acme" } });
    let made = world.put(&id, GROUPS, body.clone()).await.is(201);
    assert_eq!(made.body["id"], id.as_str());
    assert_eq!(made.body["location"], "westeurope");
    assert_eq!(made.body["properties"]["provisioningState"], "Succeeded");
    assert!(made.header("x-ms-request-id").is_some() && made.header("x-ms-correlation-request-id").is_some());
    assert!(made.header("x-ms-ratelimit-remaining-subscription-writes").is_some());
    let shouted = id.replace("rg-acme", "RG-ACME");
    assert_eq!(world.put(&shouted, GROUPS, body).await.is(200).body["id"], id.as_str());
    assert_eq!(world.get(&id.to_lowercase(), GROUPS).await.is(200).body["tags"]["tenantry-tenant"], "acme");
    let moved = world.put(&id, GROUPS, json!({ "location": "northeurope" })).await;
    moved.refuses(409, "InvalidResourceGroupLocation");
    let listed = world.get(&format!("/subscriptions/{SUBSCRIPTION_ID}/resourcegroups"), GROUPS).await.is(200);
    assert_eq!(listed.body["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_azure_refuses_everywhere_is_refused() {
    let world = World::new(Speed::Max).await;
    let rg = world.group("acme").await;
    let storage = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stacme");
    world.send("GET", &storage, None).await.refuses(400, "MissingApiVersionParameter");
    world.get(&storage, "2019-01-01").await.refuses(400, "NoRegisteredProviderFound");
    world.get(&storage, STORAGE).await.refuses(404, "ResourceNotFound");
    world
        .put(&storage.replace("stacme", "St_Acme"), STORAGE, storage_body())
        .await
        .refuses(400, "InvalidResourceName");
    world
        .put(&storage.replace("rg-acme", "rg-none"), STORAGE, storage_body())
        .await
        .refuses(404, "ResourceGroupNotFound");
    world.put(&storage, STORAGE, json!([])).await.refuses(400, "InvalidRequestContent");
    world.put(&storage, STORAGE, json!({ "kind": "StorageV2" })).await.refuses(400, "LocationRequired");
    let mars = json!({ "location": "mars", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } });
    world.put(&storage, STORAGE, mars).await.refuses(400, "LocationNotAvailableForResourceType");
    let other = storage.replace(SUBSCRIPTION_ID, "00000000-0000-0000-0000-00000000ffff");
    world.get(&other, STORAGE).await.refuses(404, "SubscriptionNotFound");
    world.get("/subscriptions/nonsense", GROUPS).await.refuses(400, "InvalidSubscriptionId");
    world.get("/tenants", GROUPS).await.refuses(404, "NotFound");
    world.get(&rg.replace("/resourceGroups", "%2FresourceGroups"), GROUPS).await.refuses(404, "NotFound");
    world
        .send("POST", &format!("{storage}?api-version={STORAGE}"), None)
        .await
        .refuses(405, "MethodNotAllowed");
    world
        .get(&format!("{rg}/providers/Microsoft.Nothing/things/a"), GROUPS)
        .await
        .refuses(404, "InvalidResourceNamespace");
    world
        .get(&format!("{rg}/providers/Microsoft.Storage/things/a"), GROUPS)
        .await
        .refuses(404, "InvalidResourceType");
    let orphan =
        format!("{rg}/providers/Microsoft.MachineLearningServices/workspaces/none/onlineEndpoints/ep-a");
    world
        .put(&orphan, "2024-10-01", super::world::endpoint_body())
        .await
        .refuses(404, "ParentResourceNotFound");
    let path = format!("{rg}?api-version={GROUPS}");
    let empty = world.try_send("GET", &path, &[("authorization", "Bearer ")], None).await.unwrap();
    empty.refuses(401, "AuthenticationFailed");
    let known = world.try_send("GET", &path, &[("authorization", "Bearer local")], None).await.unwrap();
    known.is(200);
    let provider = format!("/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault");
    assert_eq!(world.get(&provider, GROUPS).await.is(200).body["registrationState"], "Registered");
}

#[tokio::test]
async fn a_storage_account_is_followed_by_location() {
    let world = World::new(Speed::Factor(1.0)).await;
    let rg = world.group("acme").await;
    let id = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stacme");
    let started = world.put(&id, STORAGE, storage_body()).await.is(202);
    assert_eq!(started.header("retry-after"), Some("15"));
    let poll = started.header("location").unwrap().to_owned();
    assert!(poll.starts_with(world.base()), "{poll}");
    world.send("GET", &poll, None).await.is(202);
    assert_eq!(world.get(&id, STORAGE).await.is(200).text("/properties/provisioningState"), "Creating");
    world.put(&id, STORAGE, storage_body()).await.refuses(409, "StorageAccountOperationInProgress");
    world.pass(20);
    assert_eq!(world.send("GET", &poll, None).await.is(202).header("retry-after"), Some("1"));
    world.pass(1);
    assert_eq!(world.send("GET", &poll, None).await.is(200).body["id"], id.as_str());
    assert_eq!(world.get(&id, STORAGE).await.is(200).text("/properties/provisioningState"), "Succeeded");
    world.put(&id, STORAGE, storage_body()).await.is(200);
    let there = json!({ "location": "northeurope", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } });
    world.put(&id, STORAGE, there).await.refuses(409, "InvalidResourceLocation");
    let rg2 = world.group("other").await;
    world
        .put(&id.replace(&rg, &rg2), STORAGE, storage_body())
        .await
        .refuses(409, "StorageAccountInAnotherResourceGroup");
    world.delete(&id, STORAGE).await.is(200);
    world.delete(&id, STORAGE).await.is(204);
    world.put(&id.replace(&rg, &rg2), STORAGE, storage_body()).await.is(202);
}

#[tokio::test]
async fn a_deleted_vault_holds_its_name_until_it_is_purged() {
    let world = World::new(Speed::Factor(1.0)).await;
    let rg = world.group("acme").await;
    let id = format!("{rg}/providers/Microsoft.KeyVault/vaults/kv-acme");
    let deleted = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-acme"
    );
    let made = world.put(&id, VAULT, vault_body()).await.is(201);
    assert_eq!(made.text("/properties/provisioningState"), "RegisteringDns");
    world.pass(25);
    assert_eq!(world.get(&id, VAULT).await.is(200).text("/properties/provisioningState"), "Succeeded");
    world.get(&deleted, VAULT).await.is(404);
    world.delete(&id, VAULT).await.is(200);
    world.get(&id, VAULT).await.is(404);
    assert_eq!(world.get(&deleted, VAULT).await.is(200).body["properties"]["vaultId"], id.as_str());
    world.put(&id, VAULT, vault_body()).await.refuses(409, "ConflictError");
    let mut recover = vault_body();
    recover["properties"]["createMode"] = json!("recover");
    world.put(&id, VAULT, recover).await.is(201);
    world.pass(25);
    world.delete(&id, VAULT).await.is(200);
    let purge = format!("{deleted}/purge?api-version={VAULT}");
    world.send("POST", &purge, None).await.is(202);
    world.send("POST", &purge, None).await.refuses(409, "Conflict");
    world.pass(20);
    world.send("POST", &purge, None).await.is(404);
    let mut protected = vault_body();
    protected["properties"]["enablePurgeProtection"] = json!(true);
    world.put(&id, VAULT, protected).await.is(201);
    world.pass(25);
    world.delete(&id, VAULT).await.is(200);
    world.send("POST", &purge, None).await.refuses(405, "MethodNotAllowed");
    world.pass(91 * 24 * 3600);
    world.get(&deleted, VAULT).await.is(404);
    world.put(&id, VAULT, vault_body()).await.is(201);
}

#[tokio::test]
async fn a_removed_group_takes_its_resources_along() {
    let world = World::new(Speed::Factor(1.0)).await;
    let rg = world.group("acme").await;
    let id = identity(&rg, "id-acme");
    world.put(&id, IDENTITY, json!({ "location": "westeurope" })).await.is(201);
    let vault = format!("{rg}/providers/Microsoft.KeyVault/vaults/kv-acme");
    world.put(&vault, VAULT, vault_body()).await.is(201);
    let contents = world.get(&format!("{rg}/resources"), GROUPS).await.is(200);
    assert_eq!(contents.body["value"].as_array().unwrap().len(), 2);
    let started = world.delete(&rg, GROUPS).await.is(202);
    let poll = started.header("location").unwrap().to_owned();
    world
        .put(&identity(&rg, "id-late"), IDENTITY, json!({ "location": "westeurope" }))
        .await
        .refuses(409, "ResourceGroupBeingDeleted");
    assert_eq!(world.get(&rg, GROUPS).await.is(200).text("/properties/provisioningState"), "Deleting");
    world.send("GET", &poll, None).await.is(202);
    world.pass(30);
    world.send("GET", &poll, None).await.is(200);
    world.get(&id, IDENTITY).await.refuses(404, "ResourceGroupNotFound");
    world.delete(&rg, GROUPS).await.refuses(404, "ResourceGroupNotFound");
    let left = world.sim("objects?tenant=acme").await;
    assert_eq!(left.as_array().unwrap().len(), 1, "only the soft-deleted vault: {left:#}");
    assert_eq!(left[0]["state"], "SoftDeleted");
}

#[tokio::test]
async fn an_identity_keeps_its_principal_and_a_new_one_gets_another() {
    let world = World::new(Speed::Max).await;
    let rg = world.group("acme").await;
    let id = identity(&rg, "id-acme");
    let body = json!({ "location": "westeurope" });
    let first = world.put(&id, IDENTITY, body.clone()).await.is(201);
    let again = world.put(&id, IDENTITY, body.clone()).await.is(200);
    assert_eq!(first.body["properties"], again.body["properties"]);
    let principal = first.text("/properties/principalId").to_owned();
    let shown = world.send("GET", &format!("/v1.0/servicePrincipals/{principal}"), None).await.is(200);
    assert_eq!(shown.text("/servicePrincipalType"), "ManagedIdentity");
    world.delete(&id, IDENTITY).await.is(200);
    world.send("GET", &format!("/v1.0/servicePrincipals/{principal}"), None).await.is(404);
    let anew = world.put(&id, IDENTITY, body).await.is(201);
    assert_ne!(anew.text("/properties/principalId"), principal);
}
