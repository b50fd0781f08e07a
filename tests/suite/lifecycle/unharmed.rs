//! Nothing that was in use is destroyed without consent: resources that fail, operations that come to nothing, quotas, vaults
//! that nobody may purge, objects of strangers.

use azure_sim::Speed;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::ports::{Clock as _, SystemClock};

use crate::testkit::{
    judge::{list, tell_one_story, text},
    removal, request, signup,
    stage::Stage,
};

/// A stage with one active tenant, and how long its journal is.
async fn active(tenant: &str, speed: Speed) -> (Stage, usize) {
    let stage = Stage::at(speed).await;
    stage.accept(&signup(tenant)).await;
    stage.until_told(tenant, "tenant.provision.succeeded", 1).await;
    stage.until_is(tenant, "active").await;
    let lines = list(&stage.journal().await).len();
    (stage, lines)
}

/// What was sent since: method and path of every request that could have changed something in Azure.
async fn sent(stage: &Stage, lines: usize) -> Vec<String> {
    let journal = stage.journal().await;
    let changes = list(&journal)[lines..]
        .iter()
        .filter(|line| text(line, "/method") != "GET" && text(line, "/path").contains("/resourceGroups/"));
    changes
        .map(|line| format!("{} {} {}", text(line, "/method"), line["status"], text(line, "/path")))
        .collect()
}

async fn nothing_was_deleted(stage: &Stage, lines: usize) {
    let sent = sent(stage, lines).await;
    assert!(!sent.iter().any(|line| line.starts_with("DELETE")), "{sent:#?}");
}

/// A resource shows the state Failed, so many times.
fn shows_failed(part: &str, times: u32) -> Value {
    json!({"match": {"method": "GET", "pathContains": part}, "times": times, "showState": "Failed"})
}

/// Operations on a resource come to nothing.
fn comes_to_nothing(part: &str, times: u32, code: &str) -> Value {
    json!({"match": {"method": "PUT", "pathContains": part}, "times": times,
        "failOperation": {"code": code, "message": "It did not work out."}})
}

fn tags(id: &str) -> Value {
    request(id, "update", "contoso", json!({"tags": {"a": "b"}}))
}

/// The id of the contoso's resource of a type, as the simulated Azure has it.
async fn id_of(stage: &Stage, kind: &str) -> String {
    let objects = stage.objects("contoso").await;
    let found = list(&objects).iter().find(|object| text(object, "/kind").eq_ignore_ascii_case(kind));
    text(found.unwrap(), "/id").to_owned()
}

const STORAGE: &str = "Microsoft.Storage/storageAccounts";

#[tokio::test]
async fn a_resource_that_shows_failed_once_is_written_again_and_nothing_is_deleted() {
    let (stage, lines) = active("contoso", Speed::Max).await;
    stage.fault(shows_failed("/storageAccounts/", 1)).await;
    stage.accept(&tags("tags")).await;
    let events = stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    tell_one_story("contoso", &events);
    nothing_was_deleted(&stage, lines).await;
    assert_eq!(stage.get("/_sim/faults").await, json!([]), "it was seen");
}

