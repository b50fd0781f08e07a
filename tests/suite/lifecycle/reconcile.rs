//! A reconcile request corrects manual changes in place and reports what it corrected. An empty update does the same.
//! No other operation ends as `waiting` because of such changes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::testkit::{
    harness::Harness,
    judge::{changes, list, text, types},
    request, signup,
};

const STORAGE: &str = "Microsoft.Storage/storageAccounts";

/// A harness with the active tenant `contoso`, whose storage account was opened to the internet by hand.
async fn opened() -> Harness {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    open_storage(&harness).await;
    harness
}

async fn storage(harness: &Harness) -> String {
    let objects = harness.objects("contoso").await;
    let object = list(&objects).iter().find(|object| text(object, "/kind") == STORAGE).unwrap();
    format!("{}?api-version=2023-05-01", text(object, "/id"))
}

async fn open_storage(harness: &Harness) {
    let url = storage(harness).await;
    let mut body = harness.get(&url).await;
    body["properties"]["publicNetworkAccess"] = json!("Enabled");
    let answer = harness.call(Method::PUT, &url, Some(&body)).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

async fn is_closed(harness: &Harness) {
    let shown = harness.get(&storage(harness).await).await;
    assert_eq!(text(&shown, "/properties/publicNetworkAccess"), "Disabled", "{shown:#}");
}

fn deletions(journal: &Value) -> usize {
    changes(journal).into_iter().filter(|line| text(line, "/method") == "DELETE").count()
}

#[tokio::test]
async fn a_reconciliation_corrects_what_differs_and_reports_it() {
    let harness = opened().await;
    let before = harness.tenant("contoso").await;
    let answer = harness.call(Method::POST, "/api/tenants/contoso/reconcile", None).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let events = harness.until_published("contoso", "tenant.reconcile.succeeded", 1).await;
    is_closed(&harness).await;
    let after = harness.until_is("contoso", "active").await;
    let changed = json!([{"step": "storage", "what": ["/properties/publicNetworkAccess"]}]);
    assert_eq!(after["concluded"]["changed"], changed, "{after:#}");
    let reported = events.iter().find(|event| text(event, "/type").contains("reconcile.succeeded")).unwrap();
    assert_eq!(reported["data"]["changed"], changed, "{reported:#}");
    assert_eq!(text(reported, "/data/operationId"), text(&answer.body, "/operationId"));
    assert_eq!(after["outputs"], before["outputs"]);
    assert_eq!(text(&after, "/isolation/verdict"), "verified");
    assert_eq!(deletions(&harness.journal().await), 0);
    let history = harness.get("/api/tenants/contoso?view=history").await;
    assert!(history.to_string().contains("tenant.reconcile.succeeded"), "{history:#}");
}

#[tokio::test]
async fn a_reconciliation_without_drift_writes_nothing() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    let before = changes(&harness.journal().await).len();
    harness.accept(&request("again", "reconcile", "contoso", json!({}))).await;
    harness.until_published("contoso", "tenant.reconcile.succeeded", 1).await;
    assert_eq!(changes(&harness.journal().await).len(), before);
    assert_eq!(harness.tenant("contoso").await["concluded"].get("changed"), None);
    // A repeat with the same id gets the answer of the first request and reconciles nothing.
    let repeat = harness.submit(&request("again", "reconcile", "contoso", json!({}))).await;
    assert_eq!((repeat.status, &repeat.body["replayed"]), (200, &json!(true)), "{repeat:#?}");
    let reported =
        types(&harness.events("contoso").await).iter().filter(|kind| kind.contains("reconcile")).count();
    assert_eq!(reported, 2, "started and succeeded");
}

/// Every operation also corrects drift; none ends as `waiting` because of drift.
#[tokio::test]
async fn no_operation_ends_waiting_because_of_drift_that_it_can_correct() {
    for (action, spec, kind, status) in [
        ("update", json!({}), "tenant.update.succeeded", "active"),
        ("update", json!({"displayName": "Contoso Group"}), "tenant.update.succeeded", "active"),
        ("suspend", json!({"reason": "billing"}), "tenant.suspend.succeeded", "suspended"),
    ] {
        let harness = opened().await;
        harness.accept(&request("change", action, "contoso", spec.clone())).await;
        harness.until_published("contoso", kind, 1).await;
        let tenant = harness.until_is("contoso", status).await;
        is_closed(&harness).await;
        assert_eq!(
            deletions(&harness.journal().await),
            usize::from(action == "suspend"),
            "{action} {spec}: {tenant:#}"
        );
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_reconciled_too_and_stays_suspended() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&request("s", "suspend", "contoso", json!({"reason": "abuse"}))).await;
    harness.until_is("contoso", "suspended").await;
    open_storage(&harness).await;
    harness.accept(&request("r", "reconcile", "contoso", json!({}))).await;
    harness.until_published("contoso", "tenant.reconcile.succeeded", 1).await;
    is_closed(&harness).await;
    harness.until_is("contoso", "suspended").await;
}

#[tokio::test]
async fn a_retry_without_a_blocked_step_suggests_reconcile_and_a_removed_tenant_has_none() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    let refused = harness.retry("contoso", &json!({})).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "nothing_to_retry"));
    assert!(text(&refused.body, "/detail").contains("`tenantry reconcile contoso`"), "{refused:?}");
    harness.accept(&crate::testkit::removal("removal", "contoso")).await;
    harness.until_is("contoso", "deleted").await;
    let refused = harness.call(Method::POST, "/api/tenants/contoso/reconcile", None).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "tenant_removed"), "{refused:?}");
    let unknown = harness.call(Method::POST, "/api/tenants/nobody/reconcile", None).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn the_list_shows_whose_isolation_is_not_verified() {
    let harness = opened().await;
    assert_eq!(harness.run_function("audit", &json!({})).await, 202);
    let shown = crate::testkit::until("the list shows it", async || {
        let list = harness.get("/api/tenants").await;
        if text(&list, "/tenants/0/isolation/verdict") == "violated" { Ok(list) } else { Err(list) }
    })
    .await;
    assert!(shown.to_string().contains("storage-public"), "{shown:#}");
}
