//! Workspaces, endpoints, deployments, and roles at them.

use azure_sim::{SCORER_ROLE, SUBSCRIPTION_ID, Speed};
use serde_json::{Value, json};

use super::world::{ML, ROLES, World, deployment_body, endpoint_body, stamp};

const REAL: Speed = Speed::Factor(1.0);

#[tokio::test]
async fn a_workspace_needs_its_dependencies_and_holds_its_name() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let id = format!("{rg}/providers/Microsoft.MachineLearningServices/workspaces/mlw-acme");
    let bare =
        json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": {} });
    world.put(&id, ML, bare).await.refuses(400, "BadRequest");
    let storage = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stslow");
    world.put(&storage, "2023-05-01", super::world::storage_body()).await.is(202);
    let early = json!({ "location": "westeurope", "properties": { "storageAccount": storage } });
    let early = world.put(&id, ML, early).await.refuses(400, "BadRequest");
    assert!(early.text("/error/message").contains("is in Creating provisioning state"));
    let properties = world.dependencies(&rg, "acme").await;
    let body = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": properties });
    let poll = world.put(&id, ML, body.clone()).await.is(202).header("location").unwrap().to_owned();
    world.put(&id, ML, body.clone()).await.refuses(409, "AnotherOperationInProgress");
    assert_eq!(world.get(&id, ML).await.is(200).text("/properties/provisioningState"), "Creating");
    world.pass(60);
    let made = world.send("GET", &poll, None).await.is(200);
    assert_eq!(made.text("/properties/provisioningState"), "Succeeded");
    assert!(!made.text("/identity/principalId").is_empty());
    let mut changed = body.clone();
    changed["properties"]["storageAccount"] = json!(stamp("/pooled/workspaceId"));
    world.put(&id, ML, changed).await.refuses(400, "BadRequest");
    world.delete(&id, ML).await.is(202);
    world.pass(30);
    world.get(&id, ML).await.is(404);
    let held = world.put(&id, ML, body.clone()).await.refuses(400, "BadRequest");
    assert!(held.text("/error/message").contains("Soft-deleted workspace exists"));
    world.send("DELETE", &format!("{id}?api-version={ML}&forceToPurge=true"), None).await.is(202);
    world.pass(30);
    world.put(&id, ML, body).await.is(202);
}

#[tokio::test]
async fn a_soft_deleted_workspace_is_gone_after_fourteen_days() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let id = world.workspace(&rg, "acme").await;
    let body = world.get(&id, ML).await.is(200).body;
    world.delete(&id, ML).await.is(202);
    world.pass(30 + 14 * 24 * 3600);
    world.put(&id, ML, body).await.is(202);
}

#[tokio::test]
async fn an_endpoint_is_followed_by_its_status_and_shows_its_address_when_ready() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let workspace = world.workspace(&rg, "acme").await;
    let id = format!("{workspace}/onlineEndpoints/ep-acme");
    let started = world.put(&id, ML, endpoint_body()).await.is(201);
    assert_eq!(started.text("/properties/provisioningState"), "Creating");
    assert!(started.header("location").is_none());
    assert_eq!(started.header("x-ms-async-operation-timeout"), Some("PT1H"));
    let poll = started.header("azure-asyncoperation").unwrap().to_owned();
    assert_eq!(world.send("GET", &poll, None).await.is(200).text("/status"), "InProgress");
    assert_eq!(world.get(&id, ML).await.is(200).text("/properties/scoringUri"), "");
    let early = world.put(&format!("{id}/deployments/main"), ML, deployment_body()).await;
    assert!(
        early.refuses(400, "BadRequest").text("/error/message").contains("is in Creating provisioning state")
    );
    world.pass(120);
    assert_eq!(world.send("GET", &poll, None).await.is(200).text("/status"), "Succeeded");
    let ready = world.get(&id, ML).await.is(200);
    assert_eq!(
        ready.text("/properties/scoringUri"),
        "https://ep-acme.westeurope.inference.ml.azure.com/score"
    );
    let mut other = endpoint_body();
    other["properties"]["authMode"] = json!("Key");
    world.put(&id, ML, other).await.refuses(400, "BadRequest");
    let taken = format!("{}/onlineEndpoints/EP-acme", stamp("/pooled/workspaceId"));
    world.put(&taken, ML, endpoint_body()).await.refuses(400, "UserError");
    for name in ["1st", "ab", "a--b", "a-", &"a".repeat(33), "a_b"] {
        let id = format!("{workspace}/onlineEndpoints/{name}");
        world.put(&id, ML, endpoint_body()).await.refuses(400, "InvalidResourceName");
    }
}

#[tokio::test]
async fn traffic_goes_only_to_deployments_that_exist_and_holds_them() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let workspace = world.workspace(&rg, "acme").await;
    let id = world.endpoint(&workspace, "ep-acme").await;
    let with = |traffic: Value| {
        let mut body = endpoint_body();
        body["properties"]["traffic"] = traffic;
        body
    };
    world.put(&id, ML, with(json!({ "main": 100 }))).await.refuses(400, "BadRequest");
    let deployment = format!("{id}/deployments/main");
    let started = world.put(&deployment, ML, deployment_body()).await.is(201);
    assert!(started.header("azure-asyncoperation").is_some());
    world.pass(600);
    assert_eq!(world.get(&deployment, ML).await.is(200).text("/properties/provisioningState"), "Succeeded");
    world.put(&id, ML, with(json!({ "main": 90 }))).await.refuses(400, "BadRequest");
    let update = world.put(&id, ML, with(json!({ "main": 100 }))).await.is(200);
    assert_eq!(update.text("/properties/provisioningState"), "Updating");
    world.pass(30);
    world.delete(&deployment, ML).await.refuses(400, "BadRequest");
    world.put(&id, ML, with(json!({}))).await.is(200);
    world.pass(30);
    let poll = world.delete(&deployment, ML).await.is(202).header("location").unwrap().to_owned();
    world.pass(300);
    world.send("GET", &poll, None).await.is(200);
    world.get(&deployment, ML).await.refuses(404, "ResourceNotFound");
    let listed = world.get(&format!("{workspace}/onlineEndpoints"), ML).await.is(200);
    assert_eq!(listed.body["value"][0]["name"], "ep-acme");
}

