//! Drift is put right by the ordinary loop, for the classes that a setting names, and not for ever.

use std::collections::BTreeSet;

use azure_sim::access::PROVISIONER;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry_core::{
    drift::{
        DriftClass::{self, Availability, Cosmetic, Isolation},
        Healing, Item,
    },
    tenant::{Status, StepState},
};

use super::{Deed, rig::Rig, rows};

const KEYS: &str = "/properties/allowSharedKeyAccess";

async fn healing(classes: &[DriftClass]) -> Rig {
    let mut rig = Rig::new(&["contoso"]).await;
    rig.heal = classes.iter().copied().collect();
    rig
}

/// The writes and deletes that tenantry has sent so far.
async fn written(rig: &Rig) -> usize {
    let journal = rig.lab.sim("journal").await;
    let own = |line: &&Value| {
        line["caller"] == PROVISIONER && line["method"] != "GET" && line["path"] != "/api/events"
    };
    journal.as_array().unwrap().iter().filter(own).count()
}

fn begun(item: &Item) -> bool {
    item.healing == Some(Healing::Begun)
}

#[tokio::test]
async fn every_planted_change_is_put_right_where_all_classes_are_healed() {
    for (step, deed, ..) in rows() {
        let rig = healing(&DriftClass::ALL).await;
        let what = rig.do_it(step, &deed).await;
        let reports = rig.tick().await;
        let foreign = matches!(deed, Deed::Change("/tags/tenantry-tenant", _));
        assert!(reports[0].items.iter().all(|item| begun(item) != foreign), "{what}: {reports:#?}");
        let tenant = rig.tenant("contoso").await;
        assert_eq!(tenant.status, Status::Active, "{what}");
        assert!(
            tenant.steps().values().all(|record| record.state.is_ready()),
            "{what}: {:#?}",
            tenant.steps()
        );
        assert_eq!(rig.scan("contoso").await.is_clean(), !foreign, "{what}");
        rig.tick().await;
        let kinds = rig.kinds("contoso");
        assert_eq!(kinds.join(" "), if foreign { "detected" } else { "detected resolved" }, "{what}");
    }
}

#[tokio::test]
async fn a_class_is_healed_only_if_it_is_named() {
    for class in DriftClass::ALL {
        for (step, deed, _, of) in rows() {
            // One row of each class will do; the one about marks is never healed.
            if !matches!(
                (step, of),
                ("workspace", Isolation) | ("service_principal", Availability) | ("application", Cosmetic)
            ) {
                continue;
            }
            let rig = healing(&[class]).await;
            let before = written(&rig).await;
            let what = rig.do_it(step, &deed).await;
            rig.tick().await;
            assert_eq!(written(&rig).await > before, class == of, "{what}, healing {}", class.word());
            assert_eq!(rig.scan("contoso").await.is_clean(), class == of, "{what}, healing {}", class.word());
        }
    }
}

#[tokio::test]
async fn by_itself_nothing_is_written() {
    let rig = Rig::new(&["contoso"]).await;
    let before = written(&rig).await;
    for (step, at, value) in [("storage", KEYS, json!(true)), ("vault", "/tags/costcentre", json!("1"))] {
        rig.change("contoso", step, at, value).await;
    }
    rig.delete("contoso", "scorer").await;
    for _ in 0..3 {
        rig.tick().await;
    }
    assert_eq!(written(&rig).await, before);
    assert_eq!(rig.scan("contoso").await.items.len(), 3);
}

#[tokio::test]
async fn what_is_gone_is_made_anew_with_all_that_stands_on_it() {
    let rig = healing(&[Isolation, Availability]).await;
    let before = rig.tenant("contoso").await;
    // Somebody deletes the identity that the endpoint runs as, and makes one of the same name: it has other ids.
    let place = rig.place("contoso", "identity").await;
    let body = rig.send(Method::GET, &place, None).await;
    rig.delete("contoso", "identity").await;
    rig.send(Method::PUT, &place, Some(&json!({"location": body["location"], "tags": body["tags"]}))).await;
    let reports = rig.tick().await;
    let paths: Vec<&str> = reports[0].items.iter().map(|item| item.path.as_str()).collect();
    assert!(paths.contains(&"/properties/principalId"), "{reports:#?}");
    assert!(reports[0].items.iter().all(|item| item.severity == Isolation), "{reports:#?}");
    rig.tick().await;
    assert_eq!(rig.kinds("contoso"), ["detected", "resolved"]);
    let after = rig.tenant("contoso").await;
    let principal = |tenant: &tenantry_core::tenant::Tenant| {
        let name = "identity".parse().unwrap();
        tenant.steps()[&name].outputs["principalId"].clone()
    };
    assert_ne!(principal(&before), principal(&after));
    // The role that the old one had is the new one's now.
    let grant = rig.send(Method::GET, &rig.place("contoso", "data_reader").await, None).await;
    assert_eq!(grant["properties"]["principalId"], principal(&after));
}

