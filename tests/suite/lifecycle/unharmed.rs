//! An object that was in use is not deleted without consent: when resources or operations fail, when a quota is used
//! up, with purge protection, or when an object is foreign.

use azure_sim::Speed;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::ports::{Clock as _, SystemClock};

use crate::testkit::{
    harness::Harness,
    judge::{check_event_sequence, list, text},
    removal, request, signup,
};

/// A harness with one active tenant, and the number of lines in its journal.
async fn active(tenant: &str, speed: Speed) -> (Harness, usize) {
    let harness = Harness::at(speed).await;
    harness.accept(&signup(tenant)).await;
    harness.until_published(tenant, "tenant.provision.succeeded", 1).await;
    harness.until_is(tenant, "active").await;
    let lines = list(&harness.journal().await).len();
    (harness, lines)
}

/// The requests after the first `lines` lines of the journal that can change something in Azure: method, status and
/// path.
async fn sent(harness: &Harness, lines: usize) -> Vec<String> {
    let journal = harness.journal().await;
    let changes = list(&journal)[lines..]
        .iter()
        .filter(|line| text(line, "/method") != "GET" && text(line, "/path").contains("/resourceGroups/"));
    changes
        .map(|line| format!("{} {} {}", text(line, "/method"), line["status"], text(line, "/path")))
        .collect()
}

async fn nothing_was_deleted(harness: &Harness, lines: usize) {
    let sent = sent(harness, lines).await;
    assert!(!sent.iter().any(|line| line.starts_with("DELETE")), "{sent:#?}");
}

/// A fault: the next `times` reads of a resource show the provisioning state `Failed`.
fn shows_failed(part: &str, times: u32) -> Value {
    json!({"match": {"method": "GET", "pathContains": part}, "times": times, "showState": "Failed"})
}

/// A fault: the next `times` operations on a resource fail with this code.
fn operation_fails(part: &str, times: u32, code: &str) -> Value {
    json!({"match": {"method": "PUT", "pathContains": part}, "times": times,
        "failOperation": {"code": code, "message": "It did not work out."}})
}

fn tags(id: &str) -> Value {
    request(id, "update", "contoso", json!({"tags": {"a": "b"}}))
}

/// The id of contoso's resource of a type, spelled as the simulated Azure shows it.
async fn id_of(harness: &Harness, kind: &str) -> String {
    let objects = harness.objects("contoso").await;
    let found = list(&objects).iter().find(|object| text(object, "/kind").eq_ignore_ascii_case(kind));
    text(found.unwrap(), "/id").to_owned()
}

const STORAGE: &str = "Microsoft.Storage/storageAccounts";

#[tokio::test]
async fn a_resource_that_shows_failed_once_is_written_again_and_nothing_is_deleted() {
    let (harness, lines) = active("contoso", Speed::Max).await;
    harness.fault(shows_failed("/storageAccounts/", 1)).await;
    harness.accept(&tags("tags")).await;
    let events = harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    check_event_sequence("contoso", &events);
    nothing_was_deleted(&harness, lines).await;
    assert_eq!(harness.get("/_sim/faults").await, json!([]), "the fault occurred");
}

