//! Drift is corrected by the reconciler, for the classes that a setting names, a limited number of times.

use std::collections::BTreeSet;

use azure_sim::access::PROVISIONER;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry_core::{
    drift::{
        DriftClass::{self, Availability, Cosmetic, Isolation},
        Healing, Item, Remedy,
    },
    tenant::{Status, StepState},
};

use super::{Mutation, harness::DriftHarness, rows};

const KEYS: &str = "/properties/allowSharedKeyAccess";

async fn healing(classes: &[DriftClass]) -> DriftHarness {
    let mut harness = DriftHarness::new(&["contoso"]).await;
    harness.heal = classes.iter().copied().collect();
    harness
}

/// The writes and deletes that tenantry has sent so far.
async fn written(harness: &DriftHarness) -> usize {
    let journal = harness.fixture.sim("journal").await;
    let own = |line: &&Value| {
        line["caller"] == PROVISIONER && line["method"] != "GET" && line["path"] != "/api/events"
    };
    journal.as_array().unwrap().iter().filter(own).count()
}

fn begun(item: &Item) -> bool {
    item.healing == Some(Healing::Begun)
}

#[tokio::test]
async fn every_change_is_corrected_where_all_classes_are_healed() {
    for (step, mutation, ..) in rows() {
        let harness = healing(&DriftClass::ALL).await;
        let what = harness.mutate(step, &mutation).await;
        let reports = harness.tick().await;
        let foreign = matches!(mutation, Mutation::Change("/tags/tenantry-tenant", _));
        assert!(reports[0].items.iter().all(|item| begun(item) != foreign), "{what}: {reports:#?}");
        let tenant = harness.tenant("contoso").await;
        assert_eq!(tenant.status, Status::Active, "{what}");
        assert!(
            tenant.steps().values().all(|record| record.state.is_ready()),
            "{what}: {:#?}",
            tenant.steps()
        );
        assert_eq!(harness.scan("contoso").await.is_clean(), !foreign, "{what}");
        harness.tick().await;
        let kinds = harness.kinds("contoso");
        assert_eq!(kinds.join(" "), if foreign { "detected" } else { "detected resolved" }, "{what}");
    }
}

#[tokio::test]
async fn a_class_is_healed_only_if_it_is_named() {
    for class in DriftClass::ALL {
        for (step, mutation, _, of) in rows() {
            // One row of each class is enough; a foreign tag is never healed.
            if !matches!(
                (step, of),
                ("workspace", Isolation) | ("service_principal", Availability) | ("application", Cosmetic)
            ) {
                continue;
            }
            let harness = healing(&[class]).await;
            let before = written(&harness).await;
            let what = harness.mutate(step, &mutation).await;
            harness.tick().await;
            assert_eq!(written(&harness).await > before, class == of, "{what}, healing {}", class.as_str());
            assert_eq!(
                harness.scan("contoso").await.is_clean(),
                class == of,
                "{what}, healing {}",
                class.as_str()
            );
        }
    }
}

#[tokio::test]
async fn without_the_setting_nothing_is_written() {
    let harness = DriftHarness::new(&["contoso"]).await;
    let before = written(&harness).await;
    for (step, at, value) in [("storage", KEYS, json!(true)), ("vault", "/tags/costcentre", json!("1"))] {
        harness.change("contoso", step, at, value).await;
    }
    harness.delete("contoso", "scorer").await;
    for _ in 0..3 {
        harness.tick().await;
    }
    assert_eq!(written(&harness).await, before);
    assert_eq!(harness.scan("contoso").await.items.len(), 3);
}

#[tokio::test]
async fn a_missing_object_is_recreated_and_its_dependents_are_updated() {
    let harness = healing(&[Isolation, Availability]).await;
    let before = harness.tenant("contoso").await;
    // Somebody deletes the identity that the endpoint runs as, and creates one of the same name: it has other ids.
    let path = harness.object_path("contoso", "identity").await;
    let body = harness.send(Method::GET, &path, None).await;
    harness.delete("contoso", "identity").await;
    harness
        .send(Method::PUT, &path, Some(&json!({"location": body["location"], "tags": body["tags"]})))
        .await;
    let reports = harness.tick().await;
    let paths: Vec<&str> = reports[0].items.iter().map(|item| item.path.as_str()).collect();
    assert!(paths.contains(&"/properties/principalId"), "{reports:#?}");
    assert!(reports[0].items.iter().all(|item| item.severity == Isolation), "{reports:#?}");
    harness.tick().await;
    assert_eq!(harness.kinds("contoso"), ["detected", "resolved"]);
    let after = harness.tenant("contoso").await;
    let principal = |tenant: &tenantry_core::tenant::Tenant| {
        let name = "identity".parse().unwrap();
        tenant.steps()[&name].outputs["principalId"].clone()
    };
    assert_ne!(principal(&before), principal(&after));
    // The old identity's role is assigned to the new one.
    let grant = harness.send(Method::GET, &harness.object_path("contoso", "data_reader").await, None).await;
    assert_eq!(grant["properties"]["principalId"], principal(&after));
}