#[tokio::test]
async fn a_deployment_that_was_deleted_comes_back_with_its_traffic() {
    let rig = healing(&[Availability]).await;
    rig.change("contoso", "traffic", "/properties/traffic", json!({})).await;
    rig.delete("contoso", "deployment").await;
    let reports = rig.tick().await;
    let steps: BTreeSet<&str> = reports[0].items.iter().map(|item| item.step.as_str()).collect();
    assert_eq!(steps, BTreeSet::from(["deployment", "traffic"]));
    let endpoint = rig.send(Method::GET, &rig.place("contoso", "endpoint").await, None).await;
    assert_eq!(endpoint["properties"]["traffic"], json!({"main": 100}));
    rig.tick().await;
    let told = rig.told("contoso");
    assert_eq!(told[1].0, "resolved");
    assert_eq!(told[1].1["outputs"], json!(rig.tenant("contoso").await.exports));
}

#[tokio::test]
async fn what_comes_back_again_and_again_is_given_up_and_tried_again_after_a_day() {
    let rig = healing(&[Isolation]).await;
    let mut healed = Vec::new();
    for _ in 0..6 {
        rig.change("contoso", "storage", KEYS, json!(true)).await;
        rig.tick().await;
        healed.push(rig.scan("contoso").await.is_clean());
    }
    assert_eq!(healed, [true, true, true, false, false, false]);
    let told = rig.told("contoso");
    let last = &told.last().unwrap().1["items"][0];
    assert_eq!(last["healing"], "given-up");
    let given_up = told.iter().filter(|(_, data)| data["items"][0]["healing"] == "given-up").count();
    assert_eq!(given_up, 1, "told once: {told:#?}");
    // Something else of the same class is still healed, and so is the whole object with it.
    rig.change("contoso", "workspace", "/properties/publicNetworkAccess", json!("Enabled")).await;
    rig.tick().await;
    let report = rig.scan("contoso").await;
    assert_eq!(report.items.iter().map(|item| item.step.as_str()).collect::<Vec<_>>(), ["storage"]);
    for _ in 0..24 {
        rig.tick().await;
    }
    assert!(rig.scan("contoso").await.is_clean());
    assert_eq!(rig.kinds("contoso").last().map(String::as_str), Some("resolved"));
}

#[tokio::test]
async fn what_azure_gave_up_on_is_left_to_a_person_with_all_of_its_tenant() {
    let rig = healing(&DriftClass::ALL).await;
    let fault = json!({
        "match": {"method": "PUT", "pathContains": "/deployments/"},
        "failOperation": {"code": "BadRequest", "message": "no such image"},
    });
    rig.send(Method::POST, "/_sim/faults", Some(&fault)).await;
    let place = rig.place("contoso", "deployment").await;
    let body = rig.send(Method::GET, &place, None).await;
    rig.send(Method::PUT, &place, Some(&body)).await;
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    let before = written(&rig).await;
    let reports = rig.tick().await;
    let broken = reports[0].items.iter().find(|item| item.step.as_str() == "deployment").unwrap();
    assert_eq!((broken.severity, broken.healing, &broken.path), (Availability, None, &broken.resource));
    assert_eq!(reports[0].items.len(), 2, "{reports:#?}");
    assert_eq!(written(&rig).await, before, "nothing is written, and least of all deleted");
}

#[tokio::test]
async fn a_healing_that_stops_leaves_the_tenant_active_and_is_tried_again() {
    let rig = healing(&[Isolation]).await;
    let fault = json!({
        "match": {"method": "PUT", "pathContains": "/storageAccounts/"}, "times": 1,
        "answer": {"status": 403, "body": {"error": {"code": "RequestDisallowedByPolicy", "message": "No."}}},
    });
    rig.change("contoso", "storage", KEYS, json!(true)).await;
    rig.send(Method::POST, "/_sim/faults", Some(&fault)).await;
    rig.tick().await;
    let tenant = rig.tenant("contoso").await;
    assert_eq!(tenant.status, Status::Active);
    assert!(matches!(tenant.steps()[&"storage".parse().unwrap()].state, StepState::Halted { .. }));
    // The policy is gone, and somebody repairs it by hand meanwhile.
    rig.change("contoso", "storage", KEYS, json!(false)).await;
    let before = written(&rig).await;
    rig.tick().await;
    let tenant = rig.tenant("contoso").await;
    assert!(tenant.steps().values().all(|record| record.state.is_ready()), "{:#?}", tenant.steps());
    assert_eq!(written(&rig).await, before, "it only looked");
    rig.tick().await;
    assert_eq!(rig.kinds("contoso"), ["detected", "resolved"]);
}
