//! What somebody changed by hand is put right when it is asked for, in place, and it is said what was changed. An empty
//! update is the same, and no other operation ends waiting because of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::testkit::{
    judge::{changes, list, text, types},
    request, signup,
    stage::Stage,
};

const STORAGE: &str = "Microsoft.Storage/storageAccounts";

/// A tenant that is active, with its storage open to the internet by somebody's hand.
async fn opened() -> Stage {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    open_storage(&stage).await;
    stage
}

async fn storage(stage: &Stage) -> String {
    let objects = stage.objects("contoso").await;
    let object = list(&objects).iter().find(|object| text(object, "/kind") == STORAGE).unwrap();
    format!("{}?api-version=2023-05-01", text(object, "/id"))
}

async fn open_storage(stage: &Stage) {
    let place = storage(stage).await;
    let mut body = stage.get(&place).await;
    body["properties"]["publicNetworkAccess"] = json!("Enabled");
    let answer = stage.call(Method::PUT, &place, Some(&body)).await;
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

async fn is_closed(stage: &Stage) {
    let shown = stage.get(&storage(stage).await).await;
    assert_eq!(text(&shown, "/properties/publicNetworkAccess"), "Disabled", "{shown:#}");
}

fn deletions(journal: &Value) -> usize {
    changes(journal).into_iter().filter(|line| text(line, "/method") == "DELETE").count()
}

#[tokio::test]
async fn a_reconciliation_puts_right_what_differs_and_says_so() {
    let stage = opened().await;
    let before = stage.tenant("contoso").await;
    let answer = stage.call(Method::POST, "/api/tenants/contoso/reconcile", None).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let events = stage.until_told("contoso", "tenant.reconcile.succeeded", 1).await;
    is_closed(&stage).await;
    let after = stage.until_is("contoso", "active").await;
    let changed = json!([{"step": "storage", "what": ["/properties/publicNetworkAccess"]}]);
    assert_eq!(after["concluded"]["changed"], changed, "{after:#}");
    let told = events.iter().find(|event| text(event, "/type").contains("reconcile.succeeded")).unwrap();
    assert_eq!(told["data"]["changed"], changed, "{told:#}");
    assert_eq!(text(told, "/data/operationId"), text(&answer.body, "/operationId"));
    assert_eq!(after["outputs"], before["outputs"]);
    assert_eq!(text(&after, "/isolation/verdict"), "verified");
    assert_eq!(deletions(&stage.journal().await), 0);
    let history = stage.get("/api/tenants/contoso?view=history").await;
    assert!(history.to_string().contains("tenant.reconcile.succeeded"), "{history:#}");
}

#[tokio::test]
async fn a_reconciliation_of_what_is_right_writes_nothing() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    let before = changes(&stage.journal().await).len();
    stage.accept(&request("again", "reconcile", "contoso", json!({}))).await;
    stage.until_told("contoso", "tenant.reconcile.succeeded", 1).await;
    assert_eq!(changes(&stage.journal().await).len(), before);
    assert_eq!(stage.tenant("contoso").await["concluded"].get("changed"), None);
    // The same request is the same reconciliation.
    let repeat = stage.submit(&request("again", "reconcile", "contoso", json!({}))).await;
    assert_eq!((repeat.status, &repeat.body["replayed"]), (200, &json!(true)), "{repeat:#?}");
    let told = types(&stage.events("contoso").await).iter().filter(|kind| kind.contains("reconcile")).count();
    assert_eq!(told, 2, "started and succeeded");
}

/// Whatever is asked for, the drift is put right on the way; nothing ends waiting for it.
#[tokio::test]
async fn no_operation_ends_waiting_because_of_what_it_could_put_right() {
    for (action, spec, kind, status) in [
        ("update", json!({}), "tenant.update.succeeded", "active"),
        ("update", json!({"displayName": "Contoso Group"}), "tenant.update.succeeded", "active"),
        ("suspend", json!({"reason": "billing"}), "tenant.suspend.succeeded", "suspended"),
    ] {
        let stage = opened().await;
        stage.accept(&request("change", action, "contoso", spec.clone())).await;
        stage.until_told("contoso", kind, 1).await;
        let tenant = stage.until_is("contoso", status).await;
        is_closed(&stage).await;
        assert_eq!(
            deletions(&stage.journal().await),
            usize::from(action == "suspend"),
            "{action} {spec}: {tenant:#}"
        );
    }
}

#[tokio::test]
async fn a_suspended_tenant_is_reconciled_too_and_stays_suspended() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&request("s", "suspend", "contoso", json!({"reason": "abuse"}))).await;
    stage.until_is("contoso", "suspended").await;
    open_storage(&stage).await;
    stage.accept(&request("r", "reconcile", "contoso", json!({}))).await;
    stage.until_told("contoso", "tenant.reconcile.succeeded", 1).await;
    is_closed(&stage).await;
    stage.until_is("contoso", "suspended").await;
}

#[tokio::test]
async fn a_retry_of_nothing_names_the_reconciliation_and_a_removed_tenant_has_none() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    let refused = stage.retry("contoso", &json!({})).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "nothing_to_retry"));
    assert!(text(&refused.body, "/detail").contains("`tenantry reconcile contoso`"), "{refused:?}");
    stage.accept(&crate::testkit::removal("gone", "contoso")).await;
    stage.until_is("contoso", "deleted").await;
    let refused = stage.call(Method::POST, "/api/tenants/contoso/reconcile", None).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "tenant_removed"), "{refused:?}");
    let unknown = stage.call(Method::POST, "/api/tenants/nobody/reconcile", None).await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn the_list_shows_whose_isolation_is_not_verified() {
    let stage = opened().await;
    assert_eq!(stage.run_function("audit", &json!({})).await, 202);
    let shown = crate::testkit::until("the list says so", async || {
        let list = stage.get("/api/tenants").await;
        if text(&list, "/tenants/0/isolation/verdict") == "violated" { Ok(list) } else { Err(list) }
    })
    .await;
    assert!(shown.to_string().contains("storage-public"), "{shown:#}");
}
