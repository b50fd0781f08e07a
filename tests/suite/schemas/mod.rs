//! The published JSON Schemas are generated from the types; requests, answers and events conform to them.
//!
//! After a change of a type, `TENANTRY_BLESS=1 cargo test --test suite schemas::` writes the schema files again.

#![expect(clippy::needless_pass_by_value, reason = "helpers take `json!` as it is written")]

mod content;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use serde_json::Value;
use tenantry::intake::{RequestAnswer, RequestDocument};
use tenantry_core::tenant::CloudEvent;

use content::Recorded;

/// The published schema files, each with the schema of its type.
fn schemas() -> [(&'static str, Value); 3] {
    [
        ("request.schema.json", schemars::schema_for!(RequestDocument).to_value()),
        ("answer.schema.json", schemars::schema_for!(RequestAnswer).to_value()),
        ("event.schema.json", schemars::schema_for!(CloudEvent).to_value()),
    ]
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator(name: &str) -> Validator {
    let text = std::fs::read_to_string(root().join("schemas").join(name)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn faults(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

#[expect(clippy::disallowed_methods, reason = "the developer decides whether to write the files")]
fn bless() -> bool {
    std::env::var("TENANTRY_BLESS").is_ok_and(|value| value == "1")
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    for (name, schema) in schemas() {
        let file = root().join("schemas").join(name);
        let expected = format!("{schema:#}\n");
        if bless() {
            std::fs::write(&file, &expected).unwrap();
        }
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            published == expected,
            "schemas/{name} is not that of its type; TENANTRY_BLESS=1 cargo test --test suite schemas::"
        );
    }
}

#[test]
fn every_example_request_conforms_to_the_schema() {
    let request = validator("request.schema.json");
    let examples = examples(&root().join("examples"));
    assert!(examples.len() >= 9, "examples are missing: {examples:?}");
    for file in examples {
        let message: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let body = if message.get("specversion").is_some() { &message["data"] } else { &message };
        assert_eq!(faults(&request, body), [""; 0], "{}", file.display());
    }
}

/// The example requests: every JSON file of the sign-ups, updates and deprovisions.
fn examples(folder: &Path) -> Vec<PathBuf> {
    ["signups", "updates", "deprovisions"]
        .iter()
        .flat_map(|kind| std::fs::read_dir(folder.join(kind)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .collect()
}

#[test]
fn the_schema_rejects_invalid_requests() {
    let request = validator("request.schema.json");
    for wrong in [
        serde_json::json!({"requestId": "a", "action": "signup"}),
        serde_json::json!({"schema": "tenantry.request/2", "requestId": "a", "action": "signup"}),
        serde_json::json!({"schema": "tenantry.request/1", "requestId": "", "action": "signup"}),
        serde_json::json!({"schema": "tenantry.request/1", "requestId": "a", "action": "destroy"}),
        serde_json::json!({"schema": "tenantry.request/1", "requestId": "a", "tenantId": "Not An Id"}),
    ] {
        assert!(!request.is_valid(&wrong), "{wrong} was taken");
    }
}

/// Runs several tenants: all answers and events conform to the schemas, and the events are in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_events_of_a_real_run_conform_to_the_schemas() {
    let Recorded { answers, events, .. } = content::record().await;
    let (answer_schema, event_schema) = (validator("answer.schema.json"), validator("event.schema.json"));
    for answer in &answers {
        assert_eq!(faults(&answer_schema, answer), [""; 0], "{answer:#}");
    }
    for event in &events {
        assert_eq!(faults(&event_schema, event), [""; 0], "{event:#}");
    }
    let reported: BTreeSet<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let expected: BTreeSet<&str> = [
        "io.tenantry.message.rejected.v1",
        "io.tenantry.tenant.deprovision.started.v1",
        "io.tenantry.tenant.deprovision.succeeded.v1",
        "io.tenantry.tenant.isolation.verified.v1",
        "io.tenantry.tenant.drift.detected.v1",
        "io.tenantry.tenant.drift.resolved.v1",
        "io.tenantry.tenant.operation.cancelled.v1",
        "io.tenantry.tenant.operation.waiting.v1",
        "io.tenantry.tenant.provision.failed.v1",
        "io.tenantry.tenant.provision.started.v1",
        "io.tenantry.tenant.provision.succeeded.v1",
        "io.tenantry.tenant.request.accepted.v1",
        "io.tenantry.tenant.request.rejected.v1",
        "io.tenantry.tenant.resume.started.v1",
        "io.tenantry.tenant.resume.succeeded.v1",
        "io.tenantry.tenant.suspend.started.v1",
        "io.tenantry.tenant.suspend.succeeded.v1",
        "io.tenantry.tenant.update.started.v1",
        "io.tenantry.tenant.update.succeeded.v1",
    ]
    .into();
    assert_eq!(reported, expected);
}

/// Events of rejected requests leave no gap in the sequence of a tenant's events or in its history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenants_events_and_history_are_numbered_without_a_gap() {
    let Recorded { events, history, .. } = content::record().await;
    let sources: BTreeSet<&str> = events.iter().filter_map(|event| event["source"].as_str()).collect();
    for source in sources.iter().filter(|source| source.contains("/tenants/")) {
        let reported: BTreeSet<&str> = events
            .iter()
            .filter(|event| event["source"] == **source)
            .filter_map(|event| event["sequence"].as_str())
            .collect();
        let counted = events.iter().filter(|event| event["source"] == **source).count();
        let expected: Vec<String> = (1..=counted).map(|number| format!("{number:020}")).collect();
        assert_eq!(reported.into_iter().collect::<Vec<_>>(), expected, "{source}");
    }
    for (tenant, rows) in &history {
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=rows.len() as u64).collect::<Vec<_>>(), "{tenant}");
        assert_eq!(rows[0].what, "tenant.request.accepted", "{tenant}");
    }
}

/// A request that names a blueprint version which the deployment does not have is rejected, as the schema says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_of_the_blueprint_is_refused() {
    let harness = content::Harness::new().await;
    let asked = |id: &str, version: &str| {
        serde_json::json!({
            "schema": "tenantry.request/1", "requestId": id, "action": "signup", "tenantId": "adatum", "dryRun": true,
            "spec": {"displayName": "Adatum", "tier": "pooled",
                     "blueprint": {"name": "secure-ai-service", "version": version}},
        })
    };
    let refused = harness.take_in(&asked("v-1", "0.0.9")).await;
    assert_eq!(
        (refused["code"].as_str(), refused["faults"][0]["pointer"].as_str()),
        (Some("unknown_blueprint"), Some("/spec/blueprint/version"))
    );
    assert_eq!(harness.take_in(&asked("v-2", "1.0.0")).await["decision"], "planned");
}
