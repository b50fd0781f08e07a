//! The tenant's document as stores hold it: saving and loading loses nothing.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenantry_core::{
    ids::StepName,
    tenant::{
        DriftReported, EventOrigin, Extent, MAX_DOCUMENT_BYTES, Operation, Status, StepState, Tenant,
        UnreadableDocument, event_of,
    },
};

/// A document with the schema `tenantry.tenant/1` that has every kind of step, every step state and every kind of
/// outbox entry. Every later version of the program must load it.
const V1: &str = include_str!("../fixtures/tenant-v1.json");

fn open(json: &str) -> Result<Tenant, UnreadableDocument> {
    Tenant::from_json(json.as_bytes())
}

fn v1() -> Tenant {
    open(V1).unwrap()
}

/// A document with one long text in it.
fn with_text(text: &str) -> Tenant {
    let mut tenant = v1();
    tenant.spec.parameters = Map::from_iter([("long".to_owned(), json!(text))]);
    tenant
}

fn size(tenant: &Tenant) -> usize {
    serde_json::to_string(tenant).unwrap().len()
}

#[test]
fn a_document_of_version_1_loads_for_ever() {
    let (tenant, written): (Tenant, Value) = (v1(), serde_json::from_str(V1).unwrap());
    assert_eq!(tenant.schema, "tenantry.tenant/1");
    assert_eq!(json!(tenant), written, "reading and writing it again changes it");
}

#[test]
fn a_suspension_is_part_of_the_spec_and_its_absence_is_none() {
    assert_eq!(v1().spec.suspended, None);
    let mut written: Value = serde_json::from_str(V1).unwrap();
    written["status"] = json!("suspended");
    written["spec"]["suspended"] =
        json!({"reason": "abuse", "mode": "compute", "since": "2026-11-22T17:00:00Z"});
    let tenant = open(&written.to_string()).unwrap();
    assert_eq!((tenant.status, tenant.spec.suspended.unwrap().mode), (Status::Suspended, Extent::Compute));
    assert_eq!(json!(tenant), written, "reading and writing it again changes it");
}

#[test]
fn a_document_without_newer_members_loads_too() {
    let mut early: Value = serde_json::from_str(V1).unwrap();
    let optional = [
        "exports",
        "operations",
        "blocked",
        "requests",
        "lease",
        "epoch",
        "unsureUntil",
        "outbox",
        "numbered",
        "sequence",
        "dueAt",
    ];
    for member in optional {
        early.as_object_mut().unwrap().remove(member);
    }
    for step in early["steps"].as_object_mut().unwrap().values_mut() {
        for member in [
            "needs",
            "target",
            "outputs",
            "deleting",
            "generation",
            "attempts",
            "written",
            "recreated",
            "failures",
        ] {
            step.as_object_mut().unwrap().remove(member);
        }
    }
    let tenant = open(&early.to_string()).unwrap();
    assert_eq!((tenant.sequence(), tenant.operations.len(), tenant.due_at), (0, 0, None));
}

#[test]
fn the_trace_of_a_request_is_kept_and_published_and_may_be_unknown() {
    const AT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut tenant = v1();
    let mut operation = tenant.operations[0].clone();
    assert_eq!(operation.traceparent, None, "a document from before this member");
    operation.traceparent = Some(AT.to_owned());
    tenant.operations = vec![operation.clone()];
    tenant.enqueue_event(&operation, "tenant.provision.started", json!({}), tenant.created_at);
    let again = open(&tenant.to_json().unwrap()).unwrap();
    assert_eq!(again, tenant);
    let event = event_of("local", EventOrigin::Tenant(&again.id), again.outbox().last().unwrap()).unwrap();
    assert_eq!(event.traceparent.as_deref(), Some(AT));
    assert_eq!(json!(event)["traceparent"], AT);
}

#[test]
fn reported_drift_is_kept_with_members_of_a_newer_version() {
    let now = v1().created_at;
    let mut tenant = v1();
    assert_eq!(tenant.drift, None, "a document from before this member");
    let mut drift = DriftReported::nothing(now);
    drift.reported.insert("store".parse().unwrap(), "digest".to_owned());
    drift.heals("store /sku".to_owned(), SignedDuration::from_hours(24), now);
    tenant.drift = Some(drift);
    assert_eq!(open(&tenant.to_json().unwrap()).unwrap(), tenant);
    let mut newer = json!(tenant);
    newer["drift"]["unheardOf"] = json!([1, 2]);
    let tenant = open(&newer.to_string()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&tenant.to_json().unwrap()).unwrap(), newer);
}

#[test]
fn healed_drift_is_remembered_for_a_day_and_up_to_a_limit() {
    let (start, day) = (v1().created_at, SignedDuration::from_hours(24));
    let mut drift = DriftReported::nothing(start);
    for number in 0..150 {
        drift.heals(format!("thing {number}"), day, start + SignedDuration::from_secs(number));
    }
    assert_eq!(drift.healed.len(), 100);
    let now = start + SignedDuration::from_secs(150);
    assert_eq!((drift.times("thing 49", day, now), drift.times("thing 149", day, now)), (0, 1));
    let tomorrow = start + day + SignedDuration::from_secs(200);
    assert_eq!(drift.times("thing 149", day, tomorrow), 0);
    drift.heals("thing".to_owned(), day, tomorrow);
    assert_eq!(drift.healed.len(), 1);
}

#[test]
fn members_that_a_newer_version_wrote_are_kept() {
    let mut newer: Value = serde_json::from_str(V1).unwrap();
    newer["suspension"] = json!({"since": "2027-01-01T00:00:00Z", "by": ["billing"]});
    let tenant = open(&newer.to_string()).unwrap();
    let again: Value = serde_json::from_str(&tenant.to_json().unwrap()).unwrap();
    assert_eq!(again, newer);
}

