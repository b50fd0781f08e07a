//! Azure shows the same in many forms, and passing trouble in many words. None of that may change how a tenant's life goes.

use azure_sim::{SUBSCRIPTION_ID, Speed};
use reqwest::Method;
use serde_json::{Value, json};

use crate::testkit::{
    judge::{kinds, list, nothing_was_made_twice, tell_one_story, text},
    removal, repository, request, signup,
    stage::Stage,
};

const GRANT: &str = "Microsoft.Authorization/roleAssignments";

async fn form(stage: &Stage, form: Value) {
    let answer = stage.call(Method::POST, "/_sim/forms", Some(&form)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// Every form at once: pages of one item behind empty ones, an empty last link, other orders, ids in capitals.
fn every_form(retry_after: &str) -> Value {
    json!({"pageSize": 1, "emptyPages": true, "emptyLinks": true, "reordered": true, "recased": true,
        "retryAfter": retry_after, "deniesLag": true})
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(repository().join("blueprints").join(format!("{name}.yaml"))).unwrap()
}

/// Signs up, suspends, resumes, updates, removes; in the end nothing is left.
async fn whole_life(blueprint: &str, tenant: &str, retry_after: &str) {
    let source = shipped(blueprint);
    let stage = Stage::with(Speed::Factor(2000.0), &[source.as_str()]).await;
    form(&stage, every_form(retry_after)).await;
    let mut body = signup(tenant);
    if let Some(spec) = body["spec"].as_object_mut().filter(|_| blueprint != "secure-ai-service") {
        spec.retain(|name, _| !["blueprint", "parameters"].contains(&name.as_str()));
        spec.insert("tier".to_owned(), json!("dedicated"));
    }
    stage.accept(&body).await;
    let made = stage.until_is(tenant, "active").await;
    assert!(made.get("unknownCodes").is_none(), "{made:#}");
    nothing_was_made_twice(&stage.journal().await, 1);

    // Nothing has changed, so nothing has drifted and nothing is in need of a change.
    let drift = stage.get(&format!("/api/tenants/{tenant}?view=drift")).await;
    assert!(list(&drift["items"]).is_empty() && list(&drift["unread"]).is_empty(), "{blueprint}: {drift:#}");
    let before = kinds(&stage.objects(tenant).await).get(GRANT).copied().unwrap_or_default();
    // That blueprint has nothing that lets anybody in.
    if blueprint != "hello" {
        stage.accept(&request("s", "suspend", tenant, json!({"reason": "billing"}))).await;
        stage.until_is(tenant, "suspended").await;
        let left = kinds(&stage.objects(tenant).await).get(GRANT).copied().unwrap_or_default();
        assert!(left < before, "{blueprint}: {before} roles before, {left} after the suspension");
        stage.accept(&request("r", "resume", tenant, json!({"reason": "paid"}))).await;
        stage.until_is(tenant, "active").await;
    }
    stage.accept(&removal("go", tenant)).await;
    let events = stage.until_told(tenant, "tenant.deprovision.succeeded", 1).await;
    tell_one_story(tenant, &events);
    assert_eq!(stage.objects(tenant).await, json!([]), "{blueprint}: nothing is left");
}

#[tokio::test]
async fn a_dedicated_tenants_life_goes_on_in_every_form_of_answers() {
    whole_life("secure-ai-service", "contoso", "date").await;
}

#[tokio::test]
async fn a_pooled_tenants_life_goes_on_in_every_form_of_answers() {
    whole_life("secure-ai-service", "tailspin", "fraction").await;
}

#[tokio::test]
async fn the_other_blueprints_lives_go_on_in_every_form_of_answers() {
    whole_life("hello", "tailspin", "milliseconds").await;
    whole_life("language-service", "tailspin", "date").await;
}

/// A grant that stands behind empty pages is found and taken away: a suspension is not told before that.
#[tokio::test]
async fn a_suspension_takes_away_what_stands_on_a_later_page() {
    let stage = Stage::new().await;
    stage.accept(&signup("tailspin")).await;
    stage.until_is("tailspin", "active").await;
    assert_eq!(kinds(&stage.objects("tailspin").await)[GRANT], 1);
    form(&stage, json!({"pageSize": 1, "emptyPages": true})).await;
    stage.accept(&request("s", "suspend", "tailspin", json!({"reason": "billing"}))).await;
    stage.until_told("tailspin", "tenant.suspend.succeeded", 1).await;
    assert_eq!(kinds(&stage.objects("tailspin").await).get(GRANT), None, "the tenant may still call");
}

/// Answers that used to end a sign-up and now pass.
#[tokio::test]
async fn passing_trouble_in_other_words_passes() {
    let answer = |part: &str, status: u16, code: &str, message: &str| {
        json!({"match": {"method": "PUT", "pathContains": part}, "times": 2, "answer": {"status": status,
            "body": {"error": {"code": code, "message": message}}}})
    };
    let backing = "When using this permission, the backing application of the service principal being created must in the local tenant";
    let stage = Stage::new().await;
    for fault in [
        answer(
            "/workspaces/",
            400,
            "BadRequest",
            "StorageAccountIsNotProvisioned: it is not provisioned yet.",
        ),
        answer("/onlineEndpoints/", 400, "BadRequest", "The workspace is in Creating provisioning state."),
        answer("/privateEndpoints/", 400, "InvalidPrivateLinkServiceId", "The id can't be found."),
        answer("/storageAccounts/", 400, "OddCode", "Nobody has heard of this."),
        json!({"match": {"method": "PATCH", "pathContains": "/servicePrincipals"}, "times": 2,
            "answer": {"status": 403, "body": {"error": {"code": "Authorization_RequestDenied", "message": backing}}}}),
    ] {
        stage.fault(fault).await;
    }
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&signup("tailspin")).await;
    let made = stage.until_is("tailspin", "active").await;
    assert_eq!(stage.get("/_sim/faults").await, json!([]), "every fault was met");
    let met = &made["unknownCodes"]["OddCode"];
    let met = if met.is_null() {
        stage.tenant("contoso").await["unknownCodes"]["OddCode"].clone()
    } else {
        met.clone()
    };
    assert_eq!((&met["count"], &met["status"]), (&json!(2), &json!(400)), "{made:#}");
}

/// Operations that are taken on and end in words that are no verdict on the request.
#[tokio::test]
async fn operations_that_end_oddly_are_tried_again() {
    let ends = |part: &str, failure: Value| json!({"match": {"method": "PUT", "pathContains": part}, "times": 1, "failOperation": failure});
    let stage = Stage::at(Speed::Factor(2000.0)).await;
    for fault in [
        ends(
            "/privateEndpoints/",
            json!({"code": "ConflictError", "message": "The workspace is being changed."}),
        ),
        ends(
            "/onlineEndpoints/",
            json!({"code": "OddCode", "message": "Nobody knows.", "state": "TimedOut"}),
        ),
    ] {
        stage.fault(fault).await;
    }
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    assert_eq!(stage.get("/_sim/faults").await, json!([]), "every fault was met");
}

/// What nobody knows is tried five times, then told as final.
#[tokio::test]
async fn what_stays_unknown_is_final_after_five_tries() {
    for (status, ends, class) in [(400, "failed", "permanent"), (403, "waiting", "denied")] {
        let stage = Stage::new().await;
        stage
            .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
                "answer": {"status": status, "body": {"error": {"code": "OddCode", "message": "Nobody knows."}}}}))
            .await;
        stage.accept(&signup("tailspin")).await;
        let stopped = stage.until_is("tailspin", ends).await;
        let cause = &stopped["steps"]["endpoint"]["cause"];
        assert_eq!((text(cause, "/code"), text(cause, "/class")), ("OddCode", class), "{stopped:#}");
        assert_eq!(stopped["unknownCodes"]["OddCode"]["count"], 5, "{stopped:#}");
        let journal = stage.journal().await;
        let tried =
            |line: &&Value| line["method"] == "PUT" && text(line, "/path").contains("/onlineEndpoints/");
        assert_eq!(list(&journal).iter().filter(tried).count(), 5);
        let listed = stage.get("/api/tenants").await;
        assert!(listed.to_string().contains("OddCode"), "the list reports it: {listed:#}");
    }
}

