//! One resource, one operation on it, and the reconciler. All answers are scripted, and time is virtual.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex},
};

use azure_sim::db::Db;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    local::state::LocalState,
    ports::{Clock as _, Ports, Scheduler, StateStore, Transport},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Desired, Kind, Plan, PlannedStep},
    engine::desired,
    ids::TenantId,
    steps::{Failure, Method, Reply, Request},
    tenant::{Action, StepRecord, StepState, Tenant},
};

use super::plans;
use crate::testkit::{
    self,
    fixture::{Jumping, Subscribers},
    injector::{Fault, FaultInjector},
};

const ID: &str = "/subscriptions/sub/resourceGroups/g/providers/Microsoft.Things/things/it";

/// The scripted answers in their order; the last answer to a read is repeated.
pub(crate) struct Script {
    pub(crate) start: Reply,
    pub(crate) polls: Vec<Reply>,
    pub(crate) reads: Vec<Reply>,
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reply { status, headers: headers.collect(), body }
}

/// The resource's body as Azure shows it with this provisioning state.
pub(crate) fn resource(state: &str) -> Value {
    json!({"id": ID, "location": "westeurope", "properties": {"provisioningState": state, "url": "https://shown"}})
}

/// The result of a script: each request with its time and answer, and the tenant at the end.
pub(crate) struct Played {
    lines: Vec<(f64, String, u16, String)>,
    removes: bool,
    tenant: Tenant,
}

impl Played {
    /// Whether the step is ready and has the resource's output or, in a removal, whether the tenant is removed.
    pub(crate) fn done(&self) -> bool {
        match self.tenant.steps().get(&plans::name("it")) {
            // A removed tenant has no steps.
            None => self.removes,
            Some(step) => step.state.is_ready() && step.outputs["url"] == "https://shown",
        }
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.lines.iter().filter(|(_, line, ..)| line.starts_with(what)).count()
    }

    /// The URLs that were polled, in order.
    pub(crate) fn asked(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|(_, line, ..)| line.strip_prefix("GET "))
            .filter(|to| *to != "resource")
            .collect()
    }

    pub(crate) fn last(&self) -> &str {
        self.lines.last().map_or("", |(_, line, ..)| line)
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, line, status, detail) in &self.lines {
            let line = if line.len() > 100 {
                format!("{}... {} bytes", &line[..50], line.len() - 4)
            } else {
                line.clone()
            };
            writeln!(f, "    +{at:>7.1} s  {line:<48} {status} {detail}")?;
        }
        match self.tenant.steps().get(&plans::name("it")) {
            None => writeln!(f, "    it is deleted"),
            Some(StepRecord { state: StepState::Blocked { cause, .. }, .. }) => {
                let class = json!(cause.class);
                writeln!(f, "    it is blocked, {}: {cause}", class.as_str().unwrap())
            }
            Some(step) => writeln!(f, "    it is {}", step.state.as_str()),
        }
    }
}

struct Scripted {
    script: Mutex<(Reply, VecDeque<Reply>, VecDeque<Reply>)>,
    lines: Mutex<Vec<(f64, String, u16, String)>>,
    store: Arc<dyn StateStore>,
    clock: Arc<Jumping>,
    start: Timestamp,
}

impl Scripted {
    fn answer(&self, request: &Request) -> Reply {
        let mut script = self.script.lock().unwrap();
        let (start, polls, reads) = &mut *script;
        let to = if request.path.starts_with(ID) { "resource" } else { request.path.as_str() };
        let reply = match (request.method, to) {
            (Method::Get, "resource") if reads.len() > 1 => reads.pop_front().unwrap(),
            (Method::Get, "resource") => reads.front().unwrap().clone(),
            (Method::Get, _) => polls.pop_front().unwrap_or_else(|| panic!("too many polls: {to}")),
            _ => start.clone(),
        };
        let at = self.clock.now().duration_since(self.start).as_secs_f64();
        let pointers = ["/status", "/properties/provisioningState", "/error/code"];
        let detail = pointers.iter().find_map(|at| reply.body.pointer(at)?.as_str()).unwrap_or_default();
        let line = format!("{} {to}", request.method);
        self.lines.lock().unwrap().push((at, line, reply.status, detail.to_owned()));
        reply
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let stored = self.store.load(&id()).await.unwrap().unwrap().value;
            let state = &stored.steps()[&plans::name("it")].state;
            if request.mutates() {
                assert!(state.is_writing(), "the intent is saved before the request is sent");
            } else if !request.path.starts_with(ID) {
                let saved = state.operation().map(|poll| poll.url.as_str());
                assert_eq!(saved, Some(request.path.as_str()), "a URL is saved before it is polled");
            }
            Ok(self.answer(&request))
        })
    }
}