#[tokio::test]
async fn a_deleted_deployment_is_recreated_with_its_traffic() {
    let harness = healing(&[Availability]).await;
    harness.change("contoso", "traffic", "/properties/traffic", json!({})).await;
    harness.delete("contoso", "deployment").await;
    let reports = harness.tick().await;
    let steps: BTreeSet<&str> = reports[0].items.iter().map(|item| item.step.as_str()).collect();
    assert_eq!(steps, BTreeSet::from(["deployment", "traffic"]));
    let endpoint = harness.send(Method::GET, &harness.object_path("contoso", "endpoint").await, None).await;
    assert_eq!(endpoint["properties"]["traffic"], json!({"main": 100}));
    harness.tick().await;
    let events = harness.events("contoso");
    assert_eq!(events[1].0, "resolved");
    assert_eq!(events[1].1["outputs"], json!(harness.tenant("contoso").await.exports));
}

/// A region can't be changed, so nothing is written; the other differences of the object are reported as well.
#[tokio::test]
async fn an_object_in_another_region_is_left_to_a_person() {
    let harness = healing(&[Isolation, Availability, Cosmetic]).await;
    let path = harness.object_path("contoso", "insights").await;
    let mut body = harness.send(Method::GET, &path, None).await;
    harness.delete("contoso", "insights").await;
    body["location"] = json!("northeurope");
    body["tags"]["costcentre"] = json!("1");
    harness.send(Method::PUT, &path, Some(&body)).await;
    let before = written(&harness).await;
    let reports = harness.tick().await;
    let found: Vec<(&str, Remedy)> =
        reports[0].items.iter().map(|item| (item.path.as_str(), item.remedy)).collect();
    assert_eq!(found, [("/location", Remedy::Person), ("/tags/costcentre", Remedy::Person)]);
    harness.tick().await;
    assert_eq!(written(&harness).await, before);
    assert!(harness.tenant("contoso").await.steps().values().all(|record| record.state.is_ready()));
}

#[tokio::test]
async fn recurring_drift_is_given_up_and_healed_again_after_a_day() {
    let harness = healing(&[Isolation]).await;
    let mut healed = Vec::new();
    for _ in 0..6 {
        harness.change("contoso", "storage", KEYS, json!(true)).await;
        harness.tick().await;
        healed.push(harness.scan("contoso").await.is_clean());
    }
    assert_eq!(healed, [true, true, true, false, false, false]);
    let events = harness.events("contoso");
    let last = &events.last().unwrap().1["items"][0];
    assert_eq!(last["healing"], "given-up");
    let given_up = events.iter().filter(|(_, data)| data["items"][0]["healing"] == "given-up").count();
    assert_eq!(given_up, 1, "published once: {events:#?}");
    // Drift of another object in the same class is still corrected.
    harness.change("contoso", "workspace", "/properties/publicNetworkAccess", json!("Enabled")).await;
    harness.tick().await;
    let report = harness.scan("contoso").await;
    assert_eq!(report.items.iter().map(|item| item.step.as_str()).collect::<Vec<_>>(), ["storage"]);
    for _ in 0..24 {
        harness.tick().await;
    }
    assert!(harness.scan("contoso").await.is_clean());
    assert_eq!(harness.kinds("contoso").last().map(String::as_str), Some("resolved"));
}

#[tokio::test]
async fn a_failed_object_stops_the_healing_of_its_tenant() {
    let harness = healing(&DriftClass::ALL).await;
    let fault = json!({
        "match": {"method": "PUT", "pathContains": "/deployments/"},
        "failOperation": {"code": "BadRequest", "message": "no such image"},
    });
    harness.send(Method::POST, "/_sim/faults", Some(&fault)).await;
    let path = harness.object_path("contoso", "deployment").await;
    let body = harness.send(Method::GET, &path, None).await;
    harness.send(Method::PUT, &path, Some(&body)).await;
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    let before = written(&harness).await;
    let reports = harness.tick().await;
    let failed = reports[0].items.iter().find(|item| item.step.as_str() == "deployment").unwrap();
    assert_eq!((failed.severity, failed.healing, &failed.path), (Availability, None, &failed.resource));
    assert_eq!(reports[0].items.len(), 2, "{reports:#?}");
    assert_eq!(written(&harness).await, before, "nothing is written, and least of all deleted");
}

#[tokio::test]
async fn a_blocked_correction_leaves_the_tenant_active_and_is_tried_again() {
    let harness = healing(&[Isolation]).await;
    let fault = json!({
        "match": {"method": "PUT", "pathContains": "/storageAccounts/"}, "times": 1,
        "answer": {"status": 403, "body": {"error": {"code": "RequestDisallowedByPolicy", "message": "No."}}},
    });
    harness.change("contoso", "storage", KEYS, json!(true)).await;
    harness.send(Method::POST, "/_sim/faults", Some(&fault)).await;
    harness.tick().await;
    let tenant = harness.tenant("contoso").await;
    assert_eq!(tenant.status, Status::Active);
    assert!(matches!(tenant.steps()[&"storage".parse().unwrap()].state, StepState::Blocked { .. }));
    // The policy no longer applies, and a person has restored the value meanwhile.
    harness.change("contoso", "storage", KEYS, json!(false)).await;
    let before = written(&harness).await;
    harness.tick().await;
    let tenant = harness.tenant("contoso").await;
    assert!(tenant.steps().values().all(|record| record.state.is_ready()), "{:#?}", tenant.steps());
    assert_eq!(written(&harness).await, before, "it only read");
    harness.tick().await;
    assert_eq!(harness.kinds("contoso"), ["detected", "resolved"]);
}
