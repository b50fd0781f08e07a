//! Entra and role assignments are replicated, with no bound that Microsoft gives. Fifteen minutes of "not found" are
//! worth nothing but patience; then a person is asked. Hours pass in moments here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry::{
    ports::{Clock as _, Wire},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Desired, Kind, Plan, PlannedStep},
    engine::wish,
    steps::{Failure, Method, Reply, Request},
    tenant::{Action, FailureClass, StepState, Tenant},
};

use super::plans;
use super::script::{answer, id, store, world};
use crate::testkit::{self, lab::Jumping};

const BUDGET: f64 = 15.0 * 60.0;
/// The longest back-off.
const STRIDE: f64 = 300.0;

/// A directory that takes every write and shows nothing of it before some instant.
struct Behind {
    clock: Arc<Jumping>,
    from: Timestamp,
    shows: Value,
    takes: Reply,
    asked: Mutex<Vec<(f64, Method)>>,
    start: Timestamp,
}

impl Wire for Behind {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        let now = self.clock.now();
        let seconds = now.duration_since(self.start).as_secs_f64();
        let unknown = json!({"error": {"code": "Request_ResourceNotFound", "message": "does not exist"}});
        let reply = match request.method {
            _ if request.path.contains("deletedItems/") => answer(200, &[], json!({"value": []})),
            Method::Get if now >= self.from => answer(200, &[], self.shows.clone()),
            Method::Get => answer(404, &[], unknown),
            Method::Put | Method::Patch | Method::Post | Method::Delete => self.takes.clone(),
        };
        if !request.path.contains("deletedItems/") {
            self.asked.lock().unwrap().push((seconds, request.method));
        }
        Box::pin(async { Ok(reply) })
    }
}

fn plan() -> Plan {
    let tags = json!(["tenantry-deployment:test", "tenantry-tenant:contoso"]);
    let fields = json!({"uniqueName": "contoso", "body": {"displayName": "Contoso", "tags": tags}});
    let step = PlannedStep {
        desired: Desired::read(Kind::EntraApplication, &fields, &BTreeMap::new()).unwrap(),
        needs: [].into(),
        outputs: BTreeMap::new(),
        digest: String::new(),
    };
    Plan { steps: BTreeMap::from([(plans::name("it"), step)]), ..plans::plan("") }
}

fn shown() -> Value {
    let mut shown = plan().steps[&plans::name("it")].desired.to_json()["body"].clone();
    shown["id"] = json!("object-1");
    shown["appId"] = json!("app-1");
    shown
}

/// Drives with Azure's own patience until nothing is left to do: the tenant, and when what was asked.
async fn driven(
    prepare: fn(&mut Tenant, Timestamp),
    seen_after: Duration,
    takes: Reply,
) -> (Tenant, Vec<(f64, Method)>) {
    let folder = testkit::folder();
    let (clock, store) = (Jumping::new(), store(&folder).await);
    let start = clock.now();
    let mut tenant = plans::tenant(plan(), start);
    prepare(&mut tenant, start);
    tenant.due_at = Some(start);
    store.save(&tenant, None).await.unwrap();
    let from = start.checked_add(seen_after).unwrap_or(Timestamp::MAX);
    let wire = Arc::new(Behind {
        clock: clock.clone(),
        from,
        shows: shown(),
        takes,
        asked: Mutex::default(),
        start,
    });
    let reconciler = Reconciler::new(world(&store, wire.clone(), &clock), Settings::azure("test"), "worker");
    for _ in 0..1000 {
        match reconciler.reconcile(&id()).await.unwrap() {
            Progress::Parked(at) | Progress::Held(at) => clock.jump_to(at),
            Progress::Settled(_) => break,
            Progress::Unknown => panic!("it was saved"),
        }
    }
    let asked = std::mem::take(&mut *wire.asked.lock().unwrap());
    (store.load(&id()).await.unwrap().unwrap().value, asked)
}

fn state(tenant: &Tenant) -> &StepState {
    &tenant.steps()[&plans::name("it")].state
}