/// A resource that stays failed blocks its step. The message says what to do, and that resolves the failure.
#[tokio::test]
async fn a_resource_that_stays_failed_is_replaced_only_with_consent_and_after_a_dry_run() {
    let (harness, lines) = active("contoso", Speed::Max).await;
    let storage = id_of(&harness, STORAGE).await;
    harness.fault(operation_fails("/storageAccounts/", 1000, "InternalServerError")).await;
    harness.accept(&tags("tags")).await;
    let waiting = harness.until_is("contoso", "waiting").await;
    let step = &waiting["steps"]["storage"];
    assert_eq!((text(step, "/state"), text(step, "/cause/class")), ("blocked", "needs-consent"), "{step:#}");
    assert!(text(step, "/cause/resourceId").eq_ignore_ascii_case(&storage), "{step:#}");
    assert!(text(step, "/nextAction").contains("--allow-replace"), "{step:#}");
    let events = harness.until_published("contoso", "tenant.operation.waiting", 1).await;
    let error = &events.last().unwrap()["data"]["error"];
    assert!(text(error, "/resourceId").eq_ignore_ascii_case(&storage), "{error:#}");
    // A retry without consent deletes nothing, however often it is sent.
    assert_eq!(harness.retry("contoso", &json!({"requestId": "plain"})).await.status, 202);
    harness.until_published("contoso", "tenant.operation.waiting", 2).await;
    harness.until_is("contoso", "waiting").await;
    nothing_was_deleted(&harness, lines).await;

    // A dry run reports what would be recreated, and changes nothing.
    let version = harness.tenant("contoso").await["version"].clone();
    let asked = json!({"requestId": "dry", "allowReplace": true, "dryRun": true});
    let planned = harness.retry("contoso", &asked).await;
    assert_eq!((planned.status, text(&planned.body, "/decision")), (200, "planned"), "{planned:#?}");
    assert_eq!(harness.tenant("contoso").await["version"], version);

    harness.no_more_faults().await;
    let asked = json!({"requestId": "allowed", "allowReplace": true});
    let allowed = harness.retry("contoso", &asked).await;
    assert_eq!(allowed.status, 202, "{allowed:#?}");
    assert_eq!(allowed.body["replaces"], planned.body["replaces"]);
    let steps: Vec<&str> = list(&allowed.body["replaces"]).iter().map(|one| text(one, "/step")).collect();
    assert!(steps.contains(&"storage") && steps.contains(&"deployment"), "{steps:?}");
    assert!(!steps.contains(&"vault") && !steps.contains(&"identity"), "{steps:?}");
    let ids: Vec<&str> = list(&allowed.body["replaces"]).iter().map(|one| text(one, "/resourceId")).collect();
    assert!(ids.iter().any(|id| id.eq_ignore_ascii_case(&storage)), "{ids:?}");
    let events = harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    check_event_sequence("contoso", &events);
    let deleted: Vec<String> =
        sent(&harness, lines).await.into_iter().filter(|line| line.starts_with("DELETE")).collect();
    assert!(deleted.iter().any(|line| line.contains("/storageAccounts/")), "{deleted:#?}");
    assert!(!deleted.iter().any(|line| line.contains("/userAssignedIdentities/")), "{deleted:#?}");
    let after = harness.until_is("contoso", "active").await;
    let marks = list_of_steps(&after).filter(|step| step.get("mayBeReplaced").is_some()).count();
    assert_eq!(marks, 0, "the consent is used up");
}

/// For every action and every resource: if a read shows the resource as failed once, nothing is deleted.
#[tokio::test]
async fn no_request_deletes_what_shows_failed_once() {
    let (harness, _) = active("contoso", Speed::Max).await;
    let parts = [
        "/storageAccounts/",
        "/vaults/",
        "/userAssignedIdentities/",
        "/components/",
        "/privateEndpoints/",
        "/workspaces/",
        "/onlineEndpoints/",
        "/deployments/main",
    ];
    for (n, part) in parts.into_iter().enumerate() {
        for (action, spec, noun) in [
            ("reconcile", json!({}), "reconcile"),
            ("update", json!({}), "update"),
            ("suspend", json!({"reason": "billing"}), "suspend"),
            ("resume", json!({}), "resume"),
        ] {
            let lines = list(&harness.journal().await).len();
            harness.fault(shows_failed(part, 1)).await;
            harness.accept(&request(&format!("{action}-{n}"), action, "contoso", spec)).await;
            harness.until_published("contoso", &format!("tenant.{noun}.succeeded"), n + 1).await;
            assert_eq!(
                harness.get("/_sim/faults").await,
                json!([]),
                "{action}: the fault at {part} occurred"
            );
            let sent = sent(&harness, lines).await;
            // A suspension deletes only the tenant's own role assignment.
            let lost = |line: &&String| line.starts_with("DELETE") && !line.contains("/roleAssignments/");
            assert_eq!(sent.iter().find(lost), None, "{action}: {part}: {sent:#?}");
        }
    }
}