/// A world with one more group, in which others have things.
async fn beside(group: &str) -> Stage {
    let stage = Stage::new().await;
    put(&stage, &format!("{group}?api-version=2024-07-01"), json!({"location": "westeurope"})).await;
    stage
}

async fn put(stage: &Stage, path: &str, body: Value) {
    let answer = stage.call(Method::PUT, path, Some(&body)).await;
    assert!(answer.status < 300, "{path}: {answer:#?}");
}

/// A name that is held is told as that, with what holds it.
#[tokio::test]
async fn a_name_that_is_held_is_told_as_held() {
    // The names of a tenant are the same in every world, so one tells which to take in another.
    let rehearsal = Stage::new().await;
    rehearsal.accept(&signup("contoso")).await;
    rehearsal.until_is("contoso", "active").await;
    let group = format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-others");
    let others = async |kind: &str| {
        let objects = rehearsal.objects("contoso").await;
        let object = list(&objects).iter().find(|object| object["kind"] == kind).unwrap();
        let name = text(object, "/id").rsplit('/').next().unwrap();
        let (version, body) = made_as(&rehearsal, name).await;
        (format!("{group}/providers/{kind}/{name}?api-version={version}"), body)
    };

    // The vault lies among the deleted, and its service speaks of a conflict only.
    let stage = beside(&group).await;
    let (vault, mut body) = others("Microsoft.KeyVault/vaults").await;
    body["properties"].as_object_mut().unwrap().remove("enablePurgeProtection");
    put(&stage, &vault, body).await;
    assert!(stage.call(Method::DELETE, &vault, None).await.status < 300);
    stage.accept(&signup("contoso")).await;
    let stopped = stage.until_is("contoso", "waiting").await;
    let cause = &stopped["steps"]["vault"]["cause"];
    assert_eq!((text(cause, "/code"), text(cause, "/class")), ("ConflictError", "name-held"), "{stopped:#}");
    assert!(text(cause, "/message").contains("/deletedVaults/"), "{cause:#}");

    // The storage account lives in another group.
    let stage = beside(&group).await;
    let (storage, body) = others("Microsoft.Storage/storageAccounts").await;
    put(&stage, &storage, body).await;
    stage.accept(&signup("contoso")).await;
    let stopped = stage.until_is("contoso", "waiting").await;
    let cause = &stopped["steps"]["storage"]["cause"];
    let told = (text(cause, "/code"), text(cause, "/class"));
    assert_eq!(told, ("StorageAccountInAnotherResourceGroup", "name-held"), "{stopped:#}");
}