fn assignment(scope: &str, n: u8) -> String {
    format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-0000000000{n:02}"
    )
}

fn grant(principal: &str, kind: Option<&str>) -> Value {
    let role = format!(
        "/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{SCORER_ROLE}"
    );
    let mut properties = json!({ "roleDefinitionId": role, "principalId": principal });
    if let Some(kind) = kind {
        properties["principalType"] = json!(kind);
    }
    json!({ "properties": properties })
}

#[tokio::test]
async fn a_role_is_assigned_once_and_never_changed() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let workspace = world.workspace(&rg, "acme").await;
    let principal = world.get(&workspace, ML).await.is(200).text("/identity/principalId").to_owned();
    let other =
        world.get(&stamp("/pooled/workspaceId"), ML).await.is(200).text("/identity/principalId").to_owned();
    let id = assignment(&workspace, 1);
    let stranger = grant("00000000-0000-0000-0000-00000000dead", Some("ServicePrincipal"));
    world.put(&id, ROLES, stranger).await.refuses(400, "PrincipalNotFound");
    let body = grant(&principal, Some("ServicePrincipal"));
    let made = world.put(&id, ROLES, body.clone()).await.is(201);
    assert_eq!(made.text("/properties/scope"), workspace);
    world.put(&id, ROLES, body.clone()).await.is(200);
    world.put(&assignment(&workspace, 2), ROLES, body.clone()).await.refuses(409, "RoleAssignmentExists");
    world
        .put(&assignment(&rg, 1), ROLES, body.clone())
        .await
        .refuses(400, "RoleAssignmentUpdateNotPermitted");
    world.put(&id, ROLES, grant(&other, None)).await.refuses(400, "RoleAssignmentUpdateNotPermitted");
    world
        .put(&assignment(&format!("{workspace}x"), 3), ROLES, body.clone())
        .await
        .refuses(404, "ResourceNotFound");
    let list = format!("{rg}/providers/Microsoft.Authorization/roleAssignments?api-version={ROLES}&$filter=");
    let mine = world.send("GET", &format!("{list}principalId%20eq%20'{principal}'"), None).await.is(200);
    assert_eq!(mine.body["value"].as_array().unwrap().len(), 1);
    let at = world.send("GET", &format!("{list}atScope()"), None).await.is(200);
    assert_eq!(at.body["value"].as_array().unwrap().len(), 0);
    world.delete(&id, ROLES).await.is(200);
    world.delete(&id, ROLES).await.is(204);
    world.put(&id, ROLES, body).await.is(201);
    world.delete(&workspace, ML).await.is(202);
    world.pass(30);
    world.get(&id, ROLES).await.is(404);
}

#[tokio::test]
async fn a_new_principal_needs_its_type_until_it_is_replicated() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let identity = format!("{rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-acme");
    let made = world.put(&identity, "2023-01-31", json!({ "location": "westeurope" })).await.is(201);
    let principal = made.text("/properties/principalId").to_owned();
    world.put(&assignment(&rg, 1), ROLES, grant(&principal, None)).await.refuses(400, "PrincipalNotFound");
    world.put(&assignment(&rg, 1), ROLES, grant(&principal, Some("ServicePrincipal"))).await.is(201);
    world.pass(20);
    world.put(&assignment(&identity, 2), ROLES, grant(&principal, Some("ServicePrincipal"))).await.is(201);
}

#[tokio::test]
async fn an_endpoints_own_identity_may_read_the_default_datastore_and_a_given_one_may_not() {
    let world = World::new(REAL).await;
    let rg = world.group("acme").await;
    let workspace = world.workspace(&rg, "acme").await;
    let storage = world.get(&workspace, ML).await.is(200).text("/properties/storageAccount").to_owned();
    let list = format!("{storage}/providers/Microsoft.Authorization/roleAssignments?api-version={ROLES}");
    let endpoint = world.endpoint(&workspace, "ep-own").await;
    let count = |answer: &super::world::Answer| answer.body["value"].as_array().unwrap().len();
    assert_eq!(count(&world.send("GET", &list, None).await.is(200)), 1);
    let identity = format!("{rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-acme");
    world.put(&identity, "2023-01-31", json!({ "location": "westeurope" })).await.is(201);
    let mut body = endpoint_body();
    body["identity"] = json!({ "type": "UserAssigned", "userAssignedIdentities": { identity.as_str(): {} } });
    let given = world.put(&format!("{workspace}/onlineEndpoints/ep-given"), ML, body).await.is(201);
    assert!(!given.body["identity"]["userAssignedIdentities"][&identity]["principalId"].is_null());
    world.pass(120);
    assert_eq!(count(&world.send("GET", &list, None).await.is(200)), 1);
    world.delete(&endpoint, ML).await.is(202);
    world.pass(60);
    assert_eq!(count(&world.send("GET", &list, None).await.is(200)), 0);
}
