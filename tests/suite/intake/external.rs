//! An operation of another system is bound to one tenant, action and content, once a request for it is accepted.

use std::sync::Arc;

use azure_sim::Speed;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::{
    intake::{Intake, IntakeDecision, RequestAnswer},
    ports::{ETag, Listed, Ports, StateStore, StoreError},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    tenant::{Status, Tenant},
};

use super::{live, refused, request, signup, take_in};
use crate::bad_inputs::harness::{Harness, LIVE};
use crate::testkit::{
    self,
    fixture::Fixture,
    memory::Memory,
    moody::Moody,
    over::{Asked, Over, Wrapped},
};

fn bought(mut request: Value, operation: &str) -> Value {
    request["external"] = json!({"system": "azure-marketplace", "operationId": operation, "planId": "gold"});
    request
}

#[track_caller]
fn repeats(again: &RequestAnswer, first: &RequestAnswer) {
    assert!(again.replayed && again.decision == IntakeDecision::Accepted, "{again:?}");
    assert_eq!((&again.operation_id, &again.tenant_id), (&first.operation_id, &first.tenant_id));
}

#[tokio::test]
async fn the_same_content_under_another_request_id_is_a_repeat() {
    let harness = Harness::open().await;
    // A dry run binds nothing.
    let mut rehearsal = bought(signup("rehearsal", "other"), "op-1");
    rehearsal["dryRun"] = true.into();
    assert_eq!(take_in(&harness, &rehearsal).await.decision, IntakeDecision::Planned);
    let first = take_in(&harness, &bought(signup("buy-1", LIVE), "op-1")).await;
    assert_eq!((first.decision, first.replayed), (IntakeDecision::Accepted, false));
    let again = take_in(&harness, &bought(signup("buy-2", LIVE), "op-1")).await;
    repeats(&again, &first);
    assert_eq!((again.request_id.as_deref(), again.status), (Some("buy-2"), Some(Status::Requested)));
    repeats(&take_in(&harness, &bought(signup("buy-2", LIVE), "op-1")).await, &first);
    // A member that is null equals an absent one.
    let mut other_form = bought(signup("buy-3", LIVE), "op-1");
    other_form["spec"]["region"] = Value::Null;
    repeats(&take_in(&harness, &other_form).await, &first);
    // An operation of another system with that id is another operation.
    let mut elsewhere = bought(signup("buy-4", "elsewhere"), "op-1");
    elsewhere["external"]["system"] = "crm".into();
    assert_eq!(take_in(&harness, &elsewhere).await.decision, IntakeDecision::Accepted);
    harness.settled(&LIVE.parse().unwrap()).await;
    let events = harness.events().await;
    let of_live: Vec<&Value> = events.iter().filter(|event| event["tenantid"] == LIVE).collect();
    assert_eq!(of_live.len(), 3);
    for event in of_live {
        assert_eq!(event["data"]["external"]["operationId"], "op-1", "{event}");
        assert_eq!(event["correlationid"], "buy-1");
    }
}