/// Adds an unknown member to every object whose members this version knows; returns the number of these objects.
fn add_to_all(value: &mut Value) -> usize {
    // Members whose content is free and is kept as it is.
    const FREE: [&str; 9] = [
        "context",
        "fields",
        "target",
        "outputs",
        "data",
        "parameters",
        "exports",
        "purchaser",
        "beneficiary",
    ];
    // Maps whose keys are names.
    const NAMED: [&str; 7] = ["steps", "known", "late", "values", "tags", "needs", "group"];
    let mut added = 0;
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut().filter(|(name, _)| !FREE.contains(&name.as_str())) {
                if name == "steps" {
                    added += member.as_object_mut().unwrap().values_mut().map(add_to_all).sum::<usize>();
                } else if !NAMED.contains(&name.as_str()) {
                    added += add_to_all(member);
                }
            }
            members.insert("unheardOf".into(), json!({"since": [1, "x"]}));
            added + 1
        }
        Value::Array(items) => items.iter_mut().map(add_to_all).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[test]
fn members_that_a_newer_version_wrote_are_kept_at_every_level() {
    let mut newer: Value = serde_json::from_str(V1).unwrap();
    let added = add_to_all(&mut newer);
    assert!(added > 40, "only {added} objects");
    let tenant = open(&newer.to_string()).unwrap();
    let again: Value = serde_json::from_str(&tenant.to_json().unwrap()).unwrap();
    assert_eq!(again, newer);
    assert_eq!(open(&tenant.to_json().unwrap()).unwrap(), tenant);
}

#[test]
fn members_of_a_newer_version_are_deleted_with_their_object() {
    let mut newer: Value = serde_json::from_str(V1).unwrap();
    add_to_all(&mut newer);
    let mut tenant = open(&newer.to_string()).unwrap();
    // A step is deleted, another one is in another state, the first entry is published, and a new operation is
    // accepted.
    let (deleted, changed): (StepName, StepName) = ("group".parse().unwrap(), "store".parse().unwrap());
    tenant.keep_steps(|name| *name != deleted);
    tenant.change_step(&changed, |record| record.enter(StepState::Ready));
    tenant.strike(|entry| entry.number == newer["outbox"][0]["number"]);
    let operation = tenant.operations[0].clone();
    tenant.operations.insert(0, Operation { id: "new".into(), ..operation });
    let written: Value = serde_json::from_str(&tenant.to_json().unwrap()).unwrap();
    assert_eq!(written["steps"].get("group"), None);
    assert_eq!(written["steps"]["store"]["state"], json!({"is": "ready"}), "another state's members");
    assert_eq!(written["steps"]["store"]["unheardOf"], newer["steps"]["store"]["unheardOf"]);
    assert_eq!(written["outbox"][0], newer["outbox"][1]);
    assert_eq!(written["operations"][0].get("unheardOf"), None, "another operation's members");
    assert_eq!(written["operations"][1], newer["operations"][0]);
    assert_eq!(open(&tenant.to_json().unwrap()).unwrap().steps(), tenant.steps());
}

#[test]
fn a_newer_schema_and_an_unreadable_document_have_different_errors() {
    let mut future: Value = serde_json::from_str(V1).unwrap();
    future["schema"] = json!("tenantry.tenant/2");
    let error = open(&future.to_string()).unwrap_err();
    assert!(matches!(&error, UnreadableDocument::Schema(schema) if schema == "tenantry.tenant/2"));
    assert_eq!(
        error.to_string(),
        "the stored document has schema \"tenantry.tenant/2\"; this version reads tenantry.tenant/1"
    );
    // A later schema may have another shape altogether; the error is the same.
    let error = open(r#"{"schema": "tenantry.tenant/2", "everything": "else"}"#).unwrap_err();
    assert!(matches!(&error, UnreadableDocument::Schema(schema) if schema == "tenantry.tenant/2"), "{error}");
    for invalid in [
        "",
        "null",
        "[]",
        "{}",
        &V1[..V1.len() / 2],
        &V1.replace("contoso", "Contoso!"),
        &V1.replace("\"waiting\"", "\"dancing\""),
    ] {
        let error = open(invalid).unwrap_err();
        assert!(matches!(error, UnreadableDocument::Json(_)), "{error}");
        assert!(error.to_string().starts_with("the stored document can't be read: "), "{error}");
    }
}

#[test]
fn a_document_beyond_the_size_limit_is_refused() {
    let room = MAX_DOCUMENT_BYTES - size(&with_text(""));
    let largest = with_text(&"x".repeat(room));
    assert_eq!(size(&largest), 900 * 1024);
    assert_eq!(open(&largest.to_json().unwrap()).unwrap(), largest);
    let error = with_text(&"x".repeat(room + 1)).to_json().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tenant's document has 921601 bytes of 921600; use fewer or smaller steps, or smaller parameters"
    );
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[a-z🚀é\\\\\"]{0,200}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content_of_a_document_is_loaded_unchanged(
        parameters in prop::collection::btree_map("[a-z]{1,20}", value(), 0..8),
        output in value(),
        unknown in value(),
        long in "[a-z🚀漢]{0,60}",
        times in 0..2000_usize,
    ) {
        let mut tenant = v1();
        tenant.spec.parameters = parameters.into_iter().collect();
        tenant.spec.parameters.insert("long".into(), long.repeat(times).into());
        for name in v1().steps().keys() {
            tenant.change_step(name, |record| _ = record.outputs.insert("value".into(), output.clone()));
        }
        tenant.unknown.insert("newer".into(), unknown);
        prop_assert_eq!(open(&tenant.to_json().unwrap()).unwrap(), tenant);
    }
}
