//! A tenant is suspended and resumed: what lets it in goes and comes back, and everything else stays as it is.

use azure_sim::Speed;
use serde_json::{Value, json};

use crate::testkit::{
    judge::{changes, kinds, list, tell_one_story, text, types},
    removal, repository, request, signup,
    stage::Stage,
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

/// Who holds which role where.
async fn grants(stage: &Stage, tenant: &str) -> usize {
    kinds(&stage.objects(tenant).await).get(GRANT).copied().unwrap_or_default()
}

#[tokio::test]
async fn access_goes_and_comes_back_and_nothing_else_changes() {
    let stage = Stage::at(Speed::Factor(2000.0)).await;
    for (sample, others) in [("contoso", 1), ("tailspin", 0)] {
        stage.accept(&signup(sample)).await;
        let before = stage.until_is(sample, "active").await;
        let held = stage.objects(sample).await;
        assert_eq!(grants(&stage, sample).await, others + 1);

        stage.enqueue(&billing(&format!("{sample}-s"), sample)).await;
        let events = stage.until_told(sample, "tenant.suspend.succeeded", 1).await;
        let suspended = stage.until_is(sample, "suspended").await;
        assert_eq!(grants(&stage, sample).await, others, "the tenant may still call");
        assert_eq!(list(&stage.objects(sample).await).len(), list(&held).len() - 1, "only access goes");
        assert_eq!(suspended["outputs"], before["outputs"]);
        assert_eq!(suspended["suspended"]["reason"], "billing", "{suspended:#}");
        let last = events.iter().max_by_key(|event| text(event, "/sequence")).unwrap();
        assert_eq!((text(last, "/data/status"), text(last, "/data/action")), ("suspended", "suspend"));
        assert_eq!(
            (&last["data"]["suspension"]["mode"], &last["data"]["previousStatus"]),
            (&json!("access"), &json!("active"))
        );

        stage.enqueue(&resumption(&format!("{sample}-r"), sample)).await;
        let events = stage.until_told(sample, "tenant.resume.succeeded", 1).await;
        let resumed = stage.until_is(sample, "active").await;
        assert_eq!((&resumed["outputs"], &resumed["suspended"]), (&before["outputs"], &Value::Null));
        assert_eq!(kinds(&stage.objects(sample).await), kinds(&held));
        tell_one_story(sample, &events);
        let told: Vec<&str> = types(&events).into_iter().filter(|kind| !kind.contains("isolation")).collect();
        let story = ["suspend", "resume"].map(|noun| {
            [
                "tenant.request.accepted".to_owned(),
                format!("tenant.{noun}.started"),
                format!("tenant.{noun}.succeeded"),
            ]
        });
        assert_eq!(told[3..], story.concat());
    }
}

#[tokio::test]
async fn with_compute_what_costs_goes_too_and_comes_back() {
    let stage = Stage::new().await;
    stage.accept(&signup("contoso")).await;
    let before = stage.until_is("contoso", "active").await;
    stage.accept(&suspension("s", "contoso", json!({"reason": "operator", "mode": "compute"}))).await;
    stage.until_is("contoso", "suspended").await;
    let held = stage.objects("contoso").await;
    assert_eq!((kinds(&held).get(DEPLOYMENT), grants(&stage, "contoso").await), (None, 1));
    // Less suspended than before: the machines come back, access does not.
    stage.accept(&suspension("s-2", "contoso", json!({"reason": "billing", "mode": "access"}))).await;
    stage.until_told("contoso", "tenant.suspend.succeeded", 2).await;
    let held = stage.objects("contoso").await;
    assert_eq!((kinds(&held).get(DEPLOYMENT), grants(&stage, "contoso").await), (Some(&1), 1));
    stage.accept(&resumption("r", "contoso")).await;
    let after = stage.until_is("contoso", "active").await;
    assert_eq!((&after["outputs"], grants(&stage, "contoso").await), (&before["outputs"], 2));
}

#[tokio::test]
async fn what_is_so_already_is_a_success_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.accept(&signup("tailspin")).await;
    stage.until_is("tailspin", "active").await;
    // Nothing is suspended, so there is nothing to give back.
    stage.accept(&resumption("r", "tailspin")).await;
    stage.until_told("tailspin", "tenant.resume.succeeded", 1).await;
    assert_eq!(text(&stage.tenant("tailspin").await, "/status"), "active");

    let first = stage.accept(&billing("s", "tailspin")).await;
    let suspended = stage.until_is("tailspin", "suspended").await;
    let before = changes(&stage.journal().await).len();
    assert_eq!(stage.repeat(&billing("s", "tailspin"), &first).await["status"], "suspended");
    stage.accept(&billing("s-again", "tailspin")).await;
    stage.until_told("tailspin", "tenant.suspend.succeeded", 2).await;
    let again = stage.until_is("tailspin", "suspended").await;
    assert_eq!(again["suspended"], suspended["suspended"], "it is suspended since the first time");
    assert_eq!(changes(&stage.journal().await).len(), before, "something was written");
}