#[tokio::test]
async fn another_tenant_action_or_content_is_a_conflict_that_reveals_nothing_of_the_first() {
    let harness = Harness::suspendable().await;
    for tenant in [LIVE, "victim"] {
        harness.sign_up(tenant).await;
    }
    let suspend =
        |id: &str, tenant: &str, reason: &str| request("suspend", id, tenant, json!({"reason": reason}));
    let first = take_in(&harness, &bought(suspend("s-1", LIVE, "billing"), "op-1")).await;
    assert_eq!(first.decision, IntakeDecision::Accepted);
    let others = [
        suspend("s-2", "victim", "billing"),
        suspend("s-3", LIVE, "abuse"),
        request("resume", "s-4", LIVE, json!({})),
        request("deprovision", "s-5", LIVE, json!({"reason": "billing"})),
    ];
    for other in others {
        let answer = take_in(&harness, &bought(other, "op-1")).await;
        refused(&answer, "external_conflict", "/external/operationId");
        let reported = json!(answer).to_string();
        let first_operation = first.operation_id.as_deref().unwrap();
        assert!(!reported.contains(first_operation) && !reported.contains("s-1"), "{reported}");
    }
    let victim = harness.tenant(&"victim".parse().unwrap()).await.unwrap();
    assert_eq!((victim.spec.suspended, victim.requests.len()), (None, 1));
    // A request about the other tenant with an operation of its own is accepted.
    let own = take_in(&harness, &bought(suspend("s-6", "victim", "billing"), "op-2")).await;
    assert_eq!(
        (own.decision, own.replayed, own.tenant_id),
        (IntakeDecision::Accepted, false, Some(victim.id))
    );
    let (status, _) =
        harness.submit(bought(suspend("s-7", "victim", "abuse"), "op-2").to_string().as_bytes()).await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn a_rejected_request_does_not_bind_its_operation() {
    let harness = Harness::open().await;
    let mut wrong = bought(signup("buy-1", LIVE), "op-1");
    wrong["spec"]["tier"] = "gold".into();
    refused(&take_in(&harness, &wrong).await, "unknown-tier", "/spec/tier");
    let right = bought(signup("buy-2", LIVE), "op-1");
    let taken = take_in(&harness, &right).await;
    assert_eq!((taken.decision, taken.replayed), (IntakeDecision::Accepted, false), "{taken:?}");
    // The rejected request stays rejected under its id.
    let again = take_in(&harness, &wrong).await;
    assert_eq!((again.decision, again.replayed), (IntakeDecision::Rejected, true));
}

/// If a sign-up has no tenant id, the id is derived from the operation, so the same purchase is the same tenant.
#[tokio::test]
async fn a_purchase_without_a_tenant_id_is_one_tenant_however_often_it_is_sent() {
    let harness = Harness::open().await;
    let answers = join_all((0..20).map(|n| {
        let mut request = bought(crate::bad_inputs::case::signup(&format!("click-{n}")), "op-9");
        request["external"]["purchaser"] = json!({"clicks": n});
        let harness = &harness;
        async move { take_in(harness, &request).await }
    }))
    .await;
    let first = answers.iter().find(|answer| !answer.replayed).unwrap();
    assert!(answers.iter().all(|answer| answer.decision == IntakeDecision::Accepted), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.operation_id == first.operation_id), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert_eq!(harness.census().await.tenants.len(), 1);
}

/// A store in which requests that begin together stay side by side: each call yields once, and the save of a
/// tenant's document takes as long as 500 other calls.
struct InStep(Arc<dyn StateStore>);

impl Over for InStep {
    fn inner(&self) -> &dyn StateStore {
        &*self.0
    }

    fn each<'a, T: Send + 'a>(&'a self, work: Asked<'a, T>) -> Asked<'a, T> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            work.await
        })
    }

    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        Box::pin(async move {
            for _ in 0..500 {
                tokio::task::yield_now().await;
            }
            self.0.save(tenant, seen).await
        })
    }
}