const NEVER: Duration = Duration::from_secs(100 * 3600);

/// The write is taken, and every look answers 404: looked at again and again, for a quarter of an hour.
#[tokio::test]
async fn not_found_after_a_create_is_waited_for_fifteen_minutes() {
    let (tenant, asked) = driven(|_, _| {}, NEVER, answer(204, &[], Value::Null)).await;
    let StepState::Halted { cause, .. } = state(&tenant) else { panic!("{:?}", state(&tenant)) };
    assert_eq!((cause.class, cause.code.as_str()), (FailureClass::ReplicationLag, "not-visible-yet"));
    let (last, _) = *asked.last().unwrap();
    assert!((BUDGET..BUDGET + STRIDE).contains(&last), "given up after {last} s");
    let waits: Vec<f64> = asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(waits.iter().all(|wait| *wait <= STRIDE), "{waits:?}");
    let early = waits.iter().take(8).sum::<f64>();
    assert!(early < 60.0, "the first looks come soon: {waits:?}");
    // An upsert by key is safe to send again, and was not sent at every look.
    let writes = asked.iter().filter(|(_, method)| *method == Method::Patch).count();
    let looks = asked.len() - writes;
    assert!((2..=4).contains(&writes) && looks > 3 * writes, "{writes} writes, {looks} looks");
}

/// Fourteen minutes are not too long.
#[tokio::test]
async fn what_shows_within_the_budget_is_ready() {
    for minutes in [1, 5, 9, 14] {
        let seen_after = Duration::from_secs(60 * minutes);
        let (tenant, asked) = driven(|_, _| {}, seen_after, answer(204, &[], Value::Null)).await;
        assert!(state(&tenant).is_ready(), "after {minutes} minutes: {asked:?}");
    }
}

/// A refusal that says that what it stands on is not known has the same budget.
#[tokio::test]
async fn a_refusal_for_lag_has_the_same_budget() {
    let refusals = [
        (404, "Request_ResourceNotFound", ""),
        (400, "NoBackingApplicationObject", ""),
        (400, "Request_BadRequest", "The appId does not reference a valid application object."),
        (400, "PrincipalNotFound", ""),
    ];
    for (status, code, message) in refusals {
        let refusal = answer(status, &[], json!({"error": {"code": code, "message": message}}));
        let (tenant, asked) = driven(|_, _| {}, NEVER, refusal).await;
        let StepState::Halted { cause, .. } = state(&tenant) else { panic!("{:?}", state(&tenant)) };
        assert_eq!((cause.class, cause.code.as_str()), (FailureClass::ReplicationLag, code));
        let (last, _) = *asked.last().unwrap();
        assert!((BUDGET..BUDGET + STRIDE).contains(&last), "{code}: given up after {last} s");
    }
}

/// Written a moment ago, its answer lost, and now to be removed: that it is not to be seen proves nothing before the
/// same time is over.
#[tokio::test]
async fn a_removal_does_not_take_not_found_for_never_made() {
    let just_written = |tenant: &mut Tenant, now: Timestamp| {
        tenant.change_step(&plans::name("it"), |step| {
            step.enter(StepState::Writing);
            step.target = Some(json!({"uniqueName": "contoso", "owner": ["tenantry-tenant:contoso"]}));
            step.wrote_at = Some(now);
        });
        let by = plans::operation(tenant, Action::Deprovision, now);
        wish::remove(tenant, &by, now);
        tenant.operations.push(by);
    };
    let (tenant, asked) = driven(just_written, NEVER, answer(204, &[], Value::Null)).await;
    assert_eq!(tenant.status.word(), "deleted");
    let (last, _) = *asked.last().unwrap();
    assert!((BUDGET..BUDGET + STRIDE).contains(&last), "taken for gone after {last} s");

    // Visible after fourteen minutes, it is found and deleted; it then stays in sight, which a person has to see to.
    let (_, asked) = driven(just_written, Duration::from_secs(14 * 60), answer(204, &[], Value::Null)).await;
    assert!(asked.iter().any(|(_, method)| *method == Method::Delete), "{asked:?}");
}
