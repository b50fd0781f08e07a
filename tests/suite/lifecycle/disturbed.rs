//! Azure refuses, fails, falls silent; a stranger sits in a tenant's place; people press retry.

use azure_sim::Speed;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::testkit::{
    self,
    judge::{kinds, list, nothing_was_made_twice, tell_one_story, text, types},
    removal, signup,
    stage::Stage,
};

/// A stage on which one tenant was made while these faults were in force.
async fn made_despite(faults: &[Value]) -> Stage {
    let stage = Stage::new().await;
    for fault in faults {
        stage.fault(fault.clone()).await;
    }
    stage.accept(&signup("contoso")).await;
    stage.until_is("contoso", "active").await;
    let events = stage.until_told("contoso", "tenant.provision.succeeded", 1).await;
    tell_one_story("contoso", &events);
    assert_eq!(stage.get("/_sim/faults").await, json!([]), "every fault was met");
    stage
}

#[tokio::test]
async fn throttling_is_waited_out() {
    let throttled = |times: u32, part: &str| {
        json!({"match": {"pathContains": part}, "times": times, "answer": {"status": 429,
            "headers": {"Retry-After": "1"}, "body": {"error": {"code": "TooManyRequests", "message": "slow down"}}}})
    };
    let stage = made_despite(&[throttled(2, "/vaults/"), throttled(1, "/applications")]).await;
    let journal = stage.journal().await;
    let at = |line: &Value| text(line, "/at").parse::<jiff::Timestamp>().unwrap();
    let refused = list(&journal).iter().filter(|line| line["status"] == 429);
    let mut count = 0;
    for line in refused {
        count += 1;
        // Whatever was asked for is asked for again only after the second that was asked for.
        let next = list(&journal).iter().find(|other| {
            other["path"] == line["path"] && other["method"] == line["method"] && at(other) > at(line)
        });
        let waited = at(next.unwrap()).duration_since(at(line));
        assert!(waited.as_millis() >= 1000, "{waited:?} after {line:#}");
    }
    assert_eq!(count, 3);
}

#[tokio::test]
async fn servers_that_fail_for_a_while_do_not_matter() {
    let failing = json!({"times": 12, "answer": {"status": 503, "body": {"error": {"code": "ServerBusy", "message": "busy"}}}});
    let stage = made_despite(&[failing]).await;
    nothing_was_made_twice(&stage.journal().await, 1);
}

#[tokio::test]
async fn changes_whose_answers_are_lost_are_not_made_twice() {
    let silent =
        |method: &str, times: u32| json!({"match": {"method": method}, "times": times, "dropReply": true});
    // A POST is the publication of an event, or makes a service principal.
    let stage = made_despite(&[silent("PUT", 4), silent("PATCH", 1), silent("POST", 1)]).await;
    nothing_was_made_twice(&stage.journal().await, 1);
    let undisturbed = made_despite(&[]).await;
    let (held, expected) = (stage.objects("contoso").await, undisturbed.objects("contoso").await);
    assert_eq!(kinds(&held), kinds(&expected));
}

#[tokio::test]
async fn an_operation_that_fails_for_good_is_told_with_its_cause_and_a_retry_goes_on() {
    let stage = Stage::at(Speed::Factor(2000.0)).await;
    stage
        .fault(json!({"match": {"method": "PUT", "pathContains": "/deployments/main"}, "times": 20,
            "failOperation": {"code": "BadArgument", "message": "The model is not readable."}}))
        .await;
    stage.accept(&signup("tailspin")).await;
    let stopped = stage.until_is("tailspin", "failed").await;
    let step = &stopped["steps"]["deployment"];
    assert_eq!((text(step, "/state"), text(step, "/cause/code")), ("halted", "BadArgument"), "{step:#}");
    assert!(text(step, "/cause/message").contains("not readable") && !text(step, "/nextAction").is_empty());
    let events = stage.until_told("tailspin", "tenant.provision.failed", 1).await;
    let failed = events.iter().find(|event| text(event, "/type").contains("failed")).unwrap();
    let error = &failed["data"]["error"];
    assert_eq!((text(error, "/code"), text(error, "/step")), ("BadArgument", "deployment"), "{failed:#}");
    assert_eq!(failed["data"]["attempt"], 1);

    stage.no_more_faults().await;
    let taken = stage.retry("tailspin", &json!({})).await;
    assert_eq!(taken.status, 202, "{taken:#?}");
    let events = stage.until_told("tailspin", "tenant.provision.succeeded", 1).await;
    tell_one_story("tailspin", &events);
    let succeeded = events.iter().find(|event| text(event, "/type").contains("provision.succeeded")).unwrap();
    assert_eq!(succeeded["data"]["attempt"], 2, "{succeeded:#}");
    assert_eq!(text(&stage.tenant("tailspin").await, "/status"), "active");
}

/// A refusal that a person has to see to.
fn forbidden(part: &str) -> Value {
    json!({"match": {"method": "PUT", "pathContains": part}, "times": 1000, "answer": {"status": 403,
        "body": {"error": {"code": "AuthorizationFailed", "message": "The client may not do this."}}}})
}

