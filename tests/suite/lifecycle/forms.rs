//! Azure returns the same content in many forms, and temporary errors with many codes. Neither changes the lifecycle
//! of a tenant.

use azure_sim::{SUBSCRIPTION_ID, Speed};
use reqwest::Method;
use serde_json::{Value, json};

use crate::testkit::{
    harness::Harness,
    judge::{check_event_sequence, kinds, list, nothing_was_made_twice, text},
    removal, repository, request, signup,
};

const GRANT: &str = "Microsoft.Authorization/roleAssignments";

async fn form(harness: &Harness, form: Value) {
    let answer = harness.call(Method::POST, "/_sim/forms", Some(&form)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// All forms at once: pages of one item after empty pages, an empty last link, other orders, ids in capitals.
fn every_form(retry_after: &str) -> Value {
    json!({"pageSize": 1, "emptyPages": true, "emptyLinks": true, "reordered": true, "recased": true,
        "retryAfter": retry_after, "deniesLag": true})
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(repository().join("blueprints").join(format!("{name}.yaml"))).unwrap()
}

/// Signs a tenant up, suspends, resumes, updates and removes it. In the end none of its objects is left.
async fn whole_life(blueprint: &str, tenant: &str, retry_after: &str) {
    let source = shipped(blueprint);
    let harness = Harness::with(Speed::Factor(2000.0), &[source.as_str()]).await;
    form(&harness, every_form(retry_after)).await;
    let mut body = signup(tenant);
    if let Some(spec) = body["spec"].as_object_mut().filter(|_| blueprint != "secure-ai-service") {
        spec.retain(|name, _| !["blueprint", "parameters"].contains(&name.as_str()));
        spec.insert("tier".to_owned(), json!("dedicated"));
    }
    harness.accept(&body).await;
    let made = harness.until_is(tenant, "active").await;
    assert!(made.get("unknownCodes").is_none(), "{made:#}");
    nothing_was_made_twice(&harness.journal().await, 1);

    // No drift is found, because nothing has changed.
    let drift = harness.get(&format!("/api/tenants/{tenant}?view=drift")).await;
    assert!(list(&drift["items"]).is_empty() && list(&drift["unread"]).is_empty(), "{blueprint}: {drift:#}");
    let before = kinds(&harness.objects(tenant).await).get(GRANT).copied().unwrap_or_default();
    // The blueprint `hello` has no access step, so its tenants can't be suspended.
    if blueprint != "hello" {
        harness.accept(&request("s", "suspend", tenant, json!({"reason": "billing"}))).await;
        harness.until_is(tenant, "suspended").await;
        let left = kinds(&harness.objects(tenant).await).get(GRANT).copied().unwrap_or_default();
        assert!(left < before, "{blueprint}: {before} roles before, {left} after the suspension");
        harness.accept(&request("r", "resume", tenant, json!({"reason": "paid"}))).await;
        harness.until_is(tenant, "active").await;
    }
    harness.accept(&removal("go", tenant)).await;
    let events = harness.until_published(tenant, "tenant.deprovision.succeeded", 1).await;
    check_event_sequence(tenant, &events);
    assert_eq!(harness.objects(tenant).await, json!([]), "{blueprint}: nothing is left");
}

#[tokio::test]
async fn a_dedicated_tenants_lifecycle_works_with_every_form_of_answers() {
    whole_life("secure-ai-service", "contoso", "date").await;
}

#[tokio::test]
async fn a_pooled_tenants_lifecycle_works_with_every_form_of_answers() {
    whole_life("secure-ai-service", "tailspin", "fraction").await;
}

#[tokio::test]
async fn the_other_blueprints_work_with_every_form_of_answers() {
    whole_life("hello", "tailspin", "milliseconds").await;
    whole_life("language-service", "tailspin", "date").await;
}

/// A suspension also deletes a role assignment that Azure lists only after empty pages, before it is reported.
#[tokio::test]
async fn a_suspension_deletes_an_assignment_after_empty_pages() {
    let harness = Harness::new().await;
    harness.accept(&signup("tailspin")).await;
    harness.until_is("tailspin", "active").await;
    assert_eq!(kinds(&harness.objects("tailspin").await)[GRANT], 1);
    form(&harness, json!({"pageSize": 1, "emptyPages": true})).await;
    harness.accept(&request("s", "suspend", "tailspin", json!({"reason": "billing"}))).await;
    harness.until_published("tailspin", "tenant.suspend.succeeded", 1).await;
    assert_eq!(kinds(&harness.objects("tailspin").await).get(GRANT), None, "the tenant may still call");
}

/// Errors whose codes and messages do not say that they are temporary are retried.
#[tokio::test]
async fn temporary_errors_with_other_codes_are_retried() {
    let answer = |part: &str, status: u16, code: &str, message: &str| {
        json!({"match": {"method": "PUT", "pathContains": part}, "times": 2, "answer": {"status": status,
            "body": {"error": {"code": code, "message": message}}}})
    };
    let backing = "When using this permission, the backing application of the service principal being created must in the local tenant";
    let harness = Harness::new().await;
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
        harness.fault(fault).await;
    }
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&signup("tailspin")).await;
    let made = harness.until_is("tailspin", "active").await;
    assert_eq!(harness.get("/_sim/faults").await, json!([]), "every fault occurred");
    let met = &made["unknownCodes"]["OddCode"];
    let met = if met.is_null() {
        harness.tenant("contoso").await["unknownCodes"]["OddCode"].clone()
    } else {
        met.clone()
    };
    assert_eq!((&met["count"], &met["status"]), (&json!(2), &json!(400)), "{made:#}");
}

