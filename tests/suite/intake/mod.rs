//! Answers to requests: all faults together, the same answer for the same request, and what a request changes.

#![expect(clippy::needless_pass_by_value, reason = "helpers take `json!` as it is written")]

mod channels;
mod characters;
mod external;
mod members;
mod repeats;

use std::fmt::Write as _;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::intake::{IntakeDecision, RequestAnswer};
use tenantry_core::tenant::{Status, Tenant};

use crate::bad_inputs::{
    case,
    harness::{Harness, LIVE},
};

async fn take_in(harness: &Harness, request: &Value) -> RequestAnswer {
    harness.local.app.intake.take_in(request.to_string().as_bytes()).await.unwrap()
}

fn signup(request_id: &str, tenant: &str) -> Value {
    let mut request = case::signup(request_id);
    request["tenantId"] = tenant.into();
    request
}

fn request(action: &str, request_id: &str, tenant: &str, spec: Value) -> Value {
    json!({"schema": "tenantry.request/1", "requestId": request_id, "action": action, "tenantId": tenant, "spec": spec})
}

fn event(request: &Value) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "io.tenantry.request.signup.v1", "data": request})
}

async fn live(harness: &Harness) -> Tenant {
    harness.tenant(&LIVE.parse().unwrap()).await.unwrap()
}

#[track_caller]
fn refused(answer: &RequestAnswer, code: &str, pointer: &str) {
    let seen = (answer.decision, answer.code.as_deref(), answer.faults[0].pointer.as_str());
    assert_eq!(seen, (IntakeDecision::Rejected, Some(code), pointer), "{answer:?}");
}