fn list_of_steps(tenant: &Value) -> impl Iterator<Item = &Value> {
    tenant["steps"].as_object().unwrap().values()
}

#[tokio::test]
async fn a_deployment_whose_update_fails_once_keeps_serving_and_is_updated_again() {
    let (harness, lines) = active("tailspin", Speed::Factor(2000.0)).await;
    harness.fault(operation_fails("/deployments/main", 1, "InternalServerError")).await;
    harness.accept(&request("more", "update", "tailspin", json!({"parameters": {"instances": 2}}))).await;
    harness.until_published("tailspin", "tenant.update.succeeded", 1).await;
    let sent = sent(&harness, lines).await;
    assert!(sent.len() >= 2 && sent.iter().all(|line| line.contains("/deployments/main")), "{sent:#?}");
    nothing_was_deleted(&harness, lines).await;
}

#[tokio::test]
async fn a_missing_quota_after_a_failed_update_leaves_the_service_unchanged() {
    let (harness, lines) = active("tailspin", Speed::Factor(2000.0)).await;
    harness.fault(operation_fails("/deployments/main", 1, "InternalServerError")).await;
    harness.fault(operation_fails("/deployments/main", 1000, "OutOfQuota")).await;
    harness.accept(&request("more", "update", "tailspin", json!({"parameters": {"instances": 2}}))).await;
    let waiting = harness.until_is("tailspin", "waiting").await;
    let step = &waiting["steps"]["deployment"];
    assert_eq!(text(step, "/cause/code"), "OutOfQuota", "{step:#}");
    let sent = sent(&harness, lines).await;
    assert!(
        sent.iter().all(|line| line.contains("/deployments/main")),
        "the traffic is untouched: {sent:#?}"
    );
    nothing_was_deleted(&harness, lines).await;
    let objects = harness.objects("tailspin").await;
    assert!(list(&objects).iter().any(|object| text(object, "/id").ends_with("/deployments/main")));
    // Once there is quota, a retry continues the update.
    harness.no_more_faults().await;
    assert_eq!(harness.retry("tailspin", &json!({})).await.status, 202);
    harness.until_published("tailspin", "tenant.update.succeeded", 1).await;
    nothing_was_deleted(&harness, lines).await;
}

/// A part of the workspace's own path that does not occur in the paths of its children.
async fn workspace(harness: &Harness) -> String {
    let tenant = harness.tenant("contoso").await;
    format!("/workspaces/{}?", text(&tenant, "/outputs/workspaceName"))
}

fn renamed() -> Value {
    request("name", "update", "contoso", json!({"displayName": "Contoso Group"}))
}

#[tokio::test]
async fn a_workspace_whose_update_fails_once_is_updated_again() {
    let (harness, lines) = active("contoso", Speed::Factor(2000.0)).await;
    let workspace = workspace(&harness).await;
    harness.fault(operation_fails(&workspace, 1, "InternalServerError")).await;
    harness.accept(&renamed()).await;
    harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    nothing_was_deleted(&harness, lines).await;
}