/// Requests that always read the same state and save at the same time are all answered, however many there are.
#[tokio::test]
async fn thirty_requests_side_by_side_are_one_operation() {
    let fixture = Fixture::new(Speed::Max).await;
    let store = Arc::new(Wrapped(InStep(Arc::new(Memory::default()))));
    let intake = intake_over(&fixture, Arc::clone(&store) as Arc<dyn StateStore>);
    let answers = join_all((0..30).map(|n| {
        let mut request = bought(testkit::signup("contoso"), "op-1");
        request["requestId"] = format!("click-{n}").into();
        let intake = &intake;
        async move { take(intake, &request).await.unwrap() }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.decision == IntakeDecision::Accepted), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.operation_id == answers[0].operation_id), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let tenant = store.load(&"contoso".parse().unwrap()).await.unwrap().unwrap().value;
    assert_eq!((tenant.operations.len(), tenant.incarnation), (1, 1));
}

#[tokio::test]
async fn of_concurrent_requests_with_different_contents_one_is_accepted() {
    let harness = Harness::open().await;
    harness.sign_up(LIVE).await;
    let before = live(&harness).await.generation;
    let answers = join_all((0..12).map(|n| {
        let update = request("update", &format!("u-{n}"), LIVE, json!({"quantity": n % 3}));
        let harness = &harness;
        async move { take_in(harness, &bought(update, "op-1")).await }
    }))
    .await;
    let fresh: Vec<&RequestAnswer> = answers
        .iter()
        .filter(|answer| answer.decision == IntakeDecision::Accepted && !answer.replayed)
        .collect();
    assert_eq!(fresh.len(), 1, "{answers:?}");
    for answer in &answers {
        let conflict = answer.code.as_deref() == Some("external_conflict");
        assert!(conflict || answer.operation_id == fresh[0].operation_id, "{answer:?}");
    }
    assert_eq!(live(&harness).await.generation, before + 1, "one update and no more");
}

/// An intake with the default blueprint over this store.
fn intake_over(fixture: &Fixture, store: Arc<dyn StateStore>) -> Intake {
    let ports = Ports { store, ..fixture.ports.clone() };
    Fixture::intake(&ports, &Blueprint::check(DEFAULT).unwrap().blueprint)
}

async fn take(intake: &Intake, message: &Value) -> Result<RequestAnswer, StoreError> {
    intake.take_in(message.to_string().as_bytes()).await
}

/// Wherever the store fails during the first request, a second request for the same operation is accepted, and there is
/// one sign-up.
#[tokio::test]
async fn a_crash_between_any_two_saves_neither_doubles_nor_blocks_an_operation() {
    let named = |id: &str| {
        let mut request = bought(testkit::signup("contoso"), "op-1");
        request["requestId"] = id.into();
        request
    };
    let mut wrong = named("buy-w");
    wrong["spec"]["tier"] = "gold".into();
    let mut broke_off = 0;
    for (fails_at, undone) in (1..=10).flat_map(|at| [(at, true), (at, false)]) {
        let fixture = Fixture::new(Speed::Max).await;
        let store = Arc::clone(&fixture.ports.store);
        let moody = if undone { Moody::idle(store, fails_at) } else { Moody::new(store, fails_at) };
        let moody = Arc::new(moody);
        let frail = intake_over(&fixture, moody);
        let refusal = take(&frail, &wrong).await;
        let first = take(&frail, &named("buy-1")).await;
        broke_off += usize::from(refusal.is_err()) + usize::from(first.is_err());
        let sound = Fixture::intake(&fixture.ports, &Blueprint::check(DEFAULT).unwrap().blueprint);
        let second = take(&sound, &named("buy-2")).await.unwrap();
        assert_eq!(second.decision, IntakeDecision::Accepted, "at {fails_at}: {second:?}");
        let first = take(&sound, &named("buy-1")).await.unwrap();
        assert_eq!(first.operation_id, second.operation_id, "at {fails_at}");
        assert_eq!(take(&sound, &wrong).await.unwrap().decision, IntakeDecision::Rejected, "at {fails_at}");
        let (tenants, _) = Listed::sorted_out(fixture.ports.store.list(None, 10).await.unwrap());
        let [tenant] = tenants.as_slice() else { panic!("at {fails_at}: {} tenants", tenants.len()) };
        assert_eq!((tenant.operations.len(), tenant.incarnation), (1, 1), "at {fails_at}");
        let mut other = named("buy-3");
        other["tenantId"] = "fabrikam".into();
        let other = take(&sound, &other).await.unwrap();
        assert_eq!(other.code.as_deref(), Some("external_conflict"), "at {fails_at}");
    }
    assert!(broke_off >= 14, "only {broke_off} were cut off");
}
