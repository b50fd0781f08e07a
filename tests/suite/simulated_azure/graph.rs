//! Applications, service principals, federated credentials and deleted items.

use azure_sim::Speed;
use serde_json::{Value, json};

use super::world::World;

const APPS: &str = "/v1.0/applications(uniqueName='acme%27%27s%20app')";

fn app() -> Value {
    json!({ "displayName": "Acme", "signInAudience": "AzureADMultipleOrgs", "tags": ["tenantry-tenant:acme"],
        "web": { "redirectUris": ["https://acme.example/callback"] } })
}

fn credential(subject: &str) -> Value {
    json!({ "issuer": "https://issuer.example/", "subject": subject, "audiences": ["api://AzureADTokenExchange"] })
}

async fn application(world: &World) -> Value {
    world.upsert(APPS, app()).await.is(201);
    world.pass(20);
    world.send("GET", APPS, None).await.is(200).body
}

#[tokio::test]
async fn an_application_is_created_once_and_then_updated() {
    let world = World::new(Speed::Factor(1.0)).await;
    let missing = world.send("PATCH", APPS, Some(app())).await.refuses(404, "Request_ResourceNotFound");
    assert!(!missing.text("/error/innerError/request-id").is_empty());
    world.upsert(APPS, json!({ "tags": [] })).await.refuses(400, "Request_BadRequest");
    let made = world.upsert(APPS, app()).await.is(201);
    assert_eq!(made.text("/uniqueName"), "acme's app");
    world.send("GET", APPS, None).await.refuses(404, "Request_ResourceNotFound");
    world.upsert(APPS, json!({ "displayName": "Acme 2" })).await.is(204);
    world.pass(20);
    let seen = world.send("GET", APPS, None).await.is(200);
    assert_eq!((seen.text("/displayName"), seen.text("/id")), ("Acme 2", made.text("/id")));
    assert_eq!(seen.text("/web/redirectUris/0"), "https://acme.example/callback");
    let by_id = format!("/v1.0/applications/{}?$select=id,appId", made.text("/id"));
    let selected = world.send("GET", &by_id, None).await.is(200);
    assert!(selected.body.get("appId").is_some() && selected.body.get("displayName").is_none());
    world.upsert(APPS, json!({ "signInAudience": "Everybody" })).await.refuses(400, "Request_BadRequest");
    world.upsert(APPS, json!({ "appId": "x" })).await.refuses(400, "Request_BadRequest");
    assert_eq!(world.sim("objects?tenant=acme").await[0]["kind"], "graph/application");
}

#[tokio::test]
async fn a_service_principal_needs_an_application_that_is_replicated() {
    let world = World::new(Speed::Factor(1.0)).await;
    let made = world.upsert(APPS, app()).await.is(201);
    let path = format!("/v1.0/servicePrincipals(appId='{}')", made.text("/appId"));
    let early = world.upsert(&path, json!({})).await.refuses(400, "NoBackingApplicationObject");
    assert!(early.text("/error/message").contains("does not reference a valid application object"));
    world.pass(20);
    world.send("PATCH", &path, Some(json!({}))).await.is(404);
    let principal = world.upsert(&path, json!({ "appRoleAssignmentRequired": true })).await.is(201);
    assert_eq!(principal.body["appRoleAssignmentRequired"], true);
    world.upsert(&path, json!({ "tags": ["x"] })).await.is(204);
    world.pass(20);
    let by_id = format!("/v1.0/servicePrincipals/{}", principal.text("/id"));
    assert_eq!(world.send("GET", &by_id, None).await.is(200).text("/appDisplayName"), "Acme");
    world.send("DELETE", &by_id, None).await.is(204);
    world.send("GET", &path, None).await.is(404);
    world.send("GET", &format!("/v1.0/directory/deletedItems/{}", principal.text("/id")), None).await.is(200);
}