/// What stays failed is blocked, and says what it is and what to do; that does what it says.
#[tokio::test]
async fn a_resource_that_stays_failed_is_replaced_only_with_consent_told_before() {
    let (stage, lines) = active("contoso", Speed::Max).await;
    let storage = id_of(&stage, STORAGE).await;
    stage.fault(comes_to_nothing("/storageAccounts/", 1000, "InternalServerError")).await;
    stage.accept(&tags("tags")).await;
    let waiting = stage.until_is("contoso", "waiting").await;
    let step = &waiting["steps"]["storage"];
    assert_eq!((text(step, "/state"), text(step, "/cause/class")), ("halted", "needs-consent"), "{step:#}");
    assert!(text(step, "/cause/resourceId").eq_ignore_ascii_case(&storage), "{step:#}");
    assert!(text(step, "/nextAction").contains("--allow-replace"), "{step:#}");
    let events = stage.until_told("contoso", "tenant.operation.waiting", 1).await;
    let error = &events.last().unwrap()["data"]["error"];
    assert!(text(error, "/resourceId").eq_ignore_ascii_case(&storage), "{error:#}");
    // A retry without consent may be repeated as often as anybody likes.
    assert_eq!(stage.retry("contoso", &json!({"requestId": "plain"})).await.status, 202);
    stage.until_told("contoso", "tenant.operation.waiting", 2).await;
    stage.until_is("contoso", "waiting").await;
    nothing_was_deleted(&stage, lines).await;

    // Told before: a dry run says the same, and changes nothing.
    let version = stage.tenant("contoso").await["version"].clone();
    let asked = json!({"requestId": "dry", "allowReplace": true, "dryRun": true});
    let planned = stage.retry("contoso", &asked).await;
    assert_eq!((planned.status, text(&planned.body, "/verdict")), (200, "planned"), "{planned:#?}");
    assert_eq!(stage.tenant("contoso").await["version"], version);

    stage.no_more_faults().await;
    let asked = json!({"requestId": "allowed", "allowReplace": true});
    let allowed = stage.retry("contoso", &asked).await;
    assert_eq!(allowed.status, 202, "{allowed:#?}");
    assert_eq!(allowed.body["replaces"], planned.body["replaces"]);
    let steps: Vec<&str> = list(&allowed.body["replaces"]).iter().map(|one| text(one, "/step")).collect();
    assert!(steps.contains(&"storage") && steps.contains(&"deployment"), "{steps:?}");
    assert!(!steps.contains(&"vault") && !steps.contains(&"identity"), "{steps:?}");
    let ids: Vec<&str> = list(&allowed.body["replaces"]).iter().map(|one| text(one, "/resourceId")).collect();
    assert!(ids.iter().any(|id| id.eq_ignore_ascii_case(&storage)), "{ids:?}");
    let events = stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    tell_one_story("contoso", &events);
    let deleted: Vec<String> =
        sent(&stage, lines).await.into_iter().filter(|line| line.starts_with("DELETE")).collect();
    assert!(deleted.iter().any(|line| line.contains("/storageAccounts/")), "{deleted:#?}");
    assert!(!deleted.iter().any(|line| line.contains("/userAssignedIdentities/")), "{deleted:#?}");
    let after = stage.until_is("contoso", "active").await;
    let marks = list_of_steps(&after).filter(|step| step.get("mayBeReplaced").is_some()).count();
    assert_eq!(marks, 0, "the consent is used up");
}

/// Whatever is asked for, and whichever resource it is: a look that shows a failure once costs nobody anything.
#[tokio::test]
async fn no_request_deletes_what_shows_failed_once() {
    let (stage, _) = active("contoso", Speed::Max).await;
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
            let lines = list(&stage.journal().await).len();
            stage.fault(shows_failed(part, 1)).await;
            stage.accept(&request(&format!("{action}-{n}"), action, "contoso", spec)).await;
            stage.until_told("contoso", &format!("tenant.{noun}.succeeded"), n + 1).await;
            assert_eq!(stage.get("/_sim/faults").await, json!([]), "{action}: {part} was seen");
            let sent = sent(&stage, lines).await;
            // A suspension takes the tenant's own way in away, and nothing else.
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
    let (stage, lines) = active("tailspin", Speed::Factor(2000.0)).await;
    stage.fault(comes_to_nothing("/deployments/main", 1, "InternalServerError")).await;
    stage.accept(&request("more", "update", "tailspin", json!({"parameters": {"instances": 2}}))).await;
    stage.until_told("tailspin", "tenant.update.succeeded", 1).await;
    let sent = sent(&stage, lines).await;
    assert!(sent.len() >= 2 && sent.iter().all(|line| line.contains("/deployments/main")), "{sent:#?}");
    nothing_was_deleted(&stage, lines).await;
}

#[tokio::test]
async fn a_quota_wall_after_a_failed_update_leaves_the_service_as_it_was() {
    let (stage, lines) = active("tailspin", Speed::Factor(2000.0)).await;
    stage.fault(comes_to_nothing("/deployments/main", 1, "InternalServerError")).await;
    stage.fault(comes_to_nothing("/deployments/main", 1000, "OutOfQuota")).await;
    stage.accept(&request("more", "update", "tailspin", json!({"parameters": {"instances": 2}}))).await;
    let waiting = stage.until_is("tailspin", "waiting").await;
    let step = &waiting["steps"]["deployment"];
    assert_eq!(text(step, "/cause/code"), "OutOfQuota", "{step:#}");
    let sent = sent(&stage, lines).await;
    assert!(
        sent.iter().all(|line| line.contains("/deployments/main")),
        "the traffic is untouched: {sent:#?}"
    );
    nothing_was_deleted(&stage, lines).await;
    let objects = stage.objects("tailspin").await;
    assert!(list(&objects).iter().any(|object| text(object, "/id").ends_with("/deployments/main")));
    // The room comes, and the update goes on.
    stage.no_more_faults().await;
    assert_eq!(stage.retry("tailspin", &json!({})).await.status, 202);
    stage.until_told("tailspin", "tenant.update.succeeded", 1).await;
    nothing_was_deleted(&stage, lines).await;
}

