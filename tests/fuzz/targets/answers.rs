//! Answers of Azure Resource Manager and Microsoft Graph, or of an impostor. Every kind of step reads them: as an
//! observation, as the progress of an operation and as an error. The document must keep only a bounded part of them.
//!
//! An input is JSON: `{"status": 200, "headers": {..}, "body": ..}`.

use std::{collections::BTreeMap, sync::OnceLock};

use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Kind, Plan},
    engine::{self, Discrepancies, Event, Observation, Policy, StepEvent},
    ids::StepName,
    steps::{self, Comparison, Deletion, Failure, Reply, Step, failure, operation},
    tenant::{Poll, PollStyle, StepRecord, Tenant},
};

use super::Target;
use crate::{canary, corpus, draw::Draw, kinds, tree};

pub(super) const TARGET: Target = Target {
    name: "answers",
    check,
    seeds,
    tokens: &[
        "error",
        "Error",
        "code",
        "message",
        "details",
        "innererror",
        "target",
        "AuthorizationFailed",
        "ResourceNotFound",
        "RetryableErrorDueToAnotherOperation",
        "Request_BadRequest",
        "Soft-deleted workspace exists",
        "InvalidX",
        "status",
        "Succeeded",
        "succeeded",
        "Failed",
        "Canceled",
        "Running",
        "Deleting",
        "properties",
        "provisioningState",
        "id",
        "appId",
        "tags",
        "tenantry-tenant",
        "tenantry-tenant:contoso",
        "value",
        "@odata.nextLink",
        "nextLink",
        "location",
        "azure-asyncoperation",
        "retry-after",
        "x-ms-request-id",
        "x-ms-async-operation-timeout",
        "PT30M",
        "P9999999Y",
        "18446744073709551615",
        "-1",
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "https://management.azure.com/x",
        "//evil.example",
        "principalId",
        "roleDefinitionId",
        "scope",
        "uniqueName",
        "vaultId",
        "\\\"error\\\"",
        "primaryKey",
        "sig=",
    ],
    most: 96 << 10,
};

/// The most characters that are kept of an error code or a request id.
const MAX_SANITIZED: usize = 200;
const MAX_SENTENCE: usize = 2000;
const MAX_RAW: usize = 2000;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        json!({"status": 200, "headers": {}, "body": {}}),
        json!({"status": 201, "headers": {"azure-asyncoperation": "https://management.azure.com/op/1", "retry-after": "15"}, "body": {"properties": {"provisioningState": "Creating"}}}),
        json!({"status": 202, "headers": {"location": "https://management.azure.com/op/1", "x-ms-async-operation-timeout": "PT1H"}, "body": null}),
        json!({"status": 200, "headers": {}, "body": {"status": "Failed", "error": {"code": "AuthorizationFailed", "message": "no"}}}),
        json!({"status": 400, "headers": {"x-ms-request-id": "r-1"}, "body": {"error": {"code": "DeploymentFailed", "message": "m", "details": [{"code": "Conflict", "message": "{\"error\":{\"code\":\"OutOfQuota\"}}"}]}}}),
        json!({"status": 404, "headers": {}, "body": {"error": {"code": "Request_ResourceNotFound", "message": "x", "innerError": {"request-id": "1"}}}}),
        json!({"status": 429, "headers": {"retry-after": "99999999999999"}, "body": null}),
    ];
    for example in kinds::examples() {
        let mut seen = example.seen.clone();
        seeds.push(json!({"status": 200, "headers": {}, "body": seen}));
        seeds.push(json!({"status": 200, "headers": {}, "body": {"value": [seen.take()]}}));
    }
    let mut seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_string().into_bytes()).collect();
    seeds.extend(corpus::files("tests/fuzz/corpus/answers", "json"));
    seeds
}

/// A step of each kind, which reads the answers.
struct Judge {
    name: &'static str,
    kind: Kind,
    step: Box<dyn Step>,
    deletion: Box<dyn Deletion>,
}

