//! A tenant that others can reach is suspended even if its blueprint or stamp is missing or changed.

use azure_sim::{Speed, local_stamp};
use serde_json::{Value, json};
use tenantry::{
    intake::{Intake, IntakeDecision, Stamp},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    tenant::{Extent, Status, Tenant},
};

use crate::testkit::{fixture::Fixture, repository, signup};

/// The intake of a process that is started with these blueprints and stamps.
fn intake(fixture: &Fixture, folder: &[&str], stamps: &[Value]) -> Intake {
    let blueprints = folder.iter().map(|text| Blueprint::check(text).unwrap().blueprint).collect();
    let stamps = stamps.iter().map(|value| Stamp { value: value.clone() }).collect();
    Intake::new(fixture.ports.clone(), "local", blueprints, stamps)
}

/// Reconciles a tenant until its status is settled, and returns its document.
async fn rest(fixture: &Fixture, id: &TenantId) -> Tenant {
    let reconciler = Reconciler::new(fixture.ports.clone(), Settings::local("local"), "worker");
    for _ in 0..400 {
        match reconciler.reconcile(id).await.unwrap() {
            Progress::Settled(_) => return fixture.ports.store.load(id).await.unwrap().unwrap().value,
            Progress::Requeued(at) | Progress::Held(at) => fixture.clock.jump_to(at),
            Progress::Unknown => panic!("{id} is unknown"),
        }
    }
    panic!("{id} never settled")
}

#[tokio::test]
async fn a_quarantine_needs_neither_the_current_blueprint_nor_the_stamp() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let parameter = "parameters:\n  costCentre: { type: string, description: Who pays. }\n";
    let newer_version =
        DEFAULT.replace("version: 1.0.0", "version: 2.0.0").replacen("parameters:\n", parameter, 1);
    let stamps = [local_stamp()];
    for (name, folder, stamps) in [
        ("a later version with more requirements", vec![newer_version.as_str()], &stamps[..]),
        ("another blueprint", vec![hello.as_str()], &stamps[..]),
        ("no blueprint and no stamp", vec![], &[]),
    ] {
        for sample in ["contoso", "tailspin"] {
            let (fixture, id) = (Fixture::new(Speed::Max).await, sample.parse().unwrap());
            let body = signup(sample).to_string();
            let answer =
                intake(&fixture, &[DEFAULT], &[local_stamp()]).take_in(body.as_bytes()).await.unwrap();
            assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
            let before = rest(&fixture, &id).await;
            assert_eq!(before.status, Status::Active, "{:#?}", before.steps());

            let today = intake(&fixture, &folder, stamps);
            let cut = today.quarantine(&id, before.version(), "sha256:evidence").await.unwrap().unwrap();
            assert_eq!(cut.decision, IntakeDecision::Accepted, "{name}: {sample}: {cut:#?}");
            let after = rest(&fixture, &id).await;
            let mode = after.spec.suspended.as_ref().map(|suspended| suspended.mode);
            assert_eq!((after.status, mode), (Status::Suspended, Some(Extent::Compute)), "{name}");
            assert!(!after.steps().keys().any(|step| step.as_str() == "scorer"), "{name}: it may still call");
            assert_eq!(after.plan.blueprint, before.plan.blueprint, "{name}");
            let objects = fixture.sim(&format!("objects?tenant={sample}")).await;
            assert!(!json!(objects).to_string().contains("onlineEndpoints/deployments"), "{name}: it serves");
        }
    }
}
