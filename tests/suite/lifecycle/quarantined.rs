//! Whom others reach is cut off, whatever has become of what the tenant was made from.

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

use crate::testkit::{lab::Lab, repository, signup};

/// The day's process, with whatever blueprints and stamps it has.
fn intake(lab: &Lab, folder: &[&str], stamps: &[Value]) -> Intake {
    let blueprints = folder.iter().map(|text| Blueprint::check(text).unwrap().blueprint).collect();
    let stamps = stamps.iter().map(|value| Stamp { value: value.clone() }).collect();
    Intake::new(lab.world.clone(), "local", blueprints, stamps)
}

/// Drives until nothing is left to do.
async fn rest(lab: &Lab, id: &TenantId) -> Tenant {
    let reconciler = Reconciler::new(lab.world.clone(), Settings::local("local"), "worker");
    for _ in 0..400 {
        match reconciler.reconcile(id).await.unwrap() {
            Progress::Settled(_) => return lab.world.store.load(id).await.unwrap().unwrap().value,
            Progress::Parked(at) | Progress::Held(at) => lab.clock.jump_to(at),
            Progress::Unknown => panic!("nobody knows {id}"),
        }
    }
    panic!("{id} never came to rest")
}

#[tokio::test]
async fn a_quarantine_needs_neither_the_blueprint_nor_the_stamp_of_the_day() {
    let hello = std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap();
    let parameter = "parameters:\n  costCentre: { type: string, description: Who pays. }\n";
    let later = DEFAULT.replace("version: 1.0.0", "version: 2.0.0").replacen("parameters:\n", parameter, 1);
    let stamps = [local_stamp()];
    for (name, folder, stamps) in [
        ("a later version that wants more", vec![later.as_str()], &stamps[..]),
        ("another blueprint", vec![hello.as_str()], &stamps[..]),
        ("no blueprint and no stamp", vec![], &[]),
    ] {
        for sample in ["contoso", "tailspin"] {
            let (lab, id) = (Lab::new(Speed::Max).await, sample.parse().unwrap());
            let body = signup(sample).to_string();
            let answer = intake(&lab, &[DEFAULT], &[local_stamp()]).take_in(body.as_bytes()).await.unwrap();
            assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
            let before = rest(&lab, &id).await;
            assert_eq!(before.status, Status::Active, "{:#?}", before.steps());

            let today = intake(&lab, &folder, stamps);
            let cut = today.quarantine(&id, before.version(), "sha256:evidence").await.unwrap().unwrap();
            assert_eq!(cut.verdict, IntakeDecision::Accepted, "{name}: {sample}: {cut:#?}");
            let after = rest(&lab, &id).await;
            let mode = after.spec.suspended.as_ref().map(|suspended| suspended.mode);
            assert_eq!((after.status, mode), (Status::Suspended, Some(Extent::Compute)), "{name}");
            assert!(!after.steps().keys().any(|step| step.as_str() == "scorer"), "{name}: it may still call");
            assert_eq!(after.plan.blueprint, before.plan.blueprint, "{name}");
            let objects = lab.sim(&format!("objects?tenant={sample}")).await;
            assert!(!json!(objects).to_string().contains("onlineEndpoints/deployments"), "{name}: it serves");
        }
    }
}