/// The workspace's own address, as opposed to what lies below it.
async fn workspace(stage: &Stage) -> String {
    let tenant = stage.tenant("contoso").await;
    format!("/workspaces/{}?", text(&tenant, "/outputs/workspaceName"))
}

fn renamed() -> Value {
    request("name", "update", "contoso", json!({"displayName": "Contoso Group"}))
}

#[tokio::test]
async fn a_workspace_whose_update_fails_once_is_updated_again() {
    let (stage, lines) = active("contoso", Speed::Factor(2000.0)).await;
    let workspace = workspace(&stage).await;
    stage.fault(comes_to_nothing(&workspace, 1, "InternalServerError")).await;
    stage.accept(&renamed()).await;
    stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    nothing_was_deleted(&stage, lines).await;
}

/// With a workspace that stays failed, Azure refuses to change anything below it: the traffic can't be taken back, and the
/// deployment can't go while it has any. They go with what they are a part of.
#[tokio::test]
async fn removal_has_a_way_though_nothing_below_a_failed_workspace_can_be_changed() {
    let (stage, lines) = active("contoso", Speed::Factor(2000.0)).await;
    let workspace = workspace(&stage).await;
    stage.fault(comes_to_nothing(&workspace, 1000, "InternalServerError")).await;
    stage.accept(&renamed()).await;
    let waiting = stage.until_is("contoso", "waiting").await;
    assert_eq!(text(&waiting, "/steps/workspace/cause/class"), "needs-consent", "{:#}", waiting["steps"]);
    nothing_was_deleted(&stage, lines).await;
    stage.no_more_faults().await;
    stage.accept(&removal("end", "contoso")).await;
    let events = stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    tell_one_story("contoso", &events);
    assert_eq!(list(&stage.objects("contoso").await), [] as [Value; 0]);
    let refused = sent(&stage, lines).await.into_iter().filter(|line| line.starts_with("PUT 400")).count();
    assert!(refused > 0, "the undo was refused, or this proves nothing");
    let history = stage.get("/api/tenants/contoso?view=history&limit=1000").await["history"].clone();
    let left = list(&history).iter().find(|row| {
        text(row, "/step") == "traffic" && text(row, "/cause/message").contains("left to the deletion of")
    });
    assert!(text(left.unwrap(), "/cause/resourceId").contains("/onlineEndpoints/"), "{left:#?}");
}

/// A vault that nobody may purge, under a name that does not change from one life of the tenant to the next.
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
async fn a_protected_vault_waits_for_its_date_and_the_next_signup_knows_it() {
    let stage = Stage::with(Speed::Factor(2000.0), &[PROTECTED]).await;
    stage.accept(&vault_signup("first")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&removal("end", "contoso")).await;
    let events = stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    let retained = &events.last().unwrap()["data"]["retained"];
    assert_eq!(list(retained).len(), 1, "{retained:#}");
    let kept = &retained[0];
    assert!(text(kept, "/resourceId").ends_with("/vaults/kv-contoso"), "{kept:#}");
    let until: jiff::Timestamp = text(kept, "/until").parse().unwrap();
    let days = until.duration_since(SystemClock.now()).as_hours() / 24;
    assert!((6..=7).contains(&days), "{kept:#}");
    let tenant = stage.until_is("contoso", "deleted").await;
    assert_eq!(tenant["retained"], *retained);
    let history = stage.get("/api/tenants/contoso?view=history&limit=1000").await["history"].clone();
    let row = list(&history).iter().find(|row| text(row, "/cause/code") == "purge-protected").unwrap();
    assert_eq!((text(row, "/step"), text(row, "/state")), ("vault", "gone"), "{row:#}");
    let held = stage.objects("contoso").await;
    assert_eq!(list(&held).len(), 1, "the group is gone, the vault is kept: {held:#}");

    stage.accept(&vault_signup("second")).await;
    let waiting = stage.until_is("contoso", "waiting").await;
    let cause = &waiting["steps"]["vault"]["cause"];
    assert_eq!(text(cause, "/class"), "name-held", "{cause:#}");
    assert!(text(cause, "/message").contains(text(kept, "/until")), "{cause:#}");
    assert_eq!(text(cause, "/message").matches(text(kept, "/resourceId")).count(), 1, "{cause:#}");
}