/// Accepted operations that end with an error which does not concern the request are tried again.
#[tokio::test]
async fn operations_that_end_with_an_unclear_error_are_tried_again() {
    let ends = |part: &str, failure: Value| json!({"match": {"method": "PUT", "pathContains": part}, "times": 1, "failOperation": failure});
    let harness = Harness::at(Speed::Factor(2000.0)).await;
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
        harness.fault(fault).await;
    }
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    assert_eq!(harness.get("/_sim/faults").await, json!([]), "every fault occurred");
}

/// An unknown error is retried until the fifth attempt; then it is reported as final.
#[tokio::test]
async fn an_unknown_error_is_final_after_five_attempts() {
    for (status, ends, class) in [(400, "failed", "permanent"), (403, "waiting", "denied")] {
        let harness = Harness::new().await;
        harness
            .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
                "answer": {"status": status, "body": {"error": {"code": "OddCode", "message": "Nobody knows."}}}}))
            .await;
        harness.accept(&signup("tailspin")).await;
        let stopped = harness.until_is("tailspin", ends).await;
        let cause = &stopped["steps"]["endpoint"]["cause"];
        assert_eq!((text(cause, "/code"), text(cause, "/class")), ("OddCode", class), "{stopped:#}");
        assert_eq!(stopped["unknownCodes"]["OddCode"]["count"], 5, "{stopped:#}");
        let journal = harness.journal().await;
        let tried =
            |line: &&Value| line["method"] == "PUT" && text(line, "/path").contains("/onlineEndpoints/");
        assert_eq!(list(&journal).iter().filter(tried).count(), 5);
        let listed = harness.get("/api/tenants").await;
        assert!(listed.to_string().contains("OddCode"), "the list reports it: {listed:#}");
    }
}

/// A harness whose Azure has one more resource group, for resources that belong to others.
async fn beside(group: &str) -> Harness {
    let harness = Harness::new().await;
    put(&harness, &format!("{group}?api-version=2024-07-01"), json!({"location": "westeurope"})).await;
    harness
}

async fn put(harness: &Harness, path: &str, body: Value) {
    let answer = harness.call(Method::PUT, path, Some(&body)).await;
    assert!(answer.status < 300, "{path}: {answer:#?}");
}

/// A name that is taken is reported with the class `name-held` and the object that has the name.
#[tokio::test]
async fn a_name_that_is_taken_is_reported_as_held() {
    // A tenant's objects have the same names in every environment, so the first environment shows which name to take
    // in the second.
    let rehearsal = Harness::new().await;
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

    // A soft-deleted vault has the name, and Azure reports only a conflict.
    let harness = beside(&group).await;
    let (vault, mut body) = others("Microsoft.KeyVault/vaults").await;
    body["properties"].as_object_mut().unwrap().remove("enablePurgeProtection");
    put(&harness, &vault, body).await;
    assert!(harness.call(Method::DELETE, &vault, None).await.status < 300);
    harness.accept(&signup("contoso")).await;
    let stopped = harness.until_is("contoso", "waiting").await;
    let cause = &stopped["steps"]["vault"]["cause"];
    assert_eq!((text(cause, "/code"), text(cause, "/class")), ("ConflictError", "name-held"), "{stopped:#}");
    assert!(text(cause, "/message").contains("/deletedVaults/"), "{cause:#}");

    // A storage account in another group has the name.
    let harness = beside(&group).await;
    let (storage, body) = others("Microsoft.Storage/storageAccounts").await;
    put(&harness, &storage, body).await;
    harness.accept(&signup("contoso")).await;
    let stopped = harness.until_is("contoso", "waiting").await;
    let cause = &stopped["steps"]["storage"]["cause"];
    let reported = (text(cause, "/code"), text(cause, "/class"));
    assert_eq!(reported, ("StorageAccountInAnotherResourceGroup", "name-held"), "{stopped:#}");
}

/// Azure reports that an endpoint's name is taken in the region as a bad request.
#[tokio::test]
async fn an_endpoints_name_that_is_taken_is_reported_as_held() {
    let harness = Harness::new().await;
    let message =
        "The specified endpoint name 'ep' is not available. Endpoint names must be unique within the region.";
    harness
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 400, "body": {"error": {"code": "UserError", "message": message}}}}))
        .await;
    harness.accept(&signup("tailspin")).await;
    let stopped = harness.until_is("tailspin", "waiting").await;
    let cause = &stopped["steps"]["endpoint"]["cause"];
    assert_eq!((text(cause, "/code"), text(cause, "/class")), ("UserError", "name-held"), "{stopped:#}");
}

/// The request path with the API version with which the object of this name was created, and the body for it.
async fn made_as(harness: &Harness, name: &str) -> (String, Value) {
    let journal = harness.journal().await;
    let line = list(&journal).iter().find(|line| {
        line["method"] == "PUT"
            && text(line, "/path").split('?').next().is_some_and(|path| path.ends_with(name))
    });
    let path = text(line.unwrap(), "/path").to_owned();
    let version = path.rsplit("api-version=").next().unwrap().to_owned();
    let mut body = harness.get(&path).await;
    for own in ["id", "name", "type", "systemData", "etag", "tags"] {
        body.as_object_mut().unwrap().remove(own);
    }
    (version, body)
}
