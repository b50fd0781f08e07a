//! Suspend and resume: a tenant's access is deleted and created again, and nothing else is changed.

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    harness::Harness,
    judge::{changes, check_event_sequence, kinds, list, text, types},
    removal, repository, request, signup,
};

const GRANT: &str = "Microsoft.Authorization/roleAssignments";
const DEPLOYMENT: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments";

fn suspension(id: &str, tenant: &str, spec: Value) -> Value {
    request(id, "suspend", tenant, spec)
}

fn billing(id: &str, tenant: &str) -> Value {
    suspension(id, tenant, json!({"reason": "billing"}))
}

fn resumption(id: &str, tenant: &str) -> Value {
    request(id, "resume", tenant, json!({"reason": "paid"}))
}

/// The number of a tenant's role assignments.
async fn grants(harness: &Harness, tenant: &str) -> usize {
    kinds(&harness.objects(tenant).await).get(GRANT).copied().unwrap_or_default()
}

#[tokio::test]
async fn access_is_deleted_and_recreated_and_nothing_else_changes() {
    let harness = Harness::at(Speed::Factor(2000.0)).await;
    for (sample, others) in [("contoso", 1), ("tailspin", 0)] {
        harness.accept(&signup(sample)).await;
        let before = harness.until_is(sample, "active").await;
        let held = harness.objects(sample).await;
        assert_eq!(grants(&harness, sample).await, others + 1);

        harness.enqueue(&billing(&format!("{sample}-s"), sample)).await;
        let events = harness.until_published(sample, "tenant.suspend.succeeded", 1).await;
        let suspended = harness.until_is(sample, "suspended").await;
        assert_eq!(grants(&harness, sample).await, others, "the tenant may still call");
        assert_eq!(
            list(&harness.objects(sample).await).len(),
            list(&held).len() - 1,
            "only access is deleted"
        );
        assert_eq!(suspended["outputs"], before["outputs"]);
        assert_eq!(suspended["suspended"]["reason"], "billing", "{suspended:#}");
        let last = events.iter().max_by_key(|event| text(event, "/sequence")).unwrap();
        assert_eq!((text(last, "/data/status"), text(last, "/data/action")), ("suspended", "suspend"));
        assert_eq!(
            (&last["data"]["suspension"]["mode"], &last["data"]["previousStatus"]),
            (&json!("access"), &json!("active"))
        );

        harness.enqueue(&resumption(&format!("{sample}-r"), sample)).await;
        let events = harness.until_published(sample, "tenant.resume.succeeded", 1).await;
        let resumed = harness.until_is(sample, "active").await;
        assert_eq!((&resumed["outputs"], &resumed["suspended"]), (&before["outputs"], &Value::Null));
        assert_eq!(kinds(&harness.objects(sample).await), kinds(&held));
        check_event_sequence(sample, &events);
        let reported: Vec<&str> =
            types(&events).into_iter().filter(|kind| !kind.contains("isolation")).collect();
        let content = ["suspend", "resume"].map(|noun| {
            [
                "tenant.request.accepted".to_owned(),
                format!("tenant.{noun}.started"),
                format!("tenant.{noun}.succeeded"),
            ]
        });
        assert_eq!(reported[3..], content.concat());
    }
}

#[tokio::test]
async fn with_mode_compute_the_deployment_is_deleted_too_and_recreated() {
    let harness = Harness::new().await;
    harness.accept(&signup("contoso")).await;
    let before = harness.until_is("contoso", "active").await;
    harness.accept(&suspension("s", "contoso", json!({"reason": "operator", "mode": "compute"}))).await;
    harness.until_is("contoso", "suspended").await;
    let held = harness.objects("contoso").await;
    assert_eq!((kinds(&held).get(DEPLOYMENT), grants(&harness, "contoso").await), (None, 1));
    // If the mode changes from `compute` to `access`, the machines are created again, but access is not.
    harness.accept(&suspension("s-2", "contoso", json!({"reason": "billing", "mode": "access"}))).await;
    harness.until_published("contoso", "tenant.suspend.succeeded", 2).await;
    let held = harness.objects("contoso").await;
    assert_eq!((kinds(&held).get(DEPLOYMENT), grants(&harness, "contoso").await), (Some(&1), 1));
    harness.accept(&resumption("r", "contoso")).await;
    let after = harness.until_is("contoso", "active").await;
    assert_eq!((&after["outputs"], grants(&harness, "contoso").await), (&before["outputs"], 2));
}

