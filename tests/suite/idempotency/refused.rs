//! Azure refuses a change permanently: each change of each shipped blueprint, at provisioning and at removal. Then the
//! tenant has the status `failed`, and its document and event name the step and the cause. Once the cause is removed a
//! retry continues. Without a retry, a removal leaves nothing behind.

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
    injector::{Fault, REFUSAL, Spot},
    judge::text,
    removal,
};

/// Signs a tenant up while Azure refuses one change, and reconciles the tenant until it has failed.
async fn fail(case: &Case, at: &Spot) -> (Life, TenantId) {
    let mut life = Life::new(case, Fault::Refused, at.clone()).await;
    let id = life.deliver(&case.signup()).await;
    assert_eq!(life.rest(&id).await, Status::Failed, "{}", life.name);
    (life, id)
}

/// The step that was refused; asserts that the document and the last event name it.
async fn visible(life: &Life, id: &TenantId, noun: &str) -> StepName {
    assert!(life.injector.struck(), "{}: the change was not reached", life.name);
    let document = life.document(id).await;
    let blocked = document.steps().iter().filter_map(|(name, record)| Some((name, record.state.blocked()?)));
    let blocked: Vec<_> = blocked.collect();
    let [(step, cause)] = blocked.as_slice() else { panic!("{}: {blocked:?}", life.name) };
    assert_eq!(cause.code, REFUSAL, "{}", life.name);
    for (name, record) in document.steps() {
        // A step whose object may exist has a target, by which the object is found again.
        let made = !matches!(record.state, StepState::Waiting(_) | StepState::Deleted(_));
        let is_known = record.target.is_some() || record.kind == Kind::Check;
        assert!(!made || is_known, "{}: {name}: {record:#?}", life.name);
    }
    let events = life.fixture.subscribers.published();
    let last = events.iter().max_by_key(|event| text(event, "/sequence")).unwrap();
    assert_eq!(text(last, "/type"), format!("io.tenantry.tenant.{noun}.failed.v1"), "{}", life.name);
    assert_eq!((text(last, "/data/error/step"), text(last, "/data/error/code")), (step.as_str(), REFUSAL));
    (*step).clone()
}

async fn remove(life: &mut Life, id: &TenantId) -> Status {
    life.deliver(&removal("the-end", id.as_str())).await;
    life.rest(id).await
}

/// The events of a tenant that failed, continued after a retry and was removed.
const EVENTS: [&str; 9] = [
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

/// A change is refused during provisioning, and a retry succeeds once the cause is removed. Returns the refused step.
async fn forward(case: &Case, at: &Spot, usual: &Portrait) -> StepName {
    let (mut life, id) = fail(case, at).await;
    let step = visible(&life, &id, "provision").await;
    life.injector.give_in();
    life.retry(&id).await;
    assert_eq!(life.rest(&id).await, Status::Active, "{}", life.name);
    assert_eq!(life.portrait(&id).await, *usual, "{}", life.name);
    assert_eq!(remove(&mut life, &id).await, Status::Deleted, "{}", life.name);
    life.ended_well(&id, &EVENTS).await;
    step
}

/// A change is refused during provisioning, and the cause stays: the tenant can still be removed.
async fn given_up(case: &Case, at: &Spot) {
    let (mut life, id) = fail(case, at).await;
    assert_eq!(remove(&mut life, &id).await, Status::Deleted, "{}", life.name);
    life.ended_well(&id, &[&EVENTS[..3], &EVENTS[6..]].concat()).await;
}

/// A change is refused during the removal, and a retry succeeds once the cause is removed. Returns the refused step.
async fn backward(case: &Case, at: &Spot, usual: &Portrait) -> StepName {
    let mut life = Life::new(case, Fault::Refused, at.clone()).await;
    let id = life.deliver(&case.signup()).await;
    assert_eq!(life.rest(&id).await, Status::Active, "{}", life.name);
    assert_eq!(life.portrait(&id).await, *usual, "{}", life.name);
    if let Some(undo) = undone(&life, &id, at).await {
        // A refused undo does not block the removal: the change is deleted with the resource that it was made to.
        assert_eq!(remove(&mut life, &id).await, Status::Deleted, "{}", life.name);
        assert!(life.injector.struck(), "{}: the change was not reached", life.name);
        life.ended_well(&id, &[&EVENTS[..2], &EVENTS[4..]].concat()).await;
        return undo;
    }
    assert_eq!(remove(&mut life, &id).await, Status::Failed, "{}", life.name);
    let step = visible(&life, &id, "deprovision").await;
    assert_ne!(life.objects(&id).await, Value::Array(Vec::new()), "{}: nothing is left to remove", life.name);
    life.injector.give_in();
    life.retry(&id).await;
    assert_eq!(life.rest(&id).await, Status::Deleted, "{}", life.name);
    let content = [
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
    life.ended_well(&id, &content).await;
    step
}

/// The step whose change is undone by the request at this point, if that request is an undo. In a removal, every PUT is
/// an undo.
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
    eprintln!("{}: {made} changes and {removed} removals refused", case.name);
    let life = Life::undisturbed(&case).await;
    let id = life.deliver(&case.signup()).await;
    let plan = life.document(&id).await.plan;
    let makes = plan.steps.iter().filter(|(_, step)| !matches!(step.kind(), Kind::Check | Kind::Isolation));
    let makes: BTreeSet<StepName> = makes.map(|(name, _)| name.clone()).collect();
    assert_eq!((&refused, &kept), (&makes, &makes), "{}: a step was never refused", case.name);
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
async fn any_change_of_a_tenant_with_an_openai_model_may_be_refused() {
    everywhere(Case::new("language-service.yaml", "dedicated")).await;
}

#[tokio::test]
async fn any_change_with_the_smallest_blueprint_may_be_refused() {
    for tier in ["dedicated", "pooled"] {
        everywhere(Case::new("hello.yaml", tier)).await;
    }
}
