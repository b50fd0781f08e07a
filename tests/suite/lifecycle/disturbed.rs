//! A tenant is provisioned although Azure throttles, fails or does not answer, a foreign object has one of the
//! tenant's names, or people retry many times.

use azure_sim::Speed;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::testkit::{
    self,
    harness::Harness,
    judge::{check_event_sequence, kinds, list, nothing_was_made_twice, text, types},
    removal, signup,
};

/// A harness with the tenant `contoso`, which became active despite these faults.
async fn made_despite(faults: &[Value]) -> Harness {
    let harness = Harness::new().await;
    for fault in faults {
        harness.fault(fault.clone()).await;
    }
    harness.accept(&signup("contoso")).await;
    harness.until_is("contoso", "active").await;
    let events = harness.until_published("contoso", "tenant.provision.succeeded", 1).await;
    check_event_sequence("contoso", &events);
    assert_eq!(harness.get("/_sim/faults").await, json!([]), "every fault occurred");
    harness
}

#[tokio::test]
async fn throttled_requests_are_repeated_after_the_requested_wait() {
    let throttled = |times: u32, part: &str| {
        json!({"match": {"pathContains": part}, "times": times, "answer": {"status": 429,
            "headers": {"Retry-After": "1"}, "body": {"error": {"code": "TooManyRequests", "message": "slow down"}}}})
    };
    let harness = made_despite(&[throttled(2, "/vaults/"), throttled(1, "/applications")]).await;
    let journal = harness.journal().await;
    let at = |line: &Value| text(line, "/at").parse::<jiff::Timestamp>().unwrap();
    let refused = list(&journal).iter().filter(|line| line["status"] == 429);
    let mut count = 0;
    for line in refused {
        count += 1;
        // The request was repeated at least one second later, as `Retry-After` requires.
        let next = list(&journal).iter().find(|other| {
            other["path"] == line["path"] && other["method"] == line["method"] && at(other) > at(line)
        });
        let waited = at(next.unwrap()).duration_since(at(line));
        assert!(waited.as_millis() >= 1000, "{waited:?} after {line:#}");
    }
    assert_eq!(count, 3);
}

#[tokio::test]
async fn temporary_server_errors_do_not_fail_a_tenant() {
    let failing = json!({"times": 12, "answer": {"status": 503, "body": {"error": {"code": "ServerBusy", "message": "busy"}}}});
    let harness = made_despite(&[failing]).await;
    nothing_was_made_twice(&harness.journal().await, 1);
}

#[tokio::test]
async fn changes_whose_answers_are_lost_are_not_made_twice() {
    let silent =
        |method: &str, times: u32| json!({"match": {"method": method}, "times": times, "dropReply": true});
    // Here a POST publishes an event or creates a service principal.
    let harness = made_despite(&[silent("PUT", 4), silent("PATCH", 1), silent("POST", 1)]).await;
    nothing_was_made_twice(&harness.journal().await, 1);
    let undisturbed = made_despite(&[]).await;
    let (held, expected) = (harness.objects("contoso").await, undisturbed.objects("contoso").await);
    assert_eq!(kinds(&held), kinds(&expected));
}

#[tokio::test]
async fn an_operation_that_fails_permanently_is_reported_with_its_cause_and_a_retry_continues() {
    let harness = Harness::at(Speed::Factor(2000.0)).await;
    harness
        .fault(json!({"match": {"method": "PUT", "pathContains": "/deployments/main"}, "times": 20,
            "failOperation": {"code": "BadArgument", "message": "The model is not readable."}}))
        .await;
    harness.accept(&signup("tailspin")).await;
    let stopped = harness.until_is("tailspin", "failed").await;
    let step = &stopped["steps"]["deployment"];
    assert_eq!((text(step, "/state"), text(step, "/cause/code")), ("blocked", "BadArgument"), "{step:#}");
    assert!(text(step, "/cause/message").contains("not readable") && !text(step, "/nextAction").is_empty());
    let events = harness.until_published("tailspin", "tenant.provision.failed", 1).await;
    let failed = events.iter().find(|event| text(event, "/type").contains("failed")).unwrap();
    let error = &failed["data"]["error"];
    assert_eq!((text(error, "/code"), text(error, "/step")), ("BadArgument", "deployment"), "{failed:#}");
    assert_eq!(failed["data"]["attempt"], 1);

    harness.no_more_faults().await;
    let taken = harness.retry("tailspin", &json!({})).await;
    assert_eq!(taken.status, 202, "{taken:#?}");
    let events = harness.until_published("tailspin", "tenant.provision.succeeded", 1).await;
    check_event_sequence("tailspin", &events);
    let succeeded = events.iter().find(|event| text(event, "/type").contains("provision.succeeded")).unwrap();
    assert_eq!(succeeded["data"]["attempt"], 2, "{succeeded:#}");
    assert_eq!(text(&harness.tenant("tailspin").await, "/status"), "active");
}

/// A fault: writes whose path contains `part` are refused until a person grants a permission.
fn forbidden(part: &str) -> Value {
    json!({"match": {"method": "PUT", "pathContains": part}, "times": 1000, "answer": {"status": 403,
        "body": {"error": {"code": "AuthorizationFailed", "message": "The client may not do this."}}}})
}

