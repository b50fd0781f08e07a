//! Gives Microsoft's example answers to the step that would receive them, and reports answers that the step does not
//! understand.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{BlueprintRef, Desired, Kind, Outputs, Plan, PlannedStep, ResourceType},
    ids::StepName,
    steps::{
        self, Failure, Method, Reply, Request, Step,
        operation::{self, Progress},
    },
};

use crate::description::Operation;

/// Judges each answer of an example: its status, and what was not understood in it (`None` if all was).
pub(crate) fn judge(of: &Operation<'_>, request: &Request, example: &Value) -> Vec<(String, Option<String>)> {
    let answers = example["responses"].as_object().unwrap();
    answers
        .iter()
        .map(|(status, answer)| {
            let headers = answer.get("headers").and_then(Value::as_object).into_iter().flatten();
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let reply = Reply {
                status: status.parse().unwrap(),
                headers: headers.map(|(name, value)| (name.to_lowercase(), text(value))).collect(),
                body: with_an_id(answer.get("body").cloned().unwrap_or_default()),
            };
            (status.clone(), understood(of, request, &reply).err().map(|failure| failure.to_string()))
        })
        .collect()
}

/// Completes an id that is only a placeholder in an example (`string`, `{subscription-id}`): no service answers such
/// ids.
fn with_an_id(mut body: Value) -> Value {
    let written = body.get("id").and_then(Value::as_str).filter(|id| id.contains('{') || *id == "string");
    if let Some(written) = written.map(str::to_owned) {
        let filled = written.replace(['{', '}'], "");
        body["id"] = json!(if filled.starts_with('/') {
            filled
        } else {
            "/subscriptions/s/resourceGroups/g".to_owned()
        });
    }
    body
}

/// Whether the steps understand the answer. An error answer may be understood as a failure; no answer of an example
/// may be unreadable.
fn understood(of: &Operation<'_>, request: &Request, reply: &Reply) -> Result<(), Failure> {
    // While an operation is in progress, the step polls. Only the final answer has to show the resource.
    if request.method != Method::Get && operation::after_write(reply)? != Progress::Done {
        return Ok(());
    }
    for (planned, deleted) in receivers(of, reply)? {
        let step = step(&planned)?;
        let shows = matches!(request.method, Method::Get | Method::Put) && !reply.body.is_null();
        if shows && !deleted {
            sensible(step.judge(reply))?;
        }
        if request.method == Method::Get && planned.kind() != Kind::Check {
            let deletion = steps::deletion(planned.kind(), &step.target(), &Outputs::new())?;
            sensible(deletion.judge(usize::from(deleted), reply))?;
        }
    }
    Ok(())
}

/// Accepts every result except the failure that says that an answer is unreadable.
fn sensible<T>(judged: Result<T, Failure>) -> Result<(), Failure> {
    let nonsense = Failure::nonsense("").cause;
    match judged {
        Err(failure) if failure.cause.code == nonsense.code => Err(failure),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The steps that receive the answers of an operation, each with whether the answer shows a soft-deleted object.
fn receivers(of: &Operation<'_>, reply: &Reply) -> Result<Vec<(PlannedStep, bool)>, Failure> {
    if of.template.to_lowercase().contains("/roleassignments") {
        let grant = json!({"scope": "/subscriptions/s", "roleDefinitionId": "r", "principalId": "p"});
        return Ok(vec![(planned(Kind::RoleAssignment, &grant)?, false)]);
    }
    // Only the isolation check reads these, so no step receives them.
    let template = of.template.to_lowercase();
    if template.contains("/roledefinitions") || template.ends_with("/federatedidentitycredentials") {
        return Ok(Vec::new());
    }
    let id = reply.body.get("id").and_then(Value::as_str).unwrap_or("/subscriptions/s/resourceGroups/g");
    let kind = ResourceType::type_of_id(id);
    let body = json!({"location": "westeurope", "tags": reply.body.get("tags")});
    let kind = kind.unwrap_or_else(|| "Microsoft.Test/things".to_owned());
    let fields = json!({"id": id, "apiVersion": of.of.version, "type": kind, "body": body, "expect": {}});
    if of.template.contains("/deleted") {
        return Ok(vec![(planned(Kind::Arm, &fields)?, true)]);
    }
    let kinds = [Kind::Arm, Kind::ArmUpdate, Kind::Check].into_iter();
    kinds.map(|kind| Ok((planned(kind, &fields)?, false))).collect()
}

/// The step that is made from a planned step.
fn step(planned: &PlannedStep) -> Result<Box<dyn Step>, Failure> {
    let name: StepName = "it".parse().unwrap();
    let plan = Plan {
        blueprint: BlueprintRef { name: "x".into(), version: "1.0.0".into(), digest: String::new() },
        context: json!({}),
        values: BTreeMap::new(),
        known: BTreeMap::new(),
        steps: BTreeMap::from([(name.clone(), planned.clone())]),
        exports: BTreeMap::new(),
    };
    let rendered = plan.render(&name, &BTreeMap::new()).unwrap();
    steps::step(&rendered, &planned.outputs, &Outputs::new())
}

fn planned(kind: Kind, fields: &Value) -> Result<PlannedStep, Failure> {
    Ok(PlannedStep {
        desired: Desired::read(kind, fields, &BTreeMap::new())?,
        needs: BTreeSet::new(),
        outputs: BTreeMap::new(),
        digest: String::new(),
    })
}