fn judges() -> &'static [Judge] {
    static JUDGES: OnceLock<Vec<Judge>> = OnceLock::new();
    JUDGES.get_or_init(|| {
        let judge = |example: kinds::Example| {
            let step = example.step().unwrap();
            let deletion = steps::deletion(example.planned.kind(), &step.target(), &example.outputs).unwrap();
            Judge { name: example.name, kind: example.planned.kind(), step, deletion }
        };
        kinds::examples().into_iter().map(judge).collect()
    })
}

fn check(input: &[u8]) -> String {
    let Some(answer) = read(&serde_json::from_slice(input).unwrap_or_default()) else {
        return "none".to_owned();
    };
    let mut kinds = Vec::new();
    for judge in judges() {
        kinds.push(judged(judge, &answer));
    }
    kinds.extend([progress(&answer), refused(&answer)]);
    kinds.dedup();
    hides_secrets(&answer, &mut Draw::of(input));
    kinds.join(" ")
}

fn read(input: &Value) -> Option<Reply> {
    let status = input.get("status")?.as_u64().filter(|status| (100..1000).contains(status))?;
    let headers = input.get("headers").and_then(Value::as_object).into_iter().flatten();
    Some(Reply {
        status: u16::try_from(status).ok()?,
        headers: headers
            .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())))
            .collect(),
        body: input.get("body").cloned().unwrap_or_default(),
    })
}

/// The step's result for an answer is always the same, and the document accepts it. Returns the kind of result.
fn judged(judge: &Judge, reply: &Reply) -> String {
    let verdict = judge.step.judge(reply);
    assert_eq!(format!("{verdict:?}"), format!("{:?}", judge.step.judge(reply)), "judged in two ways");
    for read in 0..judge.deletion.reads().len() {
        match judge.deletion.judge(read, reply) {
            Ok(trace) => _ = judge.deletion.delete(&trace),
            Err(failure) => bounded(&failure),
        }
    }
    if let Some(restorable) = judge.step.restorable() {
        for read in 0..restorable.reads().len() {
            match restorable.judge(read, reply) {
                Ok(id) => _ = id.map(|id| restorable.restore(&id)),
                Err(failure) => bounded(&failure),
            }
        }
    }
    let _ = judge.step.write(Some(&reply.body));
    let kind = match &verdict {
        Ok(Comparison::Absent) => "absent",
        Ok(Comparison::Matches(_)) => "matches",
        Ok(Comparison::Drifted(_)) => "drifted",
        Ok(Comparison::Immutable { .. }) => "immutable",
        Ok(Comparison::InProgress) => "in-progress",
        Ok(Comparison::Foreign(owner)) => {
            assert!(owner.chars().count() <= MAX_SANITIZED, "an owner of {} bytes", owner.len());
            "foreign"
        }
        Ok(Comparison::SoftDeleted(_)) => "soft-deleted",
        Ok(Comparison::Failed(_)) => "failed",
        Err(failure) => {
            bounded(failure);
            "failed"
        }
    };
    let event = match verdict {
        Ok(verdict) => Event::Observed(Observation::Compared(verdict, Some(reply.body.clone()))),
        Err(failure) => Event::Failed(failure),
    };
    apply(judge, &event, reply);
    format!("{}:{kind}", judge.name)
}

fn progress(reply: &Reply) -> String {
    let asked = |style| Poll { url: "https://management.azure.com/op".into(), style, limit: None };
    let answers = [
        operation::after_write(reply),
        operation::after_poll(&asked(PollStyle::AsyncOperation), reply),
        operation::after_poll(&asked(PollStyle::Location), reply),
    ];
    let mut kinds = String::new();
    for answer in answers {
        let (kind, event) = match answer {
            Ok(operation::Progress::Done) => ("done", Event::Written),
            Ok(operation::Progress::Running { operation, after }) => {
                if let Some(poll) = &operation {
                    assert!(poll.url.len() <= 8 << 10, "a poll URL of {} bytes", poll.url.len());
                }
                ("running", Event::Running { operation, after })
            }
            Ok(operation::Progress::Ended(failure)) => ("ended", Event::Failed(failure)),
            Err(failure) => ("failed", Event::Failed(failure)),
        };
        if let Event::Failed(failure) = &event {
            bounded(failure);
        }
        apply(&judges()[0], &event, reply);
        kinds.push_str(kind);
    }
    kinds
}