/// Azure refuses every change below a failed workspace: the traffic can't be taken back, and a deployment with
/// traffic can't be deleted. Both are deleted with the workspace.
#[tokio::test]
async fn a_removal_succeeds_although_nothing_below_a_failed_workspace_can_be_changed() {
    let (harness, lines) = active("contoso", Speed::Factor(2000.0)).await;
    let workspace = workspace(&harness).await;
    harness.fault(operation_fails(&workspace, 1000, "InternalServerError")).await;
    harness.accept(&renamed()).await;
    let waiting = harness.until_is("contoso", "waiting").await;
    assert_eq!(text(&waiting, "/steps/workspace/cause/class"), "needs-consent", "{:#}", waiting["steps"]);
    nothing_was_deleted(&harness, lines).await;
    harness.no_more_faults().await;
    harness.accept(&removal("end", "contoso")).await;
    let events = harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    check_event_sequence("contoso", &events);
    assert_eq!(list(&harness.objects("contoso").await), [] as [Value; 0]);
    let refused = sent(&harness, lines).await.into_iter().filter(|line| line.starts_with("PUT 400")).count();
    assert!(refused > 0, "the undo must be refused for this test to prove anything");
    let history = harness.get("/api/tenants/contoso?view=history&limit=1000").await["history"].clone();
    let left = list(&history).iter().find(|row| {
        text(row, "/step") == "traffic" && text(row, "/cause/message").contains("left to the deletion of")
    });
    assert!(text(left.unwrap(), "/cause/resourceId").contains("/onlineEndpoints/"), "{left:#?}");
}

/// A blueprint with a purge-protected vault whose name is the same in every incarnation of the tenant.
const PROTECTED: &str = "
blueprint: protected
version: 1.0.0
schema: tenantry.blueprint/1
description: A vault that is protected from being purged.
tiers: [dedicated]
steps:
  group: { kind: arm, type: Microsoft.Resources/resourceGroups }
  vault:
    kind: arm
    type: Microsoft.KeyVault/vaults
    in: group
    name: \"kv-{{ tenant.id }}\"
    body:
      properties:
        tenantId: \"{{ stamp.directoryId }}\"
        sku: { family: A, name: standard }
        enableRbacAuthorization: true
        enableSoftDelete: true
        enablePurgeProtection: true
        softDeleteRetentionInDays: 7
        publicNetworkAccess: Disabled
        networkAcls: { bypass: AzureServices, defaultAction: Deny }
