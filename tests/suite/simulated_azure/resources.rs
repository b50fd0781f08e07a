//! What all resource types of the simulated Azure have in common, and its groups, storage accounts, vaults and
//! identities.

use azure_sim::{SUBSCRIPTION_ID, Speed};
use serde_json::json;

use super::fixture::{Fixture, GROUPS, group, storage_body, vault_body};

const STORAGE: &str = "2023-05-01";
const VAULT: &str = "2023-07-01";
const IDENTITY: &str = "2023-01-31";

fn identity(group: &str, name: &str) -> String {
    format!("{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

#[tokio::test]
async fn a_group_is_created_changed_shown_and_listed() {
    let fixture = Fixture::new(Speed::Max).await;
    let id = group("acme");
    fixture.get(&id, GROUPS).await.refuses(404, "ResourceGroupNotFound");
    let body = json!({ "location": "West Europe", "tags": { "tenantry-tenant": "acme" } });
    let made = fixture.put(&id, GROUPS, body.clone()).await.is(201);
    assert_eq!(made.body["id"], id.as_str());
    assert_eq!(made.body["location"], "westeurope");
    assert_eq!(made.body["properties"]["provisioningState"], "Succeeded");
    assert!(made.header("x-ms-request-id").is_some() && made.header("x-ms-correlation-request-id").is_some());
    assert!(made.header("x-ms-ratelimit-remaining-subscription-writes").is_some());
    let shouted = id.replace("rg-acme", "RG-ACME");
    assert_eq!(fixture.put(&shouted, GROUPS, body).await.is(200).body["id"], id.as_str());
    assert_eq!(fixture.get(&id.to_lowercase(), GROUPS).await.is(200).body["tags"]["tenantry-tenant"], "acme");
    let moved = fixture.put(&id, GROUPS, json!({ "location": "northeurope" })).await;
    moved.refuses(409, "InvalidResourceGroupLocation");
    let listed =
        fixture.get(&format!("/subscriptions/{SUBSCRIPTION_ID}/resourcegroups"), GROUPS).await.is(200);
    assert_eq!(listed.body["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn invalid_requests_are_refused_for_every_resource_type() {
    let fixture = Fixture::new(Speed::Max).await;
    let rg = fixture.group("acme").await;
    let storage = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stacme");
    fixture.send("GET", &storage, None).await.refuses(400, "MissingApiVersionParameter");
    fixture.get(&storage, "2019-01-01").await.refuses(400, "NoRegisteredProviderFound");
    fixture.get(&storage, STORAGE).await.refuses(404, "ResourceNotFound");
    fixture
        .put(&storage.replace("stacme", "St_Acme"), STORAGE, storage_body())
        .await
        .refuses(400, "InvalidResourceName");
    fixture
        .put(&storage.replace("rg-acme", "rg-none"), STORAGE, storage_body())
        .await
        .refuses(404, "ResourceGroupNotFound");
    fixture.put(&storage, STORAGE, json!([])).await.refuses(400, "InvalidRequestContent");
    fixture.put(&storage, STORAGE, json!({ "kind": "StorageV2" })).await.refuses(400, "LocationRequired");
    let mars = json!({ "location": "mars", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } });
    fixture.put(&storage, STORAGE, mars).await.refuses(400, "LocationNotAvailableForResourceType");
    let other = storage.replace(SUBSCRIPTION_ID, "00000000-0000-0000-0000-00000000ffff");
    fixture.get(&other, STORAGE).await.refuses(404, "SubscriptionNotFound");
    fixture.get("/subscriptions/nonsense", GROUPS).await.refuses(400, "InvalidSubscriptionId");
    fixture.get("/tenants", GROUPS).await.refuses(404, "NotFound");
    fixture.get(&rg.replace("/resourceGroups", "%2FresourceGroups"), GROUPS).await.refuses(404, "NotFound");
    fixture
        .send("POST", &format!("{storage}?api-version={STORAGE}"), None)
        .await
        .refuses(405, "MethodNotAllowed");
    fixture
        .get(&format!("{rg}/providers/Microsoft.Nothing/things/a"), GROUPS)
        .await
        .refuses(404, "InvalidResourceNamespace");
    fixture
        .get(&format!("{rg}/providers/Microsoft.Storage/things/a"), GROUPS)
        .await
        .refuses(404, "InvalidResourceType");
    let orphan =
        format!("{rg}/providers/Microsoft.MachineLearningServices/workspaces/none/onlineEndpoints/ep-a");
    fixture
        .put(&orphan, "2024-10-01", super::fixture::endpoint_body())
        .await
        .refuses(404, "ParentResourceNotFound");
    let path = format!("{rg}?api-version={GROUPS}");
    let empty = fixture.try_send("GET", &path, &[("authorization", "Bearer ")], None).await.unwrap();
    empty.refuses(401, "AuthenticationFailed");
    let known = fixture.try_send("GET", &path, &[("authorization", "Bearer local")], None).await.unwrap();
    known.is(200);
    let provider = format!("/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault");
    assert_eq!(fixture.get(&provider, GROUPS).await.is(200).body["registrationState"], "Registered");
}

#[tokio::test]
async fn a_storage_accounts_operation_has_a_location_url() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = fixture.group("acme").await;
    let id = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stacme");
    let started = fixture.put(&id, STORAGE, storage_body()).await.is(202);
    assert_eq!(started.header("retry-after"), Some("15"));
    let poll = started.header("location").unwrap().to_owned();
    assert!(poll.starts_with(fixture.base()), "{poll}");
    fixture.send("GET", &poll, None).await.is(202);
    assert_eq!(fixture.get(&id, STORAGE).await.is(200).text("/properties/provisioningState"), "Creating");
    fixture.put(&id, STORAGE, storage_body()).await.refuses(409, "StorageAccountOperationInProgress");
    fixture.pass(20);
    assert_eq!(fixture.send("GET", &poll, None).await.is(202).header("retry-after"), Some("1"));
    fixture.pass(1);
    assert_eq!(fixture.send("GET", &poll, None).await.is(200).body["id"], id.as_str());
    assert_eq!(fixture.get(&id, STORAGE).await.is(200).text("/properties/provisioningState"), "Succeeded");
    fixture.put(&id, STORAGE, storage_body()).await.is(200);
    let there = json!({ "location": "northeurope", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } });
    fixture.put(&id, STORAGE, there).await.refuses(409, "InvalidResourceLocation");
    let rg2 = fixture.group("other").await;
    fixture
        .put(&id.replace(&rg, &rg2), STORAGE, storage_body())
        .await
        .refuses(409, "StorageAccountInAnotherResourceGroup");
    fixture.delete(&id, STORAGE).await.is(200);
    fixture.delete(&id, STORAGE).await.is(204);
    fixture.put(&id.replace(&rg, &rg2), STORAGE, storage_body()).await.is(202);
}

#[tokio::test]
async fn a_deleted_vault_keeps_its_name_until_it_is_purged() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = fixture.group("acme").await;
    let id = format!("{rg}/providers/Microsoft.KeyVault/vaults/kv-acme");
    let deleted = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-acme"
    );
    let made = fixture.put(&id, VAULT, vault_body()).await.is(201);
    assert_eq!(made.text("/properties/provisioningState"), "RegisteringDns");
    fixture.pass(25);
    assert_eq!(fixture.get(&id, VAULT).await.is(200).text("/properties/provisioningState"), "Succeeded");
    fixture.get(&deleted, VAULT).await.is(404);
    fixture.delete(&id, VAULT).await.is(200);
    fixture.get(&id, VAULT).await.is(404);
    assert_eq!(fixture.get(&deleted, VAULT).await.is(200).body["properties"]["vaultId"], id.as_str());
    fixture.put(&id, VAULT, vault_body()).await.refuses(409, "ConflictError");
    let mut recover = vault_body();
    recover["properties"]["createMode"] = json!("recover");
    fixture.put(&id, VAULT, recover).await.is(201);
    fixture.pass(25);
    fixture.delete(&id, VAULT).await.is(200);
    let purge = format!("{deleted}/purge?api-version={VAULT}");
    fixture.send("POST", &purge, None).await.is(202);
    fixture.send("POST", &purge, None).await.refuses(409, "Conflict");
    fixture.pass(20);
    fixture.send("POST", &purge, None).await.is(404);
    let mut protected = vault_body();
    protected["properties"]["enablePurgeProtection"] = json!(true);
    fixture.put(&id, VAULT, protected).await.is(201);
    fixture.pass(25);
    fixture.delete(&id, VAULT).await.is(200);
    fixture.send("POST", &purge, None).await.refuses(405, "MethodNotAllowed");
    fixture.pass(91 * 24 * 3600);
    fixture.get(&deleted, VAULT).await.is(404);
    fixture.put(&id, VAULT, vault_body()).await.is(201);
}

