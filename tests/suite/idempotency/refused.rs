//! Azure refuses a change for good: at every change of every shipped blueprint, on the way forward and at removal. The
//! tenant has failed then, its step and the cause can be seen; once the cause is removed a retry goes on, and without
//! that a removal leaves nothing behind.

use std::collections::BTreeSet;

use serde_json::Value;
use tenantry_core::{
    blueprint::Kind,
    ids::{StepName, TenantId},
    tenant::{Status, StepState},
};

use super::{
    life::{Case, Life, Portrait},
    undisturbed,
};
use crate::testkit::{
    gremlin::{REFUSAL, Spot, Trouble},
    judge::text,
    removal,
};

/// Has a change refused until the tenant has failed.
async fn fail(case: &Case, at: &Spot) -> (Life, TenantId) {
    let mut life = Life::new(case, Trouble::Refused, at.clone()).await;
    let id = life.deliver(&case.signup()).await;
    assert_eq!(life.rest(&id).await, Status::Failed, "{}", life.told);
    (life, id)
}

/// The step that was refused, as the document and the last event tell of it.
async fn visible(life: &Life, id: &TenantId, noun: &str) -> StepName {
    assert!(life.gremlin.struck(), "{}: never came to it", life.told);
    let document = life.document(id).await;
    let halted = document.steps().iter().filter_map(|(name, record)| Some((name, record.state.halted()?)));
    let halted: Vec<_> = halted.collect();
    let [(step, cause)] = halted.as_slice() else { panic!("{}: {halted:?}", life.told) };
    assert_eq!(cause.code, REFUSAL, "{}", life.told);
    for (name, record) in document.steps() {
        // Whatever may have been made has the means to find it again.
        let made = !matches!(record.state, StepState::Waiting(_) | StepState::Gone(_));
        let is_known = record.target.is_some() || record.kind == Kind::Check;
        assert!(!made || is_known, "{}: {name}: {record:#?}", life.told);
    }
    let told = life.lab.subscribers.told();
    let last = told.iter().max_by_key(|event| text(event, "/sequence")).unwrap();
    assert_eq!(text(last, "/type"), format!("io.tenantry.tenant.{noun}.failed.v1"), "{}", life.told);
    assert_eq!((text(last, "/data/error/step"), text(last, "/data/error/code")), (step.as_str(), REFUSAL));
    (*step).clone()
}

async fn remove(life: &mut Life, id: &TenantId) -> Status {
    life.deliver(&removal("the-end", id.as_str())).await;
    life.rest(id).await
}

/// The events of a tenant that failed, went on after a retry and was removed.
const STORY: [&str; 9] = [
    "tenant.request.accepted",
    "tenant.provision.started",
    "tenant.provision.failed",
    "tenant.provision.started",
    "tenant.isolation.verified",
    "tenant.provision.succeeded",
    "tenant.request.accepted",
    "tenant.deprovision.started",
    "tenant.deprovision.succeeded",
];

/// Refused on the way forward, until somebody removes the cause; the step.
async fn forward(case: &Case, at: &Spot, usual: &Portrait) -> StepName {
    let (mut life, id) = fail(case, at).await;
    let step = visible(&life, &id, "provision").await;
    life.gremlin.give_in();
    life.retry(&id).await;
    assert_eq!(life.rest(&id).await, Status::Active, "{}", life.told);
    assert_eq!(life.portrait(&id).await, *usual, "{}", life.told);
    assert_eq!(remove(&mut life, &id).await, Status::Deleted, "{}", life.told);
    life.ended_well(&id, &STORY).await;
    step
}

/// Refused on the way forward for ever: what is there can be removed all the same.
async fn given_up(case: &Case, at: &Spot) {
    let (mut life, id) = fail(case, at).await;
    assert_eq!(remove(&mut life, &id).await, Status::Deleted, "{}", life.told);
    life.ended_well(&id, &[&STORY[..3], &STORY[6..]].concat()).await;
}

