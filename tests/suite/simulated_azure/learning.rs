//! The simulated Azure's workspaces, online endpoints, deployments, and roles at them.

use azure_sim::{SCORER_ROLE, SUBSCRIPTION_ID, Speed};
use serde_json::{Value, json};

use super::fixture::{Answer, Fixture, GROUPS, ML, ROLES, deployment_body, endpoint_body, stamp};

const REAL: Speed = Speed::Factor(1.0);

#[tokio::test]
async fn a_workspace_needs_its_dependencies_and_keeps_its_name() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let id = format!("{rg}/providers/Microsoft.MachineLearningServices/workspaces/mlw-acme");
    let bare =
        json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": {} });
    fixture.put(&id, ML, bare).await.refuses(400, "BadRequest");
    let storage = format!("{rg}/providers/Microsoft.Storage/storageAccounts/stslow");
    fixture.put(&storage, "2023-05-01", super::fixture::storage_body()).await.is(202);
    let early = json!({ "location": "westeurope", "properties": { "storageAccount": storage } });
    let early = fixture.put(&id, ML, early).await.refuses(400, "BadRequest");
    assert!(early.text("/error/message").contains("is in Creating provisioning state"));
    let properties = fixture.dependencies(&rg, "acme").await;
    let body = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": properties });
    let poll = fixture.put(&id, ML, body.clone()).await.is(202).header("location").unwrap().to_owned();
    fixture.put(&id, ML, body.clone()).await.refuses(409, "AnotherOperationInProgress");
    assert_eq!(fixture.get(&id, ML).await.is(200).text("/properties/provisioningState"), "Creating");
    fixture.pass(60);
    let made = fixture.send("GET", &poll, None).await.is(200);
    assert_eq!(made.text("/properties/provisioningState"), "Succeeded");
    assert!(!made.text("/identity/principalId").is_empty());
    let mut changed = body.clone();
    changed["properties"]["storageAccount"] = json!(stamp("/pooled/workspaceId"));
    fixture.put(&id, ML, changed).await.refuses(400, "BadRequest");
    fixture.delete(&id, ML).await.is(202);
    fixture.pass(30);
    fixture.get(&id, ML).await.is(404);
    let held = fixture.put(&id, ML, body.clone()).await.refuses(400, "BadRequest");
    assert!(held.text("/error/message").contains("Soft-deleted workspace exists"));
    fixture.send("DELETE", &format!("{id}?api-version={ML}&forceToPurge=true"), None).await.is(202);
    fixture.pass(30);
    fixture.put(&id, ML, body).await.is(202);
}

#[tokio::test]
async fn a_soft_deleted_workspace_is_purged_after_fourteen_days() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let id = fixture.workspace(&rg, "acme").await;
    let body = fixture.get(&id, ML).await.is(200).body;
    fixture.delete(&id, ML).await.is(202);
    fixture.pass(30 + 14 * 24 * 3600);
    fixture.put(&id, ML, body).await.is(202);
}

#[tokio::test]
async fn an_endpoints_operation_has_a_status_url_and_its_address_appears_when_ready() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let id = format!("{workspace}/onlineEndpoints/ep-acme");
    let started = fixture.put(&id, ML, endpoint_body()).await.is(201);
    assert_eq!(started.text("/properties/provisioningState"), "Creating");
    assert!(started.header("location").is_none());
    assert_eq!(started.header("x-ms-async-operation-timeout"), Some("PT1H"));
    let poll = started.header("azure-asyncoperation").unwrap().to_owned();
    assert_eq!(fixture.send("GET", &poll, None).await.is(200).text("/status"), "InProgress");
    assert_eq!(fixture.get(&id, ML).await.is(200).text("/properties/scoringUri"), "");
    let early = fixture.put(&format!("{id}/deployments/main"), ML, deployment_body()).await;
    assert!(
        early.refuses(400, "BadRequest").text("/error/message").contains("is in Creating provisioning state")
    );
    fixture.pass(120);
    assert_eq!(fixture.send("GET", &poll, None).await.is(200).text("/status"), "Succeeded");
    let ready = fixture.get(&id, ML).await.is(200);
    assert_eq!(
        ready.text("/properties/scoringUri"),
        "https://ep-acme.westeurope.inference.ml.azure.com/score"
    );
    let mut other = endpoint_body();
    other["properties"]["authMode"] = json!("Key");
    fixture.put(&id, ML, other).await.refuses(400, "BadRequest");
    let taken = format!("{}/onlineEndpoints/EP-acme", stamp("/pooled/workspaceId"));
    fixture.put(&taken, ML, endpoint_body()).await.refuses(400, "UserError");
    for name in ["1st", "ab", "a--b", "a-", &"a".repeat(33), "a_b"] {
        let id = format!("{workspace}/onlineEndpoints/{name}");
        fixture.put(&id, ML, endpoint_body()).await.refuses(400, "InvalidResourceName");
    }
}

