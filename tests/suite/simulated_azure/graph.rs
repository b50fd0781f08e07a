//! The simulated Azure's applications, service principals, federated credentials and deleted items.

use azure_sim::Speed;
use serde_json::{Value, json};

use super::fixture::Fixture;

const APPS: &str = "/v1.0/applications(uniqueName='acme%27%27s%20app')";

fn app() -> Value {
    json!({ "displayName": "Acme", "signInAudience": "AzureADMultipleOrgs", "tags": ["tenantry-tenant:acme"],
        "web": { "redirectUris": ["https://acme.example/callback"] } })
}

fn credential(name: &str) -> Value {
    json!({ "issuer": "https://issuer.example/", "subject": name, "audiences": ["api://AzureADTokenExchange"] })
}

async fn application(fixture: &Fixture) -> Value {
    fixture.upsert(APPS, app()).await.is(201);
    fixture.pass(20);
    fixture.send("GET", APPS, None).await.is(200).body
}

#[tokio::test]
async fn an_application_is_created_once_and_then_updated() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let missing = fixture.send("PATCH", APPS, Some(app())).await.refuses(404, "Request_ResourceNotFound");
    assert!(!missing.text("/error/innerError/request-id").is_empty());
    fixture.upsert(APPS, json!({ "tags": [] })).await.refuses(400, "Request_BadRequest");
    let made = fixture.upsert(APPS, app()).await.is(201);
    assert_eq!(made.text("/uniqueName"), "acme's app");
    fixture.send("GET", APPS, None).await.refuses(404, "Request_ResourceNotFound");
    fixture.upsert(APPS, json!({ "displayName": "Acme 2" })).await.is(204);
    fixture.pass(20);
    let seen = fixture.send("GET", APPS, None).await.is(200);
    assert_eq!((seen.text("/displayName"), seen.text("/id")), ("Acme 2", made.text("/id")));
    assert_eq!(seen.text("/web/redirectUris/0"), "https://acme.example/callback");
    let by_id = format!("/v1.0/applications/{}?$select=id,appId", made.text("/id"));
    let selected = fixture.send("GET", &by_id, None).await.is(200);
    assert!(selected.body.get("appId").is_some() && selected.body.get("displayName").is_none());
    fixture.upsert(APPS, json!({ "signInAudience": "Everybody" })).await.refuses(400, "Request_BadRequest");
    fixture.upsert(APPS, json!({ "appId": "x" })).await.refuses(400, "Request_BadRequest");
    assert_eq!(fixture.sim("objects?tenant=acme").await[0]["kind"], "graph/application");
}

#[tokio::test]
async fn a_service_principal_needs_an_application_that_is_replicated() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let made = fixture.upsert(APPS, app()).await.is(201);
    let path = format!("/v1.0/servicePrincipals(appId='{}')", made.text("/appId"));
    let early = fixture.upsert(&path, json!({})).await.refuses(400, "NoBackingApplicationObject");
    assert!(early.text("/error/message").contains("does not reference a valid application object"));
    fixture.pass(20);
    fixture.send("PATCH", &path, Some(json!({}))).await.is(404);
    let principal = fixture.upsert(&path, json!({ "appRoleAssignmentRequired": true })).await.is(201);
    assert_eq!(principal.body["appRoleAssignmentRequired"], true);
    fixture.upsert(&path, json!({ "tags": ["x"] })).await.is(204);
    fixture.pass(20);
    let by_id = format!("/v1.0/servicePrincipals/{}", principal.text("/id"));
    assert_eq!(fixture.send("GET", &by_id, None).await.is(200).text("/appDisplayName"), "Acme");
    fixture.send("DELETE", &by_id, None).await.is(204);
    fixture.send("GET", &path, None).await.is(404);
    fixture
        .send("GET", &format!("/v1.0/directory/deletedItems/{}", principal.text("/id")), None)
        .await
        .is(200);
}

