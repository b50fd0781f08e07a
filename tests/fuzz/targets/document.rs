//! A tenant's document as a store returns it: another version or another program may have written it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Outputs, Plan},
    engine::{self, Discrepancies, Event, Observation, Policy, StepEvent, desired},
    steps::{self, Comparison, DeletionState},
    tenant::{Tenant, UnreadableDocument},
};

use super::Target;
use crate::corpus;

pub(super) const TARGET: Target = Target {
    name: "document",
    check,
    seeds,
    tokens: &[
        "schema",
        "tenantry.tenant/1",
        "tenantry.tenant/2",
        "status",
        "goal",
        "present",
        "absent",
        "plan",
        "steps",
        "state",
        "is",
        "waiting",
        "writing",
        "in-progress",
        "backoff",
        "ready",
        "blocked",
        "deleted",
        "needs",
        "target",
        "outputs",
        "deleting",
        "generation",
        "attempts",
        "failures",
        "since",
        "wroteAt",
        "until",
        "checkAt",
        "operation",
        "limit",
        "PT24H",
        "P300000D",
        "lease",
        "outbox",
        "of",
        "event",
        "step",
        "sequence",
        "exports",
        "late",
        "/body",
        "{{ steps.group.id }}",
        "values",
        "kind",
        "arm",
        "arm-update",
        "check",
        "role-assignment",
        "9999-12-30T22:00:00.999999999Z",
        "-009999-01-02T01:59:59Z",
        "4294967295",
        "18446744073709551615",
        "unheardOf",
    ],
    most: 128 << 10,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = corpus::files("tests/fixtures", "json");
    let tenant = Tenant::from_json(&seeds[0]).unwrap();
    let mut small = tenant;
    let mut plan = Plan::clone(&small.plan);
    plan.steps.retain(|name, _| name.as_str() == "group");
    small.plan = plan.into();
    small.keep_steps(|name| name.as_str() == "group");
    seeds.push(small.to_json().unwrap().into_bytes());
    desired::retry(&mut small, Timestamp::UNIX_EPOCH);
    seeds.push(small.to_json().unwrap().into_bytes());
    seeds
}

fn check(input: &[u8]) -> String {
    let tenant = match Tenant::from_json(input) {
        Err(UnreadableDocument::Schema(schema)) => {
            assert_ne!(schema, Tenant::SCHEMA);
            return "another schema".to_owned();
        }
        Err(UnreadableDocument::Json(error)) => {
            let said = error.to_string();
            return said.split(['`', '"']).next().unwrap_or_default().chars().take(40).collect();
        }
        Err(UnreadableDocument::Other(id)) => panic!("no owner was expected, and the error names {id}"),
        Ok(tenant) => tenant,
    };
    let Ok(text) = tenant.to_json() else { return "too large".to_owned() };
    let again = Tenant::from_json(text.as_bytes()).unwrap();
    assert_eq!(again, tenant, "writing it changes it");
    assert_eq!(again.to_json().unwrap(), text, "writing it again changes it");
    nothing_is_lost(&serde_json::from_slice(input).unwrap(), &serde_json::from_str(&text).unwrap());
    let kinds = works(tenant);
    format!("read {kinds}")
}

/// Asserts that each top-level member that was read is written again; `null` and an empty object may be left out.
fn nothing_is_lost(read: &Value, written: &Value) {
    for (name, value) in read.as_object().unwrap() {
        let says_nothing = match value {
            Value::Null => true,
            Value::Object(members) => members.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
        };
        assert!(says_nothing || written.get(name).is_some(), "{name} is lost");
    }
}

/// The engine and the steps handle any content of a document without a panic.
fn works(mut tenant: Tenant) -> String {
    let now = Timestamp::UNIX_EPOCH;
    let mut discrepancies = Discrepancies::new();
    let decision = engine::decide(&tenant, &discrepancies, &BTreeSet::new(), now);
    let outputs = tenant.outputs();
    let _ = tenant.plan.exports(&outputs);
    for (name, planned) in &tenant.plan.steps {
        let Ok(rendered) = tenant.plan.render(name, &outputs) else { continue };
        if let Ok(step) = steps::step(&rendered, &planned.outputs, &Outputs::new()) {
            let _ = (step.read(), step.write(None), step.target());
        }
    }
    for record in tenant.steps().values() {
        if let Some(target) = &record.target
            && let Ok(deletion) = steps::deletion(record.kind, target, &record.outputs)
        {
            let present = DeletionState::Present(record.outputs.clone());
            let _ = (
                deletion.reads(),
                deletion.delete(&present),
                deletion.delete(&DeletionState::SoftDeleted(Outputs::new())),
            );
        }
    }
    for (name, record) in tenant.steps().clone() {
        let event = if record.is_marked_for_deletion() {
            Event::Observed(Observation::Searched(DeletionState::Nothing))
        } else {
            Event::Observed(Observation::Compared(Comparison::Matches(Outputs::new()), None))
        };
        for event in [event, Event::Running { operation: None, after: None }, Event::Written] {
            // Also at the largest timestamp, where adding a delay would overflow.
            for now in [now, Timestamp::MAX] {
                let mut copy = tenant.clone();
                let _ = engine::apply(
                    &mut copy,
                    &mut discrepancies,
                    StepEvent { step: &name, generation: record.generation, event: event.clone() },
                    &Policy::azure(),
                    now,
                );
            }
        }
    }
    engine::begin(&mut tenant, now);
    let acts: BTreeSet<String> = decision.acts.values().map(|act| format!("{act:?}")).collect();
    if let Some(outcome) = &decision.outcome {
        engine::conclude(&mut tenant, outcome, [].into(), now);
    }
    json!(acts).to_string()
}