/// Azure's answer is kept in the history, without secrets, and nowhere else.
#[tokio::test]
async fn azures_answer_is_kept_in_history_only() {
    let harness = Harness::new().await;
    let refusal = json!({"error": {"code": "AuthorizationFailed", "message": "The client may not do this.",
        "details": [{"code": "Odd", "message": "tried with AccountKey=b3BlbiBzZXNhbWU=; in vain", "primaryKey": "b3BlbiBzZXNhbWU="}]}});
    harness
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 403, "body": refusal}}))
        .await;
    harness.accept(&signup("tailspin")).await;
    harness.until_is("tailspin", "waiting").await;
    let events = harness.until_published("tailspin", "tenant.operation.waiting", 1).await;
    let history = harness.get("/api/tenants/tailspin?view=history&limit=1000").await["history"].clone();
    let blocked = list(&history).iter().find(|row| text(row, "/state") == "blocked").unwrap();
    assert_eq!((text(blocked, "/what"), text(blocked, "/step")), ("step", "endpoint"), "{blocked:#}");
    assert_eq!(blocked["raw"]["status"], 403, "{blocked:#}");
    let request_id = text(blocked, "/raw/azureRequestId");
    assert!(!request_id.is_empty() && request_id == text(blocked, "/cause/azureRequestId"), "{blocked:#}");
    let body: Value = serde_json::from_str(text(blocked, "/raw/body")).unwrap();
    assert_eq!(text(&body, "/error/details/0/message"), "tried with AccountKey=[redacted]; in vain");
    assert_eq!(text(&body, "/error/details/0/primaryKey"), "[redacted]");
    let id = "tailspin".parse().unwrap();
    // An entry is deleted from the outbox a moment after it is published.
    let document = testkit::until("the outbox is empty", async || {
        let document = harness.local.ports.store.load(&id).await.unwrap().unwrap().value;
        if document.outbox().is_empty() { Ok(document) } else { Err(json!(document.outbox())) }
    })
    .await;
    for elsewhere in [json!(document), json!(events), harness.tenant("tailspin").await] {
        let reported = elsewhere.to_string();
        assert!(!reported.contains("in vain") && !reported.contains("b3BlbiBz"), "{elsewhere:#}");
    }
    assert!(!history.to_string().contains("b3BlbiBz"), "{history:#}");
}

#[tokio::test]
async fn a_hundred_retries_at_once_are_one_more_attempt() {
    let harness = Harness::new().await;
    harness.fault(forbidden("/onlineEndpoints/")).await;
    harness.accept(&signup("tailspin")).await;
    let stopped = harness.until_is("tailspin", "waiting").await;
    assert_eq!(text(&stopped, "/steps/endpoint/cause/code"), "AuthorizationFailed");
    harness.until_published("tailspin", "tenant.operation.waiting", 1).await;
    harness.no_more_faults().await;
    let body = json!({});
    let answers = join_all((0..100).map(|_| harness.retry("tailspin", &body))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 202 | 409)), "{answers:#?}");
    let taken = answers.iter().find(|answer| answer.status == 202).unwrap();
    assert_eq!(
        text(&taken.body, "/operationId"),
        text(&stopped, "/operations/0/operationId"),
        "it continues with the blocked step"
    );
    let events = harness.until_published("tailspin", "tenant.provision.succeeded", 1).await;
    assert_eq!(text(&harness.tenant("tailspin").await, "/status"), "active");
    check_event_sequence("tailspin", &events);
    let reported = types(&events);
    assert_eq!(
        reported.iter().filter(|kind| **kind == "tenant.provision.succeeded").count(),
        1,
        "{reported:?}"
    );
    let succeeded = events.iter().find(|event| text(event, "/type").contains("provision.succeeded")).unwrap();
    assert_eq!(succeeded["data"]["attempt"], 2, "{succeeded:#}");
    nothing_was_made_twice(&harness.journal().await, 1);
}

#[tokio::test]
async fn a_retry_without_a_blocked_step_is_refused() {
    let harness = Harness::new().await;
    harness.accept(&signup("tailspin")).await;
    harness.until_published("tailspin", "tenant.provision.succeeded", 1).await;
    let refused = harness.retry("tailspin", &json!({})).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "nothing_to_retry"));
    assert_eq!(harness.retry("nobody", &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_foreign_object_with_a_tenants_name_is_never_changed() {
    // A tenant's objects have the same names in every environment, so the first environment shows which name to take
    // in the second.
    let rehearsal = Harness::new().await;
    rehearsal.accept(&signup("contoso")).await;
    rehearsal.until_is("contoso", "active").await;
    let objects = rehearsal.objects("contoso").await;
    let group = list(&objects).iter().find(|object| object["kind"] == "Microsoft.Resources/resourceGroups");
    let url = format!("{}?api-version=2024-07-01", text(group.unwrap(), "/id"));

    let harness = Harness::new().await;
    let stranger = json!({"location": "westeurope", "tags": {"owner": "another team"}});
    assert_eq!(harness.call(Method::PUT, &url, Some(&stranger)).await.status, 201);
    let before = harness.get(&url).await;
    harness.accept(&signup("contoso")).await;
    let stopped = harness.until_is("contoso", "waiting").await;
    let step = &stopped["steps"]["group"];
    assert_eq!((text(step, "/state"), text(step, "/cause/class")), ("blocked", "foreign"), "{step:#}");
    let events = harness.until_published("contoso", "tenant.operation.waiting", 1).await;
    let waiting = events.iter().find(|event| text(event, "/type").contains("waiting")).unwrap();
    assert_eq!(text(waiting, "/data/error/class"), "foreign");
    let theirs = text(&before, "/id");
    assert!(text(waiting, "/data/error/resourceId").eq_ignore_ascii_case(theirs), "{waiting:#}");
    assert!(text(step, "/cause/resourceId").eq_ignore_ascii_case(theirs), "{step:#}");
    assert_eq!(harness.get(&url).await, before, "the stranger's object is unchanged");

    // The foreign object also stays when the tenant is removed.
    harness.accept(&removal("go", "contoso")).await;
    harness.until_published("contoso", "tenant.deprovision.succeeded", 1).await;
    assert_eq!(harness.get(&url).await, before, "the stranger's object is unchanged");
}