exports: { vault: \"{{ steps.vault.name }}\" }
";

fn vault_signup(id: &str) -> Value {
    request(id, "signup", "contoso", json!({"displayName": "Contoso", "tier": "dedicated"}))
}

#[tokio::test]
async fn a_protected_vault_is_kept_until_its_date_and_blocks_the_next_signup() {
    let harness = Harness::with(Speed::Factor(2000.0), &[PROTECTED]).await;
    harness.accept(&vault_signup("first")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&removal("end", "contoso")).await;
    let events = harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    let retained = &events.last().unwrap()["data"]["retained"];
    assert_eq!(list(retained).len(), 1, "{retained:#}");
    let kept = &retained[0];
    assert!(text(kept, "/resourceId").ends_with("/vaults/kv-contoso"), "{kept:#}");
    let until: jiff::Timestamp = text(kept, "/until").parse().unwrap();
    let days = until.duration_since(SystemClock.now()).as_hours() / 24;
    assert!((6..=7).contains(&days), "{kept:#}");
    let tenant = harness.until_is("contoso", "deleted").await;
    assert_eq!(tenant["retained"], *retained);
    let history = harness.get("/api/tenants/contoso?view=history&limit=1000").await["history"].clone();
    let row = list(&history).iter().find(|row| text(row, "/cause/code") == "purge-protected").unwrap();
    assert_eq!((text(row, "/step"), text(row, "/state")), ("vault", "deleted"), "{row:#}");
    let held = harness.objects("contoso").await;
    assert_eq!(list(&held).len(), 1, "the group is deleted, the vault is kept: {held:#}");

    harness.accept(&vault_signup("second")).await;
    let waiting = harness.until_is("contoso", "waiting").await;
    let cause = &waiting["steps"]["vault"]["cause"];
    assert_eq!(text(cause, "/class"), "name-held", "{cause:#}");
    assert!(text(cause, "/message").contains(text(kept, "/until")), "{cause:#}");
    assert_eq!(text(cause, "/message").matches(text(kept, "/resourceId")).count(), 1, "{cause:#}");
}

/// Not every soft-deleted vault shows that it has purge protection. A refused purge shows it, with one of several
/// codes.
#[tokio::test]
async fn a_refused_purge_delays_nothing_else() {
    let answers = [
        (405, "MethodNotAllowed", "The purge is not allowed."),
        (409, "Conflict", "Operation is not allowed because purge protection is enabled for this vault."),
        (403, "Forbidden", "Purge protection is on."),
    ];
    for (status, code, message) in answers {
        let (harness, _) = active("contoso", Speed::Max).await;
        harness
            .fault(json!({"match": {"method": "POST", "pathContains": "/purge"}, "times": 1000,
                "answer": {"status": status, "body": {"error": {"code": code, "message": message}}}}))
            .await;
        harness.accept(&removal("end", "contoso")).await;
        let events = harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
        let retained = &events.last().unwrap()["data"]["retained"];
        assert_eq!(list(retained).len(), 1, "{status}: {retained:#}");
        assert!(text(&retained[0], "/until").parse::<jiff::Timestamp>().is_ok(), "{retained:#}");
        let objects = harness.objects("contoso").await;
        let kinds: Vec<&str> = list(&objects).iter().map(|object| text(object, "/kind")).collect();
        assert_eq!(kinds, ["Microsoft.KeyVault/vaults"], "{status}");
    }
}

/// Azure may also refuse to purge a Cognitive Services account.
#[tokio::test]
async fn an_account_that_may_not_be_purged_delays_nothing_else() {
    let shipped = crate::testkit::repository().join("blueprints/language-service.yaml");
    let harness = Harness::with(Speed::Max, &[&std::fs::read_to_string(shipped).unwrap()]).await;
    harness.accept(&vault_signup("first")).await;
    harness.until_is("contoso", "active").await;
    harness
        .fault(json!({"match": {"method": "DELETE", "pathContains": "/deletedAccounts/"}, "times": 1000,
            "answer": {"status": 405, "body": {"error": {"code": "MethodNotAllowed", "message": "Not here."}}}}))
        .await;
    harness.accept(&removal("end", "contoso")).await;
    let events = harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    let retained = &events.last().unwrap()["data"]["retained"];
    assert!(text(&retained[0], "/resourceId").contains("/accounts/"), "{retained:#}");
    let held = harness.objects("contoso").await;
    let kinds: Vec<&str> = list(&held).iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(kinds, ["Microsoft.CognitiveServices/accounts"], "{held:#}");
}

/// Every message names a foreign object by its id.
#[tokio::test]
async fn messages_name_a_foreign_object_by_its_id() {
    let (harness, _) = active("contoso", Speed::Max).await;
    let id = id_of(&harness, STORAGE).await;
    let mut shown = harness.call(Method::GET, &format!("{id}?api-version=2023-05-01"), None).await.body;
    shown["id"] = json!(id);
    shown["tags"] = json!({"owner": "somebody"});
    harness
        .fault(json!({"match": {"method": "GET", "pathContains": "/storageAccounts/"}, "times": 1000,
            "answer": {"status": 200, "body": shown}}))
        .await;
    harness.accept(&tags("tags")).await;
    let waiting = harness.until_is("contoso", "waiting").await;
    let cause = &waiting["steps"]["storage"]["cause"];
    assert_eq!(text(cause, "/code"), "foreign-object", "{cause:#}");
    assert!(text(cause, "/resourceId").eq_ignore_ascii_case(&id), "{cause:#}");
    let events = harness.until_published("contoso", "tenant.operation.waiting", 1).await;
    let error = &events.last().unwrap()["data"]["error"];
    assert!(text(error, "/resourceId").eq_ignore_ascii_case(&id), "{error:#}");
    let history = harness.get("/api/tenants/contoso?view=history&limit=1000").await["history"].clone();
    let row = list(&history).iter().find(|row| text(row, "/cause/code") == "foreign-object").unwrap();
    assert!(text(row, "/cause/resourceId").eq_ignore_ascii_case(&id), "{row:#}");
}