#[tokio::test]
async fn all_faults_are_reported_together() {
    let harness = Harness::open().await;
    let signup = json!({
        "schema": "tenantry.request/7", "requestId": "has space", "action": "signup", "tenantId": "-X-",
        "requestedAt": "yesterday", "deadline": "2027-02-30T00:00:00Z", "expectedVersion": -1, "dryRun": "yes",
        "external": {"system": 7, "operationId": "a\tb", "quantity": 1.5},
        "spec": {
            "displayName": "", "tier": ["dedicated"], "region": "West Europe", "homeTenantId": "contoso.example",
            "adminContact": 7, "quantity": "many", "parameters": [], "blueprint": "hello",
            "tags": {"ok": "fine", "a/b": "x", "tenantry-tenant": "me", "n": 1, "~": ""},
        },
    });
    let update = request(
        "update",
        "u-1",
        LIVE,
        json!({"displayName": 1, "quantity": -1, "allowReplace": "yes", "blueprint": {"version": 2}}),
    );
    let deprovision =
        request("deprovision", "d-1", "", json!({"reason": "", "gracePeriod": "P7D", "retain": ["logs"]}));
    let mut table = String::new();
    for (name, message) in [
        ("a bare sign-up", &signup),
        ("the same in an event", &event(&signup)),
        ("an update", &update),
        ("a removal", &deprovision),
    ] {
        let answer = take_in(&harness, message).await;
        assert_eq!((answer.decision, answer.code.as_deref()), (IntakeDecision::Rejected, Some("invalid")));
        let _ = writeln!(table, "{name}");
        for fault in &answer.faults {
            let _ = writeln!(table, "  {:<34} {:<16} {}", fault.pointer, fault.code, fault.message);
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn an_event_and_its_bare_data_are_the_same_request() {
    let harness = Harness::open().await;
    let bare = signup("same", "contoso");
    let first = take_in(&harness, &bare).await;
    assert_eq!(first.decision, IntakeDecision::Accepted);
    let again = take_in(&harness, &event(&bare)).await;
    assert_eq!(again, RequestAnswer { replayed: true, status: Some(Status::Requested), ..first });
}

#[tokio::test]
async fn a_sign_up_without_an_id_gets_one_from_its_request() {
    let harness = Harness::open().await;
    let ids = join_all(["click-1", "click-1", "click-2"].map(|id| {
        let request = case::signup(id);
        let harness = &harness;
        async move { take_in(harness, &request).await.tenant_id.unwrap().to_string() }
    }))
    .await;
    assert_eq!(ids[0], ids[1], "a second click creates no second tenant");
    assert_ne!(ids[0], ids[2]);
    assert!(ids[0].starts_with("t-") && ids[0].len() == 18, "{ids:?}");
    for action in ["update", "deprovision", "retry"] {
        let mut other = request(action, "x", LIVE, json!({}));
        other.as_object_mut().unwrap().remove("tenantId");
        refused(&take_in(&harness, &other).await, "missing", "/tenantId");
    }
}

#[tokio::test]
async fn fifty_deliveries_at_once_are_one_tenant_and_one_outcome() {
    let harness = Harness::open().await;
    let body = signup("fifty", LIVE).to_string();
    join_all((0..50).map(|n| {
        let (harness, body) = (&harness, &body);
        async move { harness.deliver(body.as_bytes(), &json!({"MessageId": n.to_string()})).await }
    }))
    .await;
    harness.settled(&LIVE.parse().unwrap()).await;
    let kinds: Vec<String> =
        harness.events().await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    let content = ["tenant.request.accepted", "tenant.provision.started", "tenant.provision.succeeded"];
    assert_eq!(kinds, content.map(|kind| format!("io.tenantry.{kind}.v1")));
    let census = harness.census().await;
    assert_eq!((census.tenants.len(), census.objects.len()), (1, 1));
}

#[tokio::test]
async fn a_request_is_answered_from_its_record_when_the_tenants_document_has_dropped_it() {
    let harness = Harness::open().await;
    let first = signup("first", LIVE);
    let answer = take_in(&harness, &first).await;
    harness.settled(&LIVE.parse().unwrap()).await;
    for n in 0..40 {
        let update = request("update", &format!("u-{n}"), LIVE, json!({"quantity": n}));
        assert_eq!(take_in(&harness, &update).await.decision, IntakeDecision::Accepted);
    }
    assert!(live(&harness).await.requests.iter().all(|past| past.request_id != "first"));
    let before = live(&harness).await;
    let again = take_in(&harness, &first).await;
    assert_eq!(
        again,
        RequestAnswer { replayed: true, status: Some(before.status), superseded: true, ..answer }
    );
    assert_eq!(live(&harness).await, before);
}

#[tokio::test]
async fn deadlines_and_expected_versions_are_checked_at_intake() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let with = |request_id: &str, name: &str, value: Value| {
        let mut update = request("update", request_id, LIVE, json!({"quantity": 5}));
        update[name] = value;
        update
    };
    let before = live(&harness).await;
    refused(
        &take_in(&harness, &with("late", "deadline", json!("2020-01-01T00:00:00Z"))).await,
        "expired",
        "/deadline",
    );
    refused(
        &take_in(&harness, &with("stale", "expectedVersion", json!(before.version() + 1))).await,
        "stale",
        "/expectedVersion",
    );
    assert_eq!(live(&harness).await, before);
    let fresh = with("fresh", "expectedVersion", json!(before.version()));
    assert_eq!(take_in(&harness, &fresh).await.decision, IntakeDecision::Accepted);
    assert_eq!(
        take_in(&harness, &fresh).await.decision,
        IntakeDecision::Accepted,
        "the repeat is no second update"
    );
    assert_eq!(live(&harness).await.spec.quantity, Some(5));
    refused(
        &take_in(&harness, &with("stale-2", "expectedVersion", json!(before.version()))).await,
        "stale",
        "/expectedVersion",
    );
}

#[tokio::test]
async fn a_dry_run_returns_the_plan_and_changes_nothing() {
    let harness = Harness::open().await;
    let dry = |mut request: Value| {
        request["dryRun"] = true.into();
        request
    };
    let answer = take_in(&harness, &dry(signup("dry-1", LIVE))).await;
    assert_eq!(answer.decision, IntakeDecision::Planned);
    let plan = answer.plan.unwrap();
    assert_eq!(plan["steps"]["group"]["fields"]["body"]["tags"]["customer"], "Adventure Works");
    assert!(harness.census().await.tenants.is_empty());

    harness.sign_up(LIVE).await;
    let mut stored = harness.local.ports.store.load(&LIVE.parse().unwrap()).await.unwrap().unwrap();
    let names: Vec<_> = stored.value.steps().keys().cloned().collect();
    for name in names {
        let cause = tenantry_core::tenant::Cause::ours(
            tenantry_core::tenant::FailureClass::Quota,
            "OutOfQuota",
            "no room",
        );
        stored.value.change_step(&name, |record| {
            record.enter(|effort| tenantry_core::tenant::StepState::Blocked { effort, cause });
        });
    }
    harness.local.ports.store.save(&stored.value, Some(&stored.etag)).await.unwrap();
    let before = live(&harness).await;
    for (n, action) in ["update", "deprovision", "retry"].into_iter().enumerate() {
        let asked = dry(request(action, &format!("dry-a{n}"), LIVE, json!({})));
        assert_eq!(take_in(&harness, &asked).await.decision, IntakeDecision::Planned, "{action}");
        assert_eq!(live(&harness).await, before, "the dry run of {action} changed something");
    }
    refused(
        &take_in(&harness, &dry(request("update", "dry-2", "nobody", json!({})))).await,
        "unknown_tenant",
        "/tenantId",
    );
}

#[tokio::test]
async fn an_unknown_tenant_can_not_be_changed() {
    let harness = Harness::open().await;
    for action in ["update", "deprovision", "retry"] {
        let answer = take_in(&harness, &request(action, &format!("{action}-1"), "nobody", json!({}))).await;
        refused(&answer, "unknown_tenant", "/tenantId");
    }
    assert!(harness.census().await.tenants.is_empty());
}

#[tokio::test]
async fn a_removed_tenant_takes_no_update_and_may_sign_up_again() {
    let harness = Harness::open().await;
    let first = harness.sign_up(LIVE).await;
    let removal = request("deprovision", "remove", LIVE, json!({"reason": "over"}));
    harness.deliver(removal.to_string().as_bytes(), &json!({})).await;
    assert_eq!(harness.settled(&first.id).await.status, Status::Deleted);
    assert!(harness.census().await.objects.is_empty());
    refused(
        &take_in(&harness, &request("update", "late", LIVE, json!({}))).await,
        "tenant_removed",
        "/tenantId",
    );
    // The old sign-up, delivered again, does not recreate the tenant; a new sign-up is a new incarnation with new
    // names.
    harness.sign_up(LIVE).await;
    assert_eq!(live(&harness).await.status, Status::Deleted);
    harness.deliver(signup("again", LIVE).to_string().as_bytes(), &json!({})).await;
    let second = harness.settled(&first.id).await;
    assert_eq!((second.status, second.incarnation), (Status::Active, 2));
    assert_ne!(first.exports["group"], second.exports["group"]);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_null_removes_a_parameter() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let update = request(
        "update",
        "u",
        LIVE,
        json!({"displayName": "New Name", "tags": {"cost": "42"}, "adminContact": "a@b.example"}),
    );
    harness.deliver(update.to_string().as_bytes(), &json!({})).await;
    let tenant = harness.settled(&LIVE.parse().unwrap()).await;
    assert_eq!(
        (tenant.status, tenant.spec.display_name.as_str(), tenant.spec.tier.as_str()),
        (Status::Active, "New Name", "dedicated")
    );
    assert_eq!(tenant.spec.tags["cost"], "42");
    let unknown = request("update", "p", LIVE, json!({"parameters": {"colour": "blue"}}));
    refused(&take_in(&harness, &unknown).await, "unknown-parameter", "/spec/parameters/colour");
    let none = request("update", "n", LIVE, json!({"parameters": {"colour": null}}));
    assert_eq!(
        take_in(&harness, &none).await.decision,
        IntakeDecision::Accepted,
        "removing an absent parameter is no fault"
    );
    let version = request("update", "v", LIVE, json!({"blueprint": {"name": "hello", "version": "2.0.0"}}));
    refused(&take_in(&harness, &version).await, "unknown_blueprint", "/spec/blueprint/version");
}