/// An endpoint's name that is taken in the region comes as a bad request.
#[tokio::test]
async fn an_endpoints_name_that_is_taken_is_told_as_held() {
    let stage = Stage::new().await;
    let message =
        "The specified endpoint name 'ep' is not available. Endpoint names must be unique within the region.";
    stage
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 400, "body": {"error": {"code": "UserError", "message": message}}}}))
        .await;
    stage.accept(&signup("tailspin")).await;
    let stopped = stage.until_is("tailspin", "waiting").await;
    let cause = &stopped["steps"]["endpoint"]["cause"];
    assert_eq!((text(cause, "/code"), text(cause, "/class")), ("UserError", "name-held"), "{stopped:#}");
}

/// The api-version and the body with which the object of that name was made.
async fn made_as(stage: &Stage, name: &str) -> (String, Value) {
    let journal = stage.journal().await;
    let line = list(&journal).iter().find(|line| {
        line["method"] == "PUT"
            && text(line, "/path").split('?').next().is_some_and(|path| path.ends_with(name))
    });
    let path = text(line.unwrap(), "/path").to_owned();
    let version = path.rsplit("api-version=").next().unwrap().to_owned();
    let mut body = stage.get(&path).await;
    for own in ["id", "name", "type", "systemData", "etag", "tags"] {
        body.as_object_mut().unwrap().remove(own);
    }
    (version, body)
}