#[tokio::test]
async fn credentials_are_limited_and_no_two_trust_the_same_identity() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let id = application(&fixture).await["id"].as_str().unwrap().to_owned();
    let all = format!("/v1.0/applications/{id}/federatedIdentityCredentials");
    let path = |name: &str| format!("{all}(name='{name}')");
    fixture.upsert(&path("no spaces"), credential("s")).await.refuses(400, "Request_BadRequest");
    fixture.upsert(&path("first"), json!({ "issuer": "https://i" })).await.refuses(400, "Request_BadRequest");
    let made = fixture.upsert(&path("first"), credential("s0")).await.is(201);
    fixture.upsert(&path("first"), credential("s0")).await.is(204);
    fixture
        .upsert(&path("twin"), credential("s0"))
        .await
        .refuses(409, "Request_MultipleObjectsWithSameKeyValue");
    for n in 1..20 {
        fixture.upsert(&path(&format!("more-{n}")), credential(&format!("s{n}"))).await.is(201);
    }
    fixture.upsert(&path("too-many"), credential("s20")).await.refuses(400, "Request_BadRequest");
    fixture.pass(20);
    assert_eq!(fixture.send("GET", &all, None).await.is(200).body["value"].as_array().unwrap().len(), 20);
    assert_eq!(fixture.send("GET", &path("first"), None).await.is(200).text("/subject"), "s0");
    fixture.send("DELETE", &path("more-1"), None).await.is(204);
    fixture.send("DELETE", &format!("{all}/{}", made.text("/id")), None).await.is(204);
    fixture.send("DELETE", &path("first"), None).await.is(404);
}

#[tokio::test]
async fn a_deleted_application_keeps_its_name_and_can_be_restored() {
    let fixture = Fixture::new(Speed::Factor(1.0)).await;
    let application = application(&fixture).await;
    let (id, app_id) = (application["id"].as_str().unwrap(), application["appId"].as_str().unwrap());
    let principal =
        fixture.upsert(&format!("/v1.0/servicePrincipals(appId='{app_id}')"), json!({})).await.is(201);
    let deleted = format!("/v1.0/directory/deletedItems/{id}");
    let deleted_principal = format!("/v1.0/directory/deletedItems/{}", principal.text("/id"));
    fixture.send("DELETE", &deleted, None).await.is(404);
    fixture.send("DELETE", &format!("/v1.0/applications/{id}"), None).await.is(204);
    fixture.send("GET", APPS, None).await.is(404);
    fixture.send("GET", &deleted, None).await.is(200);
    fixture.send("GET", &deleted_principal, None).await.is(200);
    fixture.upsert(APPS, app()).await.refuses(400, "Request_BadRequest");
    fixture.send("PATCH", APPS, Some(app())).await.refuses(404, "Request_ResourceNotFound");
    for (list, found) in [
        ("application", 1),
        ("servicePrincipal", 1),
        ("application?$filter=tags/any(t:t%20eq%20'tenantry-tenant:acme')&$select=id", 1),
        ("application?$filter=tags/any(t:t%20eq%20'tenantry-tenant:other')", 0),
        (&format!("servicePrincipal?$filter=appId%20eq%20'{app_id}'"), 1),
        ("servicePrincipal?$filter=appId%20eq%20'other'", 0),
    ] {
        let path = format!("/v1.0/directory/deletedItems/microsoft.graph.{list}");
        let listed = fixture.send("GET", &path, None).await.is(200).body;
        assert_eq!(listed["value"].as_array().unwrap().len(), found, "{list}: {listed:#}");
    }
    let by_name = "/v1.0/directory/deletedItems/microsoft.graph.application?$filter=uniqueName%20eq%20'x'";
    fixture.send("GET", by_name, None).await.refuses(400, "Request_UnsupportedQuery");
    let back = fixture.send("POST", &format!("{deleted}/restore"), None).await.is(200);
    assert_eq!(back.text("/appId"), app_id);
    fixture.pass(20);
    fixture.send("GET", APPS, None).await.is(200);
    fixture.send("DELETE", APPS, None).await.is(204);
    fixture.send("DELETE", &deleted, None).await.is(204);
    fixture.send("GET", &deleted, None).await.is(404);
    fixture.upsert(APPS, app()).await.is(201);
    fixture.pass(31 * 24 * 3600);
    fixture.send("GET", &deleted_principal, None).await.is(404);
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_graphs_error() {
    let fixture = Fixture::new(Speed::Max).await;
    for path in ["/v1.0/users", "/v1.0/applications(uniqueName=acme)", "/v1.0/applications(uniqueName='a'b')"]
    {
        fixture.send("GET", path, None).await.refuses(400, "BadRequest");
    }
    fixture.send("POST", APPS, Some(app())).await.is(405);
    fixture.upsert(APPS, json!("text")).await.refuses(400, "BadRequest");
    fixture.upsert(APPS, app()).await.is(201);
    fixture.send("GET", APPS, None).await.is(200);
}