/// What Azure answered is kept for whoever looks into it: in history, and nowhere else, without secrets.
#[tokio::test]
async fn what_azure_answered_is_told_by_history_alone() {
    let stage = Stage::new().await;
    let refusal = json!({"error": {"code": "AuthorizationFailed", "message": "The client may not do this.",
        "details": [{"code": "Odd", "message": "tried with AccountKey=b3BlbiBzZXNhbWU=; in vain", "primaryKey": "b3BlbiBzZXNhbWU="}]}});
    stage
        .fault(json!({"match": {"method": "PUT", "pathContains": "/onlineEndpoints/"}, "times": 1000,
            "answer": {"status": 403, "body": refusal}}))
        .await;
    stage.accept(&signup("tailspin")).await;
    stage.until_is("tailspin", "waiting").await;
    let events = stage.until_told("tailspin", "tenant.operation.waiting", 1).await;
    let history = stage.get("/api/tenants/tailspin?view=history&limit=1000").await["history"].clone();
    let halted = list(&history).iter().find(|row| text(row, "/state") == "halted").unwrap();
    assert_eq!((text(halted, "/what"), text(halted, "/step")), ("step", "endpoint"), "{halted:#}");
    assert_eq!(halted["raw"]["status"], 403, "{halted:#}");
    let request_id = text(halted, "/raw/azureRequestId");
    assert!(!request_id.is_empty() && request_id == text(halted, "/cause/azureRequestId"), "{halted:#}");
    let body: Value = serde_json::from_str(text(halted, "/raw/body")).unwrap();
    assert_eq!(text(&body, "/error/details/0/message"), "tried with AccountKey=[redacted]; in vain");
    assert_eq!(text(&body, "/error/details/0/primaryKey"), "[redacted]");
    let id = "tailspin".parse().unwrap();
    // What is told is struck from the outbox a moment later.
    let document = testkit::until("the outbox is empty", async || {
        let document = stage.local.world.store.load(&id).await.unwrap().unwrap().value;
        if document.notices().is_empty() { Ok(document) } else { Err(json!(document.notices())) }
    })
    .await;
    for elsewhere in [json!(document), json!(events), stage.tenant("tailspin").await] {
        let told = elsewhere.to_string();
        assert!(!told.contains("in vain") && !told.contains("b3BlbiBz"), "{elsewhere:#}");
    }
    assert!(!history.to_string().contains("b3BlbiBz"), "{history:#}");
}

#[tokio::test]
async fn a_hundred_retries_at_once_are_one_more_attempt() {
    let stage = Stage::new().await;
    stage.fault(forbidden("/onlineEndpoints/")).await;
    stage.accept(&signup("tailspin")).await;
    let stopped = stage.until_is("tailspin", "waiting").await;
    assert_eq!(text(&stopped, "/steps/endpoint/cause/code"), "AuthorizationFailed");
    stage.until_told("tailspin", "tenant.operation.waiting", 1).await;
    stage.no_more_faults().await;
    let body = json!({});
    let answers = join_all((0..100).map(|_| stage.retry("tailspin", &body))).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 202 | 409)), "{answers:#?}");
    let taken = answers.iter().find(|answer| answer.status == 202).unwrap();
    assert_eq!(
        text(&taken.body, "/operationId"),
        text(&stopped, "/operations/0/operationId"),
        "it goes on with what stopped"
    );
    let events = stage.until_told("tailspin", "tenant.provision.succeeded", 1).await;
    assert_eq!(text(&stage.tenant("tailspin").await, "/status"), "active");
    tell_one_story("tailspin", &events);
    let told = types(&events);
    assert_eq!(told.iter().filter(|kind| **kind == "tenant.provision.succeeded").count(), 1, "{told:?}");
    let succeeded = events.iter().find(|event| text(event, "/type").contains("provision.succeeded")).unwrap();
    assert_eq!(succeeded["data"]["attempt"], 2, "{succeeded:#}");
    nothing_was_made_twice(&stage.journal().await, 1);
}

#[tokio::test]
async fn a_retry_of_what_has_not_stopped_is_refused() {
    let stage = Stage::new().await;
    stage.accept(&signup("tailspin")).await;
    stage.until_told("tailspin", "tenant.provision.succeeded", 1).await;
    let refused = stage.retry("tailspin", &json!({})).await;
    assert_eq!((refused.status, text(&refused.body, "/code")), (409, "nothing_to_retry"));
    assert_eq!(stage.retry("nobody", &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_strangers_object_in_a_tenants_place_is_never_touched() {
    // The names of a tenant are the same in every world, so one tells where to put a stranger in the other.
    let rehearsal = Stage::new().await;
    rehearsal.accept(&signup("contoso")).await;
    rehearsal.until_is("contoso", "active").await;
    let objects = rehearsal.objects("contoso").await;
    let group = list(&objects).iter().find(|object| object["kind"] == "Microsoft.Resources/resourceGroups");
    let place = format!("{}?api-version=2024-07-01", text(group.unwrap(), "/id"));

    let stage = Stage::new().await;
    let stranger = json!({"location": "westeurope", "tags": {"owner": "another team"}});
    assert_eq!(stage.call(Method::PUT, &place, Some(&stranger)).await.status, 201);
    let before = stage.get(&place).await;
    stage.accept(&signup("contoso")).await;
    let stopped = stage.until_is("contoso", "waiting").await;
    let step = &stopped["steps"]["group"];
    assert_eq!((text(step, "/state"), text(step, "/cause/class")), ("halted", "foreign"), "{step:#}");
    let events = stage.until_told("contoso", "tenant.operation.waiting", 1).await;
    let waiting = events.iter().find(|event| text(event, "/type").contains("waiting")).unwrap();
    assert_eq!(text(waiting, "/data/error/class"), "foreign");
    let theirs = text(&before, "/id");
    assert!(text(waiting, "/data/error/resourceId").eq_ignore_ascii_case(theirs), "{waiting:#}");
    assert!(text(step, "/cause/resourceId").eq_ignore_ascii_case(theirs), "{step:#}");
    assert_eq!(stage.get(&place).await, before, "the stranger is as it was");

    // And it stays when the tenant goes.
    stage.accept(&removal("go", "contoso")).await;
    stage.until_told("contoso", "tenant.deprovision.succeeded", 1).await;
    assert_eq!(stage.get(&place).await, before, "the stranger is as it was");
}