#[tokio::test]
async fn traffic_goes_only_to_existing_deployments_and_prevents_their_deletion() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let id = fixture.endpoint(&workspace, "ep-acme").await;
    let with = |traffic: Value| {
        let mut body = endpoint_body();
        body["properties"]["traffic"] = traffic;
        body
    };
    fixture.put(&id, ML, with(json!({ "main": 100 }))).await.refuses(400, "BadRequest");
    let deployment = format!("{id}/deployments/main");
    let started = fixture.put(&deployment, ML, deployment_body()).await.is(201);
    assert!(started.header("azure-asyncoperation").is_some());
    fixture.pass(600);
    assert_eq!(fixture.get(&deployment, ML).await.is(200).text("/properties/provisioningState"), "Succeeded");
    fixture.put(&id, ML, with(json!({ "main": 90 }))).await.refuses(400, "BadRequest");
    let update = fixture.put(&id, ML, with(json!({ "main": 100 }))).await.is(200);
    assert_eq!(update.text("/properties/provisioningState"), "Updating");
    fixture.pass(30);
    fixture.delete(&deployment, ML).await.refuses(400, "BadRequest");
    fixture.put(&id, ML, with(json!({}))).await.is(200);
    fixture.pass(30);
    let poll = fixture.delete(&deployment, ML).await.is(202).header("location").unwrap().to_owned();
    fixture.pass(300);
    fixture.send("GET", &poll, None).await.is(200);
    fixture.get(&deployment, ML).await.refuses(404, "ResourceNotFound");
    let listed = fixture.get(&format!("{workspace}/onlineEndpoints"), ML).await.is(200);
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
async fn an_assignment_is_created_once_and_never_changed() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let principal = fixture.get(&workspace, ML).await.is(200).text("/identity/principalId").to_owned();
    let other =
        fixture.get(&stamp("/pooled/workspaceId"), ML).await.is(200).text("/identity/principalId").to_owned();
    let id = assignment(&workspace, 1);
    let stranger = grant("00000000-0000-0000-0000-00000000dead", Some("ServicePrincipal"));
    fixture.put(&id, ROLES, stranger).await.refuses(400, "PrincipalNotFound");
    let body = grant(&principal, Some("ServicePrincipal"));
    let made = fixture.put(&id, ROLES, body.clone()).await.is(201);
    assert_eq!(made.text("/properties/scope"), workspace);
    fixture.put(&id, ROLES, body.clone()).await.is(200);
    fixture.put(&assignment(&workspace, 2), ROLES, body.clone()).await.refuses(409, "RoleAssignmentExists");
    fixture
        .put(&assignment(&rg, 1), ROLES, body.clone())
        .await
        .refuses(400, "RoleAssignmentUpdateNotPermitted");
    fixture.put(&id, ROLES, grant(&other, None)).await.refuses(400, "RoleAssignmentUpdateNotPermitted");
    fixture
        .put(&assignment(&format!("{workspace}x"), 3), ROLES, body.clone())
        .await
        .refuses(404, "ResourceNotFound");
    let list = format!("{rg}/providers/Microsoft.Authorization/roleAssignments?api-version={ROLES}&$filter=");
    let mine = fixture.send("GET", &format!("{list}principalId%20eq%20'{principal}'"), None).await.is(200);
    assert_eq!(mine.body["value"].as_array().unwrap().len(), 1);
    let at = fixture.send("GET", &format!("{list}atScope()"), None).await.is(200);
    assert_eq!(at.body["value"].as_array().unwrap().len(), 0);
    fixture.delete(&id, ROLES).await.is(200);
    fixture.delete(&id, ROLES).await.is(204);
    fixture.put(&id, ROLES, body).await.is(201);
    fixture.delete(&workspace, ML).await.is(202);
    fixture.pass(30);
    fixture.get(&id, ROLES).await.is(404);
}