#[tokio::test]
async fn suspending_or_resuming_again_succeeds_and_changes_nothing() {
    let harness = Harness::new().await;
    harness.accept(&signup("tailspin")).await;
    harness.until_is("tailspin", "active").await;
    // A tenant that is not suspended can be resumed; that succeeds and changes nothing.
    harness.accept(&resumption("r", "tailspin")).await;
    harness.until_published("tailspin", "tenant.resume.succeeded", 1).await;
    assert_eq!(text(&harness.tenant("tailspin").await, "/status"), "active");

    let first = harness.accept(&billing("s", "tailspin")).await;
    let suspended = harness.until_is("tailspin", "suspended").await;
    let before = changes(&harness.journal().await).len();
    assert_eq!(harness.repeat(&billing("s", "tailspin"), &first).await["status"], "suspended");
    harness.accept(&billing("s-again", "tailspin")).await;
    harness.until_published("tailspin", "tenant.suspend.succeeded", 2).await;
    let again = harness.until_is("tailspin", "suspended").await;
    assert_eq!(again["suspended"], suspended["suspended"], "the time of the first suspension is kept");
    assert_eq!(changes(&harness.journal().await).len(), before, "something was written");
}

#[tokio::test]
async fn neither_a_replay_nor_an_update_nor_a_retry_resumes() {
    let harness = Harness::new().await;
    let signed_up = harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    harness.accept(&billing("s", "contoso")).await;
    harness.until_is("contoso", "suspended").await;

    assert_eq!(harness.repeat(&signup("contoso"), &signed_up).await["status"], "suspended");
    let mut another = signup("contoso");
    another["requestId"] = json!("signup-again");
    assert_eq!(harness.submit(&another).await.body["code"], "tenant_exists");
    assert_eq!(harness.retry("contoso", &json!({"requestId": "t"})).await.body["code"], "nothing_to_retry");

    harness.accept(&request("u", "update", "contoso", json!({"displayName": "Contoso Group"}))).await;
    harness.until_published("contoso", "tenant.update.succeeded", 1).await;
    let updated = harness.until_is("contoso", "suspended").await;
    assert_eq!((text(&updated, "/displayName"), grants(&harness, "contoso").await), ("Contoso Group", 1));

    harness.accept(&removal("end", "contoso")).await;
    let deleted = harness.until_is("contoso", "deleted").await;
    assert_eq!(list(&harness.objects("contoso").await), [] as [Value; 0]);
    let late = harness.submit(&resumption("too-late", "contoso")).await;
    assert_eq!((late.status, &late.body["code"]), (409, &json!("tenant_removed")), "{deleted:#}");
    // A tenant that signs up again after its removal is not suspended.
    harness.accept(&another_signup()).await;
    assert_eq!(harness.until_is("contoso", "active").await["suspended"], Value::Null);
}

fn another_signup() -> Value {
    let mut again = signup("contoso");
    again["requestId"] = json!("signup-of-another-life");
    again
}

#[tokio::test]
async fn a_suspension_that_can_not_be_carried_out_waits_and_continues() {
    let harness = Harness::new().await;
    harness.accept(&signup("tailspin")).await;
    harness.until_is("tailspin", "active").await;
    let refused = json!({"status": 403, "body": {"error": {"code": "RequestDisallowedByPolicy", "message": "Not here."}}});
    let grant = json!({"method": "DELETE", "pathContains": "/roleAssignments/"});
    harness.fault(json!({"match": grant, "times": 1000, "answer": refused})).await;
    harness.accept(&billing("s", "tailspin")).await;
    let failed = harness.until_published("tailspin", "tenant.suspend.failed", 1).await;
    assert_eq!(grants(&harness, "tailspin").await, 1, "{failed:#?}");
    harness.no_more_faults().await;
    assert_eq!(harness.retry("tailspin", &json!({"requestId": "t"})).await.status, 202);
    harness.until_published("tailspin", "tenant.suspend.succeeded", 1).await;
    harness.until_is("tailspin", "suspended").await;
    assert_eq!(grants(&harness, "tailspin").await, 0);
}

#[tokio::test]
async fn a_tenant_without_an_access_step_can_not_be_suspended() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let harness = Harness::with(Speed::Max, &[&hello]).await;
    let mut signup = signup("tailspin");
    signup["spec"]["parameters"] = json!({});
    harness.accept(&signup).await;
    harness.until_is("tailspin", "active").await;
    // The outcome is published after it is saved; the tenant is at rest only after that.
    let before = crate::testkit::until("nothing is left to do", async || {
        let tenant = harness.tenant("tailspin").await;
        if tenant["dueAt"].is_null() { Ok(tenant) } else { Err(tenant) }
    })
    .await;
    let refused = harness.submit(&billing("s", "tailspin")).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("not_suspendable")),
        "{:#}",
        refused.body
    );
    assert_eq!(harness.tenant("tailspin").await, before);
    let unknown = harness.submit(&billing("s-2", "nobody")).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_tenant")));
    for (id, spec, pointer, code) in [
        ("b-1", json!({}), "/spec/reason", "missing"),
        ("b-2", json!({"reason": "weather"}), "/spec/reason", "unknown_value"),
        ("b-3", json!({"reason": 7}), "/spec/reason", "wrong_type"),
        ("b-4", json!({"reason": "abuse", "mode": "all"}), "/spec/mode", "unknown_value"),
    ] {
        let refused = harness.submit(&suspension(id, "tailspin", spec)).await;
        let fault = &refused.body["faults"][0];
        assert_eq!((refused.status, &fault["pointer"], &fault["code"]), (400, &json!(pointer), &json!(code)));
    }
}
