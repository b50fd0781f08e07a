//! Entra objects and role assignments are replicated, and Microsoft gives no upper bound for that. An object that is
//! not found is read again for fifteen minutes; then its step is blocked. The tests use virtual time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry::{
    ports::{Clock as _, Transport},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Desired, Kind, Plan, PlannedStep},
    engine::desired,
    steps::{Failure, Method, Reply, Request},
    tenant::{Action, FailureClass, StepState, Tenant},
};

use super::plans;
use super::script::{answer, id, ports, store};
use crate::testkit::{self, fixture::Jumping};

const BUDGET: f64 = 15.0 * 60.0;
/// The longest back-off in seconds.
const STRIDE: f64 = 300.0;

/// A directory that accepts every write and shows the object only from an instant on.
struct Behind {
    clock: Arc<Jumping>,
    from: Timestamp,
    shows: Value,
    takes: Reply,
    asked: Mutex<Vec<(f64, Method)>>,
    start: Timestamp,
}

impl Transport for Behind {
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

/// Reconciles a tenant with the settings for Azure until its status is settled. Returns the tenant, and each
/// request's method with its time in seconds.
async fn reconciled(
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
    let transport = Arc::new(Behind {
        clock: clock.clone(),
        from,
        shows: shown(),
        takes,
        asked: Mutex::default(),
        start,
    });
    let reconciler =
        Reconciler::new(ports(&store, transport.clone(), &clock), Settings::azure("test"), "worker");
    for _ in 0..1000 {
        match reconciler.reconcile(&id()).await.unwrap() {
            Progress::Requeued(at) | Progress::Held(at) => clock.jump_to(at),
            Progress::Settled(_) => break,
            Progress::Unknown => panic!("the tenant is unknown"),
        }
    }
    let asked = std::mem::take(&mut *transport.asked.lock().unwrap());
    (store.load(&id()).await.unwrap().unwrap().value, asked)
}

fn state(tenant: &Tenant) -> &StepState {
    &tenant.steps()[&plans::name("it")].state
}

const NEVER: Duration = Duration::from_secs(100 * 3600);

/// The write is accepted, but every read answers 404: the object is read again for fifteen minutes.
#[tokio::test]
async fn an_object_that_is_not_found_after_its_creation_is_read_for_fifteen_minutes() {
    let (tenant, asked) = reconciled(|_, _| {}, NEVER, answer(204, &[], Value::Null)).await;
    let StepState::Blocked { cause, .. } = state(&tenant) else { panic!("{:?}", state(&tenant)) };
    assert_eq!((cause.class, cause.code.as_str()), (FailureClass::ReplicationLag, "not-visible-yet"));
    let (last, _) = *asked.last().unwrap();
    assert!((BUDGET..BUDGET + STRIDE).contains(&last), "given up after {last} s");
    let waits: Vec<f64> = asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(waits.iter().all(|wait| *wait <= STRIDE), "{waits:?}");
    let early = waits.iter().take(8).sum::<f64>();
    assert!(early < 60.0, "the first reads come soon: {waits:?}");
    // The upsert by key is safe to repeat, but is not repeated at every read.
    let writes = asked.iter().filter(|(_, method)| *method == Method::Patch).count();
    let reads = asked.len() - writes;
    assert!((2..=4).contains(&writes) && reads > 3 * writes, "{writes} writes, {reads} reads");
}

/// An object that appears after up to fourteen minutes is within the wait budget.
#[tokio::test]
async fn an_object_that_appears_within_the_budget_is_ready() {
    for minutes in [1, 5, 9, 14] {
        let seen_after = Duration::from_secs(60 * minutes);
        let (tenant, asked) = reconciled(|_, _| {}, seen_after, answer(204, &[], Value::Null)).await;
        assert!(state(&tenant).is_ready(), "after {minutes} minutes: {asked:?}");
    }
}

/// A refusal because a dependency is not known yet has the same wait budget.
#[tokio::test]
async fn a_refusal_because_of_replication_lag_has_the_same_wait_budget() {
    let refusals = [
        (404, "Request_ResourceNotFound", ""),
        (400, "NoBackingApplicationObject", ""),
        (400, "Request_BadRequest", "The appId does not reference a valid application object."),
        (400, "PrincipalNotFound", ""),
    ];
    for (status, code, message) in refusals {
        let refusal = answer(status, &[], json!({"error": {"code": code, "message": message}}));
        let (tenant, asked) = reconciled(|_, _| {}, NEVER, refusal).await;
        let StepState::Blocked { cause, .. } = state(&tenant) else { panic!("{:?}", state(&tenant)) };
        assert_eq!((cause.class, cause.code.as_str()), (FailureClass::ReplicationLag, code));
        let (last, _) = *asked.last().unwrap();
        assert!((BUDGET..BUDGET + STRIDE).contains(&last), "{code}: given up after {last} s");
    }
}

/// An object was written just before, the answer was lost, and now the tenant is removed: within the wait budget,
/// "not found" does not prove that the object does not exist.
#[tokio::test]
async fn a_removal_does_not_treat_a_just_written_object_as_never_created() {
    let just_written = |tenant: &mut Tenant, now: Timestamp| {
        tenant.change_step(&plans::name("it"), |step| {
            step.enter(StepState::Writing);
            step.target = Some(json!({"uniqueName": "contoso", "owner": ["tenantry-tenant:contoso"]}));
            step.wrote_at = Some(now);
        });
        let by = plans::operation(tenant, Action::Deprovision, now);
        desired::remove(tenant, &by, now);
        tenant.operations.push(by);
    };
    let (tenant, asked) = reconciled(just_written, NEVER, answer(204, &[], Value::Null)).await;
    assert_eq!(tenant.status.as_str(), "deleted");
    let (last, _) = *asked.last().unwrap();
    assert!((BUDGET..BUDGET + STRIDE).contains(&last), "taken for deleted after {last} s");

    // If the object is shown after fourteen minutes, it is found and deleted. This directory still shows it after
    // that, so the step is blocked.
    let (_, asked) =
        reconciled(just_written, Duration::from_secs(14 * 60), answer(204, &[], Value::Null)).await;
    assert!(asked.iter().any(|(_, method)| *method == Method::Delete), "{asked:?}");
}