#[tokio::test]
async fn credentials_are_few_distinct_and_named() {
    let world = World::new(Speed::Factor(1.0)).await;
    let id = application(&world).await["id"].as_str().unwrap().to_owned();
    let all = format!("/v1.0/applications/{id}/federatedIdentityCredentials");
    let path = |name: &str| format!("{all}(name='{name}')");
    world.upsert(&path("no spaces"), credential("s")).await.refuses(400, "Request_BadRequest");
    world.upsert(&path("first"), json!({ "issuer": "https://i" })).await.refuses(400, "Request_BadRequest");
    let made = world.upsert(&path("first"), credential("s0")).await.is(201);
    world.upsert(&path("first"), credential("s0")).await.is(204);
    world
        .upsert(&path("twin"), credential("s0"))
        .await
        .refuses(409, "Request_MultipleObjectsWithSameKeyValue");
    for n in 1..20 {
        world.upsert(&path(&format!("more-{n}")), credential(&format!("s{n}"))).await.is(201);
    }
    world.upsert(&path("too-many"), credential("s20")).await.refuses(400, "Request_BadRequest");
    world.pass(20);
    assert_eq!(world.send("GET", &all, None).await.is(200).body["value"].as_array().unwrap().len(), 20);
    assert_eq!(world.send("GET", &path("first"), None).await.is(200).text("/subject"), "s0");
    world.send("DELETE", &path("more-1"), None).await.is(204);
    world.send("DELETE", &format!("{all}/{}", made.text("/id")), None).await.is(204);
    world.send("DELETE", &path("first"), None).await.is(404);
}

#[tokio::test]
async fn a_deleted_application_holds_its_name_and_can_come_back() {
    let world = World::new(Speed::Factor(1.0)).await;
    let application = application(&world).await;
    let (id, app_id) = (application["id"].as_str().unwrap(), application["appId"].as_str().unwrap());
    let principal =
        world.upsert(&format!("/v1.0/servicePrincipals(appId='{app_id}')"), json!({})).await.is(201);
    let deleted = format!("/v1.0/directory/deletedItems/{id}");
    let deleted_principal = format!("/v1.0/directory/deletedItems/{}", principal.text("/id"));
    world.send("DELETE", &deleted, None).await.is(404);
    world.send("DELETE", &format!("/v1.0/applications/{id}"), None).await.is(204);
    world.send("GET", APPS, None).await.is(404);
    world.send("GET", &deleted, None).await.is(200);
    world.send("GET", &deleted_principal, None).await.is(200);
    world.upsert(APPS, app()).await.refuses(400, "Request_BadRequest");
    world.send("PATCH", APPS, Some(app())).await.refuses(404, "Request_ResourceNotFound");
    for (list, found) in [
        ("application", 1),
        ("servicePrincipal", 1),
        ("application?$filter=tags/any(t:t%20eq%20'tenantry-tenant:acme')&$select=id", 1),
        ("application?$filter=tags/any(t:t%20eq%20'tenantry-tenant:other')", 0),
        (&format!("servicePrincipal?$filter=appId%20eq%20'{app_id}'"), 1),
        ("servicePrincipal?$filter=appId%20eq%20'other'", 0),
    ] {
        let path = format!("/v1.0/directory/deletedItems/microsoft.graph.{list}");
        let listed = world.send("GET", &path, None).await.is(200).body;
        assert_eq!(listed["value"].as_array().unwrap().len(), found, "{list}: {listed:#}");
    }
    let by_name = "/v1.0/directory/deletedItems/microsoft.graph.application?$filter=uniqueName%20eq%20'x'";
    world.send("GET", by_name, None).await.refuses(400, "Request_UnsupportedQuery");
    let back = world.send("POST", &format!("{deleted}/restore"), None).await.is(200);
    assert_eq!(back.text("/appId"), app_id);
    world.pass(20);
    world.send("GET", APPS, None).await.is(200);
    world.send("DELETE", APPS, None).await.is(204);
    world.send("DELETE", &deleted, None).await.is(204);
    world.send("GET", &deleted, None).await.is(404);
    world.upsert(APPS, app()).await.is(201);
    world.pass(31 * 24 * 3600);
    world.send("GET", &deleted_principal, None).await.is(404);
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_graphs_words() {
    let world = World::new(Speed::Max).await;
    for path in ["/v1.0/users", "/v1.0/applications(uniqueName=acme)", "/v1.0/applications(uniqueName='a'b')"]
    {
        world.send("GET", path, None).await.refuses(400, "BadRequest");
    }
    world.send("POST", APPS, Some(app())).await.is(405);
    world.upsert(APPS, json!("text")).await.refuses(400, "BadRequest");
    world.upsert(APPS, app()).await.is(201);
    world.send("GET", APPS, None).await.is(200);
}