/// Refused at the removal; the step.
async fn backward(case: &Case, at: &Spot, usual: &Portrait) -> StepName {
    let mut life = Life::new(case, Trouble::Refused, at.clone()).await;
    let id = life.deliver(&case.signup()).await;
    assert_eq!(life.rest(&id).await, Status::Active, "{}", life.told);
    assert_eq!(life.portrait(&id).await, *usual, "{}", life.told);
    if let Some(undo) = undone(&life, &id, at).await {
        // It goes with what it was to be undone at, whoever refuses that.
        assert_eq!(remove(&mut life, &id).await, Status::Deleted, "{}", life.told);
        assert!(life.gremlin.struck(), "{}: never came to it", life.told);
        life.ended_well(&id, &[&STORY[..2], &STORY[4..]].concat()).await;
        return undo;
    }
    assert_eq!(remove(&mut life, &id).await, Status::Failed, "{}", life.told);
    let step = visible(&life, &id, "deprovision").await;
    assert_ne!(life.objects(&id).await, Value::Array(Vec::new()), "{}: nothing is left to remove", life.told);
    life.gremlin.give_in();
    life.retry(&id).await;
    assert_eq!(life.rest(&id).await, Status::Deleted, "{}", life.told);
    let story = [
        "tenant.request.accepted",
        "tenant.provision.started",
        "tenant.isolation.verified",
        "tenant.provision.succeeded",
        "tenant.request.accepted",
        "tenant.deprovision.started",
        "tenant.deprovision.failed",
        "tenant.deprovision.started",
        "tenant.deprovision.succeeded",
    ];
    life.ended_well(&id, &story).await;
    step
}

/// The step whose undo a change is: a removal puts nothing else.
async fn undone(life: &Life, id: &TenantId, at: &Spot) -> Option<StepName> {
    let Spot::Change(change, _) = at else { return None };
    let plan = life.document(id).await.plan;
    let undo =
        plan.steps.iter().find(|(_, step)| step.kind() == Kind::ArmUpdate).map(|(name, _)| name.clone());
    undo.filter(|_| change.starts_with("PUT "))
}

async fn everywhere(case: Case) {
    let usual = Box::pin(undisturbed(&case)).await;
    let (mut refused, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for at in &usual.made {
        refused.insert(Box::pin(forward(&case, at, &usual.portrait)).await);
        Box::pin(given_up(&case, at)).await;
    }
    for at in &usual.removed {
        kept.insert(Box::pin(backward(&case, at, &usual.portrait)).await);
    }
    let (made, removed) = (usual.made.len(), usual.removed.len());
    eprintln!("{}: {made} changes and {removed} removals refused", case.told);
    let life = Life::undisturbed(&case).await;
    let id = life.deliver(&case.signup()).await;
    let plan = life.document(&id).await.plan;
    let makes = plan.steps.iter().filter(|(_, step)| !matches!(step.kind(), Kind::Check | Kind::Isolation));
    let makes: BTreeSet<StepName> = makes.map(|(name, _)| name.clone()).collect();
    assert_eq!((&refused, &kept), (&makes, &makes), "{}: a step was never refused", case.told);
}

#[tokio::test]
async fn any_change_of_a_dedicated_tenant_may_be_refused() {
    everywhere(Case::new("secure-ai-service.yaml", "dedicated")).await;
}

#[tokio::test]
async fn any_change_of_a_pooled_tenant_may_be_refused() {
    everywhere(Case::new("secure-ai-service.yaml", "pooled")).await;
}

#[tokio::test]
async fn any_change_of_a_tenant_with_a_model_of_openai_may_be_refused() {
    everywhere(Case::new("language-service.yaml", "dedicated")).await;
}

#[tokio::test]
async fn any_change_by_the_smallest_blueprint_may_be_refused() {
    for tier in ["dedicated", "pooled"] {
        everywhere(Case::new("hello.yaml", tier)).await;
    }
}