/// Not every deleted vault shows its protection; the refusal does. Its siblings say it in other words.
#[tokio::test]
async fn a_purge_that_is_refused_holds_up_nothing_else() {
    let answers = [
        (405, "MethodNotAllowed", "The purge is not allowed."),
        (409, "Conflict", "Operation is not allowed because purge protection is enabled for this vault."),
        (403, "Forbidden", "Purge protection is on."),
    ];
    for (status, code, message) in answers {
        let (stage, _) = active("contoso", Speed::Max).await;
        stage
            .fault(json!({"match": {"method": "POST", "pathContains": "/purge"}, "times": 1000,
                "answer": {"status": status, "body": {"error": {"code": code, "message": message}}}}))
            .await;
        stage.accept(&removal("end", "contoso")).await;
        let events = stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
        let retained = &events.last().unwrap()["data"]["retained"];
        assert_eq!(list(retained).len(), 1, "{status}: {retained:#}");
        assert!(text(&retained[0], "/until").parse::<jiff::Timestamp>().is_ok(), "{retained:#}");
        let objects = stage.objects("contoso").await;
        let kinds: Vec<&str> = list(&objects).iter().map(|object| text(object, "/kind")).collect();
        assert_eq!(kinds, ["Microsoft.KeyVault/vaults"], "{status}");
    }
}

/// An account that is kept for some days is no vault, and its purge may be refused all the same.
#[tokio::test]
async fn an_account_that_may_not_be_purged_holds_up_nothing_else() {
    let shipped = crate::testkit::repository().join("blueprints/language-service.yaml");
    let stage = Stage::with(Speed::Max, &[&std::fs::read_to_string(shipped).unwrap()]).await;
    stage.accept(&vault_signup("first")).await;
    stage.until_is("contoso", "active").await;
    stage
        .fault(json!({"match": {"method": "DELETE", "pathContains": "/deletedAccounts/"}, "times": 1000,
            "answer": {"status": 405, "body": {"error": {"code": "MethodNotAllowed", "message": "Not here."}}}}))
        .await;
    stage.accept(&removal("end", "contoso")).await;
    let events = stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    let retained = &events.last().unwrap()["data"]["retained"];
    assert!(text(&retained[0], "/resourceId").contains("/accounts/"), "{retained:#}");
    let held = stage.objects("contoso").await;
    let kinds: Vec<&str> = list(&held).iter().map(|object| text(object, "/kind")).collect();
    assert_eq!(kinds, ["Microsoft.CognitiveServices/accounts"], "{held:#}");
}

/// A stranger's object is named wherever it is spoken of.
#[tokio::test]
async fn an_object_of_somebody_else_is_named_by_its_id() {
    let (stage, _) = active("contoso", Speed::Max).await;
    let id = id_of(&stage, STORAGE).await;
    let mut shown = stage.call(Method::GET, &format!("{id}?api-version=2023-05-01"), None).await.body;
    shown["id"] = json!(id);
    shown["tags"] = json!({"owner": "somebody"});
    stage
        .fault(json!({"match": {"method": "GET", "pathContains": "/storageAccounts/"}, "times": 1000,
            "answer": {"status": 200, "body": shown}}))
        .await;
    stage.accept(&tags("tags")).await;
    let waiting = stage.until_is("contoso", "waiting").await;
    let cause = &waiting["steps"]["storage"]["cause"];
    assert_eq!(text(cause, "/code"), "foreign-object", "{cause:#}");
    assert!(text(cause, "/resourceId").eq_ignore_ascii_case(&id), "{cause:#}");
    let events = stage.until_told("contoso", "tenant.operation.waiting", 1).await;
    let error = &events.last().unwrap()["data"]["error"];
    assert!(text(error, "/resourceId").eq_ignore_ascii_case(&id), "{error:#}");
    let history = stage.get("/api/tenants/contoso?view=history&limit=1000").await["history"].clone();
    let row = list(&history).iter().find(|row| text(row, "/cause/code") == "foreign-object").unwrap();
    assert!(text(row, "/cause/resourceId").eq_ignore_ascii_case(&id), "{row:#}");
}