#[tokio::test]
async fn a_deleted_groups_resources_are_deleted_with_it() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let rg = fixture.group("acme").await;
    let id = identity(&rg, "id-acme");
    fixture.put(&id, IDENTITY, json!({ "location": "westeurope" })).await.is(201);
    let vault = format!("{rg}/providers/Microsoft.KeyVault/vaults/kv-acme");
    fixture.put(&vault, VAULT, vault_body()).await.is(201);
    let contents = fixture.get(&format!("{rg}/resources"), GROUPS).await.is(200);
    assert_eq!(contents.body["value"].as_array().unwrap().len(), 2);
    let started = fixture.delete(&rg, GROUPS).await.is(202);
    let poll = started.header("location").unwrap().to_owned();
    fixture
        .put(&identity(&rg, "id-late"), IDENTITY, json!({ "location": "westeurope" }))
        .await
        .refuses(409, "ResourceGroupBeingDeleted");
    assert_eq!(fixture.get(&rg, GROUPS).await.is(200).text("/properties/provisioningState"), "Deleting");
    fixture.send("GET", &poll, None).await.is(202);
    fixture.pass(30);
    fixture.send("GET", &poll, None).await.is(200);
    fixture.get(&id, IDENTITY).await.refuses(404, "ResourceGroupNotFound");
    fixture.delete(&rg, GROUPS).await.refuses(404, "ResourceGroupNotFound");
    let left = fixture.sim("objects?tenant=acme").await;
    assert_eq!(left.as_array().unwrap().len(), 1, "only the soft-deleted vault: {left:#}");
    assert_eq!(left[0]["state"], "SoftDeleted");
}

#[tokio::test]
async fn an_identity_keeps_its_principal_and_a_recreated_one_gets_another() {
    let fixture = Fixture::new(Speed::Max).await;
    let rg = fixture.group("acme").await;
    let id = identity(&rg, "id-acme");
    let body = json!({ "location": "westeurope" });
    let first = fixture.put(&id, IDENTITY, body.clone()).await.is(201);
    let again = fixture.put(&id, IDENTITY, body.clone()).await.is(200);
    assert_eq!(first.body["properties"], again.body["properties"]);
    let principal = first.text("/properties/principalId").to_owned();
    let shown = fixture.send("GET", &format!("/v1.0/servicePrincipals/{principal}"), None).await.is(200);
    assert_eq!(shown.text("/servicePrincipalType"), "ManagedIdentity");
    fixture.delete(&id, IDENTITY).await.is(200);
    fixture.send("GET", &format!("/v1.0/servicePrincipals/{principal}"), None).await.is(404);
    let recreated = fixture.put(&id, IDENTITY, body).await.is(201);
    assert_ne!(recreated.text("/properties/principalId"), principal);
}