#[tokio::test]
async fn a_new_principal_needs_its_type_until_it_is_replicated() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let identity = format!("{rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-acme");
    let made = fixture.put(&identity, "2023-01-31", json!({ "location": "westeurope" })).await.is(201);
    let principal = made.text("/properties/principalId").to_owned();
    fixture.put(&assignment(&rg, 1), ROLES, grant(&principal, None)).await.refuses(400, "PrincipalNotFound");
    fixture.put(&assignment(&rg, 1), ROLES, grant(&principal, Some("ServicePrincipal"))).await.is(201);
    fixture.pass(20);
    fixture.put(&assignment(&identity, 2), ROLES, grant(&principal, Some("ServicePrincipal"))).await.is(201);
}

#[tokio::test]
async fn an_endpoints_own_identity_may_read_the_default_datastore_and_a_given_one_may_not() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let storage = fixture.get(&workspace, ML).await.is(200).text("/properties/storageAccount").to_owned();
    let list = format!("{storage}/providers/Microsoft.Authorization/roleAssignments?api-version={ROLES}");
    let endpoint = fixture.endpoint(&workspace, "ep-own").await;
    let count = |answer: &Answer| answer.body["value"].as_array().unwrap().len();
    assert_eq!(count(&fixture.send("GET", &list, None).await.is(200)), 1);
    let identity = format!("{rg}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-acme");
    fixture.put(&identity, "2023-01-31", json!({ "location": "westeurope" })).await.is(201);
    let mut body = endpoint_body();
    body["identity"] = json!({ "type": "UserAssigned", "userAssignedIdentities": { identity.as_str(): {} } });
    let given = fixture.put(&format!("{workspace}/onlineEndpoints/ep-given"), ML, body).await.is(201);
    assert!(!given.body["identity"]["userAssignedIdentities"][&identity]["principalId"].is_null());
    fixture.pass(120);
    assert_eq!(count(&fixture.send("GET", &list, None).await.is(200)), 1);
    fixture.delete(&endpoint, ML).await.is(202);
    fixture.pass(60);
    assert_eq!(count(&fixture.send("GET", &list, None).await.is(200)), 0);
}

#[tokio::test]
async fn a_list_shows_one_collection_without_what_is_below_its_members() {
    let fixture = Fixture::new(REAL).await;
    let rg = fixture.group("acme").await;
    let workspace = fixture.workspace(&rg, "acme").await;
    let endpoint = fixture.endpoint(&workspace, "ep-acme").await;
    fixture.endpoint(&workspace, "ep-acme-two").await;
    fixture.put(&format!("{endpoint}/deployments/main"), ML, deployment_body()).await.is(201);
    fixture.pass(600);
    let principal = fixture.get(&workspace, ML).await.is(200).text("/identity/principalId").to_owned();
    fixture.put(&assignment(&workspace, 1), ROLES, grant(&principal, None)).await.is(201);
    let names = |answer: Answer| -> Vec<String> {
        let items = answer.is(200).body["value"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let endpoints = format!("{workspace}/onlineEndpoints");
    assert_eq!(names(fixture.get(&endpoints, ML).await), ["ep-acme", "ep-acme-two"]);
    assert_eq!(names(fixture.get(&format!("{endpoint}/deployments"), ML).await), ["main"]);
    let workspaces = format!("{rg}/providers/Microsoft.MachineLearningServices/workspaces");
    assert_eq!(names(fixture.get(&workspaces, ML).await), ["mlw-acme"]);
    let contents = names(fixture.get(&format!("{rg}/resources"), GROUPS).await);
    assert!(contents.contains(&"mlw-acme".to_owned()), "{contents:?}");
    assert!(
        !contents.iter().any(|name| name.starts_with("ep-") || name.starts_with("00000000")),
        "{contents:?}"
    );
    // At the scope of the assignment, above it and below it: the assignment is listed for all three.
    for scope in [&workspace, &rg, &endpoint] {
        let list = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
        let listed = names(fixture.get(&list, ROLES).await);
        let granted = listed.iter().filter(|name| assignment("", 1).ends_with(*name));
        assert_eq!(granted.count(), 1, "{scope}: {listed:?}");
    }
}