fn refused(reply: &Reply) -> String {
    let failure = failure::classify(reply);
    bounded(&failure);
    bounded(&failure::ended(reply, "Failed"));
    format!("{:?}", failure.cause.class)
}

/// The length of a failure is bounded whatever the answer contains: failures are saved, logged and published.
fn bounded(failure: &Failure) {
    let count = |text: &str| text.chars().count();
    let cause = &failure.cause;
    assert!(count(&cause.code) <= MAX_SANITIZED, "a code of {} bytes", cause.code.len());
    assert!(count(&cause.message) <= MAX_SENTENCE, "a message of {} bytes", cause.message.len());
    let id = cause.azure_request_id.as_deref().unwrap_or_default();
    assert!(count(id) <= MAX_SANITIZED, "a request id of {} bytes", id.len());
    if let Some(raw) = &failure.raw {
        assert!(
            count(&raw.body) <= MAX_RAW
                && count(raw.azure_request_id.as_deref().unwrap_or_default()) <= MAX_SANITIZED
        );
    }
}

/// The engine accepts the event in any state of the step, and the document grows only by what the answer may add.
fn apply(judge: &Judge, event: &Event, reply: &Reply) {
    static TENANT: OnceLock<Tenant> = OnceLock::new();
    let name: StepName = "group".parse().unwrap();
    let blank = TENANT.get_or_init(|| {
        let mut tenant = Tenant::from_json(&corpus::files("tests/fixtures", "json")[0]).unwrap();
        tenant.keep_steps(|other| *other == name);
        tenant.plan = Plan { steps: BTreeMap::new(), ..Plan::clone(&tenant.plan) }.into();
        tenant
    });
    for now in [Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        let mut tenant = blank.clone();
        let mut record = StepRecord::new(judge.kind, [].into(), String::new(), Timestamp::UNIX_EPOCH);
        record.enter(tenantry_core::tenant::StepState::Writing);
        tenant.change_step(&name, |known| *known = record);
        let before = 8 << 10;
        let mut discrepancies = Discrepancies::new();
        engine::apply(
            &mut tenant,
            &mut discrepancies,
            StepEvent { step: &name, generation: 0, event: event.clone() },
            &Policy::azure(),
            now,
        )
        .unwrap();
        let outputs: usize =
            tenant.steps()[&name].outputs.values().map(|value| value.to_string().len()).sum();
        let after = tenant.to_json().map_or(usize::MAX, |text| text.len());
        assert!(
            after <= before + outputs + (24 << 10),
            "the document grows from {before} to {after} bytes by a reply of {}",
            reply.body.to_string().len()
        );
        let _ = engine::decide(&tenant, &discrepancies, &[].into(), now);
    }
}

/// A secret anywhere in an answer appears in no failure and in no name.
fn hides_secrets(reply: &Reply, draw: &mut Draw) {
    let mut injected = reply.clone();
    let all = tree::pointers(&injected.body);
    let shaped = Value::from(canary::shaped(draw));
    match injected.body.pointer_mut(draw.of_these(&all).as_str()) {
        Some(node @ Value::String(_)) => *node = shaped,
        Some(Value::Object(members)) => {
            members.insert(["message", "code", "clientSecret", "more"][draw.below(4)].to_owned(), shaped);
        }
        Some(node) => *node = json!({"error": {"code": "X", "message": shaped}}),
        None => return,
    }
    let failures = [failure::classify(&injected), failure::ended(&injected, "Failed")];
    canary::is_not_in(&format!("{failures:?}"), "a failure");
    for judge in judges() {
        let (verdict, left) = (judge.step.judge(&injected), judge.deletion.judge(0, &injected));
        if let Ok(Comparison::Foreign(_)) | Err(_) = &verdict {
            canary::is_not_in(&format!("{verdict:?}"), judge.name);
        }
        if left.is_err() {
            canary::is_not_in(&format!("{left:?}"), judge.name);
        }
    }
}