/// A scheduler that loses every wake-up: the loop in `played_with` starts the next pass.
struct LostWakeUps;

impl Scheduler for LostWakeUps {
    fn schedule<'a>(&'a self, _: &'a TenantId, _: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) fn id() -> TenantId {
    "contoso".parse().unwrap()
}

fn plan() -> Plan {
    let fields = json!({"id": ID, "type": "Microsoft.Things/things", "apiVersion": "2024-01-01", "body": {"location": "westeurope"}});
    let step = PlannedStep {
        desired: Desired::read(Kind::Arm, &fields, &BTreeMap::new()).unwrap(),
        needs: [].into(),
        outputs: BTreeMap::from([("url".to_owned(), "/properties/url".to_owned())]),
        digest: String::new(),
    };
    Plan { steps: BTreeMap::from([(plans::name("it"), step)]), ..plans::plan("") }
}

/// A tenant with one step, which is to be created or removed.
fn tenant(removes: bool, now: Timestamp) -> Tenant {
    let mut tenant = plans::tenant(plan(), now);
    if removes {
        tenant.change_step(&plans::name("it"), |step| {
            step.enter(StepState::Ready);
            step.target = Some(json!({"id": ID, "apiVersion": "2024-01-01"}));
        });
        let by = plans::operation(&tenant, Action::Deprovision, now);
        desired::remove(&mut tenant, &by, now);
        tenant.operations.push(by);
    }
    tenant.due_at = Some(now);
    tenant
}

pub(crate) async fn store(folder: &TempDir) -> Arc<dyn StateStore> {
    let db = Db::open(&folder.path().join("state.redb")).unwrap();
    Arc::new(LocalState::open(db).await.unwrap())
}

pub(crate) fn ports(
    store: &Arc<dyn StateStore>,
    transport: Arc<dyn Transport>,
    clock: &Arc<Jumping>,
) -> Ports {
    Ports {
        store: Arc::clone(store),
        transport,
        prober: None,
        publisher: Arc::<Subscribers>::default(),
        scheduler: Arc::new(LostWakeUps),
        clock: clock.clone(),
    }
}

pub(crate) async fn played(removes: bool, script: Script) -> Played {
    played_with(Fault::None, 0, removes, script).await
}

/// Reconciles a tenant against a script until its status is settled, with a fault at one point and a new worker after
/// each crash.
pub(crate) async fn played_with(fault: Fault, at: usize, removes: bool, script: Script) -> Played {
    let folder = testkit::folder();
    let (clock, store) = (Jumping::new(), store(&folder).await);
    let start = clock.now();
    store.save(&tenant(removes, start), None).await.unwrap();
    let azure = Arc::new(Scripted {
        script: Mutex::new((script.start, script.polls.into(), script.reads.into())),
        lines: Mutex::default(),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        start,
    });
    let ports = ports(&store, azure.clone(), &clock);
    let injector = FaultInjector::new(fault, at);
    let ports = injector.inject(&ports);
    for worker in 0..200 {
        let reconciler = Reconciler::new(ports.clone(), Settings::azure("test"), format!("worker-{worker}"));
        match injector.mortal(reconciler.reconcile(&id())).await {
            None => {}
            Some(Ok(Progress::Requeued(at) | Progress::Held(at))) => clock.jump_to(at),
            Some(Ok(Progress::Settled(_))) => break,
            Some(other) => panic!("{other:?}"),
        }
    }
    assert!(injector.struck());
    let tenant = store.load(&id()).await.unwrap().unwrap().value;
    let lines = std::mem::take(&mut *azure.lines.lock().unwrap());
    Played { lines, removes, tenant }
}