#[tokio::test]
async fn neither_a_replay_nor_an_update_nor_a_retry_resumes() {
    let stage = Stage::new().await;
    let signed_up = stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    stage.accept(&billing("s", "contoso")).await;
    stage.until_is("contoso", "suspended").await;

    assert_eq!(stage.repeat(&signup("contoso"), &signed_up).await["status"], "suspended");
    let mut another = signup("contoso");
    another["requestId"] = json!("signup-again");
    assert_eq!(stage.submit(&another).await.body["code"], "tenant_exists");
    assert_eq!(stage.retry("contoso", &json!({"requestId": "t"})).await.body["code"], "nothing_to_retry");

    stage.accept(&request("u", "update", "contoso", json!({"displayName": "Contoso Group"}))).await;
    stage.until_told("contoso", "tenant.update.succeeded", 1).await;
    let updated = stage.until_is("contoso", "suspended").await;
    assert_eq!((text(&updated, "/displayName"), grants(&stage, "contoso").await), ("Contoso Group", 1));

    stage.accept(&removal("end", "contoso")).await;
    let deleted = stage.until_is("contoso", "deleted").await;
    assert_eq!(list(&stage.objects("contoso").await), [] as [Value; 0]);
    let late = stage.submit(&resumption("too-late", "contoso")).await;
    assert_eq!((late.status, &late.body["code"]), (409, &json!("tenant_removed")), "{deleted:#}");
    // A new life begins as any other.
    stage.accept(&another_life()).await;
    assert_eq!(stage.until_is("contoso", "active").await["suspended"], Value::Null);
}

fn another_life() -> Value {
    let mut again = signup("contoso");
    again["requestId"] = json!("signup-of-another-life");
    again
}

#[tokio::test]
async fn a_suspension_that_can_not_be_carried_out_waits_and_goes_on() {
    let stage = Stage::new().await;
    stage.accept(&signup("tailspin")).await;
    stage.until_is("tailspin", "active").await;
    let refused = json!({"status": 403, "body": {"error": {"code": "RequestDisallowedByPolicy", "message": "Not here."}}});
    let grant = json!({"method": "DELETE", "pathContains": "/roleAssignments/"});
    stage.fault(json!({"match": grant, "times": 1000, "answer": refused})).await;
    stage.accept(&billing("s", "tailspin")).await;
    let failed = stage.until_told("tailspin", "tenant.suspend.failed", 1).await;
    assert_eq!(grants(&stage, "tailspin").await, 1, "{failed:#?}");
    stage.no_more_faults().await;
    assert_eq!(stage.retry("tailspin", &json!({"requestId": "t"})).await.status, 202);
    stage.until_told("tailspin", "tenant.suspend.succeeded", 1).await;
    stage.until_is("tailspin", "suspended").await;
    assert_eq!(grants(&stage, "tailspin").await, 0);
}

#[tokio::test]
async fn who_is_not_let_in_by_a_step_can_not_be_suspended() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let stage = Stage::with(Speed::Max, &[&hello]).await;
    let mut signup = signup("tailspin");
    signup["spec"]["parameters"] = json!({});
    stage.accept(&signup).await;
    stage.until_is("tailspin", "active").await;
    // The outcome is saved before it is told, and only then is nothing left to do.
    let before = crate::testkit::until("nothing is left to do", async || {
        let tenant = stage.tenant("tailspin").await;
        if tenant["dueAt"].is_null() { Ok(tenant) } else { Err(tenant) }
    })
    .await;
    let refused = stage.submit(&billing("s", "tailspin")).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (409, &json!("not_suspendable")),
        "{:#}",
        refused.body
    );
    assert_eq!(stage.tenant("tailspin").await, before);
    let unknown = stage.submit(&billing("s-2", "nobody")).await;
    assert_eq!((unknown.status, &unknown.body["code"]), (404, &json!("unknown_tenant")));
    for (id, spec, pointer, code) in [
        ("b-1", json!({}), "/spec/reason", "missing"),
        ("b-2", json!({"reason": "weather"}), "/spec/reason", "unknown_value"),
        ("b-3", json!({"reason": 7}), "/spec/reason", "wrong_type"),
        ("b-4", json!({"reason": "abuse", "mode": "all"}), "/spec/mode", "unknown_value"),
    ] {
        let refused = stage.submit(&suspension(id, "tailspin", spec)).await;
        let fault = &refused.body["faults"][0];
        assert_eq!((refused.status, &fault["pointer"], &fault["code"]), (400, &json!(pointer), &json!(code)));
    }
}
