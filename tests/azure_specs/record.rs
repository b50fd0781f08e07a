//! Records complete lifecycles of tenants of every shipped blueprint against the simulated Azure: all requests with
//! their answers.

use std::sync::{Arc, Mutex};

use azure_sim::Speed;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::{
    config::Isolation,
    intake::IntakeDecision,
    ports::{Ports, Transport},
    reconciler::{Progress, Reconciler, Settings},
    scan::IsolationScanner,
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    isolation::IsolationVerdict,
    steps::{Api, Failure, Method, Reply, Request},
    tenant::{Status, Tenant},
};

use crate::{
    testkit::{
        as_three, example,
        fixture::Fixture,
        injector::{Fault, FaultInjector},
        removal, repository, request, signup,
    },
    unregistered::UnregisteredProviders,
};

/// A request with the answer to it.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) reply: Reply,
}

/// A recorded lifecycle: its requests and answers, and the tenant's document when the tenant was first ready.
pub(crate) struct RecordedLifecycle {
    pub(crate) blueprint: String,
    pub(crate) ready: Tenant,
    pub(crate) exchanges: Vec<Exchange>,
    /// Requests to the poll URLs that Azure gave. No API description contains these paths.
    pub(crate) polls: Vec<Exchange>,
}

/// A transport that records all requests and answers.
struct Recording {
    inner: UnregisteredProviders,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

impl Transport for Recording {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let reply = self.inner.send(request.clone()).await?;
            self.seen.lock().unwrap().push(Exchange { request, reply: reply.clone() });
            Ok(reply)
        })
    }
}

/// The lifecycle of one tenant to be recorded: a sign-up, an update and a deprovision.
struct Lifecycle {
    blueprint: Blueprint,
    messages: Vec<(Value, Status)>,
    speed: Speed,
    fault: Fault,
    /// Whether the tenant's application is deleted by hand once the tenant is ready.
    deleted_by_hand: bool,
}

impl Lifecycle {
    fn new(blueprint: &str, signup: Value, update: Value, speed: Speed) -> Self {
        let body = signup.get("data").unwrap_or(&signup);
        let end = removal("the-end", body["tenantId"].as_str().unwrap());
        let messages = vec![(signup, Status::Active), (update, Status::Active), (end, Status::Deleted)];
        Self {
            blueprint: Blueprint::check(blueprint).unwrap().blueprint,
            messages,
            speed,
            fault: Fault::None,
            deleted_by_hand: false,
        }
    }

    /// Sends every change twice, so that the record also has writes of existing objects and deletes of missing ones.
    fn twice(self) -> Self {
        Self { fault: Fault::EveryChangeTwice, ..self }
    }

    /// Deletes the tenant's application by hand, so that the update recreates it.
    fn deleted_by_hand(self) -> Self {
        Self { deleted_by_hand: true, ..self }
    }

    async fn lived(&self) -> RecordedLifecycle {
        let fixture = Fixture::new(self.speed).await;
        let seen = Arc::<Mutex<Vec<Exchange>>>::default();
        let transport = Arc::new(Recording {
            inner: UnregisteredProviders::new(Arc::clone(&fixture.ports.transport)),
            seen: Arc::clone(&seen),
        });
        let ports = FaultInjector::new(self.fault, 0).inject(&Ports { transport, ..fixture.ports.clone() });
        let intake = Fixture::intake(&ports, &self.blueprint);
        let mut ready = None;
        for (message, end) in &self.messages {
            let answer = intake.take_in(message.to_string().as_bytes()).await.unwrap();
            assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
            let id = answer.tenant_id.unwrap();
            assert_eq!(rest(&fixture, &ports, &id).await, *end, "{message:#}");
            if ready.is_none() {
                ready = ports.store.load(&id).await.unwrap();
                // The isolation check of several tenants makes requests that the check of a single tenant does not
                // make.
                let tenant = ready.clone().unwrap().value;
                let reports = IsolationScanner::new(ports.clone(), &Isolation::default())
                    .verify(&as_three(tenant))
                    .await;
                assert_eq!(reports[0].verdict, IsolationVerdict::Verified, "{reports:#?}");
                if let Some(ready) = ready.as_ref().filter(|_| self.deleted_by_hand) {
                    let app_id = ready.value.exports["applicationId"].as_str().unwrap();
                    let path = format!("/v1.0/applications(appId='{app_id}')");
                    let delete = Request::new(Api::Graph, Method::Delete, path);
                    assert_eq!(fixture.ports.transport.send(delete).await.unwrap().status, 204);
                }
            }
        }
        let ready = ready.unwrap().value;
        let blueprint = ready.plan.blueprint.name.clone();
        let mut seen = seen.lock().unwrap().clone();
        seen.retain(|seen| !left_out(&seen.request));
        let (exchanges, polls) = seen.into_iter().partition(|seen| seen.request.path.starts_with('/'));
        RecordedLifecycle { blueprint, ready, exchanges, polls }
    }
}

/// Whether this copy of Graph's description leaves out the operation: the owners of a service principal (Microsoft
/// Graph, "List owners of a servicePrincipal").
fn left_out(request: &Request) -> bool {
    request.path.starts_with("/v1.0/servicePrincipals/") && request.path.contains("/owners?")
}

/// Reconciles a tenant until no work is left, and returns its status.
async fn rest(fixture: &Fixture, ports: &Ports, id: &TenantId) -> Status {
    let reconciler = Reconciler::new(ports.clone(), Settings::local("local"), "recorder".to_owned());
    for _ in 0..400 {
        match reconciler.reconcile(id).await.unwrap() {
            Progress::Settled(status) => return status,
            Progress::Requeued(at) | Progress::Held(at) => fixture.clock.jump_to(at),
            other => panic!("{id}: {other:?}"),
        }
    }
    panic!("{id} never came to rest");
}

/// Records the lifecycles of tenants of every shipped blueprint.
pub(crate) async fn lifecycles() -> Vec<RecordedLifecycle> {
    let scaled = |tenant: &str| {
        request(
            "more",
            "update",
            tenant,
            json!({"displayName": "Another Name", "parameters": {"instances": 3}}),
        )
    };
    let plain = |tenant: &str| {
        let mut signup = signup(tenant);
        let body = if signup.get("data").is_some() { &mut signup["data"] } else { &mut signup };
        body["spec"]["parameters"] = json!({});
        signup
    };
    let with = |tenant: &str, name: &str, value: Value| {
        request("more", "update", tenant, json!({"parameters": {name: value}}))
    };
    let shipped = |name: &str| std::fs::read_to_string(repository().join("blueprints").join(name)).unwrap();
    let (hello, language) = (shipped("hello.yaml"), shipped("language-service.yaml"));
    let count = std::fs::read_dir(repository().join("blueprints")).unwrap().count();
    assert_eq!(
        count, 3,
        "each blueprint that is shipped, the default one included, is to have its lifecycle here"
    );
    let replicated = with("fabrikam", "replication", json!("Standard_ZRS"));
    let larger = with("contoso", "capacity", json!(20));
    let (at_once, slowly) = (Speed::Max, Speed::Factor(30.0));
    let lifecycles = [
        Lifecycle::new(DEFAULT, signup("contoso"), scaled("contoso"), at_once),
        Lifecycle::new(DEFAULT, signup("contoso"), example("updates/contoso.json"), slowly),
        Lifecycle::new(DEFAULT, signup("tailspin"), scaled("tailspin"), at_once),
        Lifecycle::new(DEFAULT, signup("tailspin"), scaled("tailspin"), slowly),
        Lifecycle::new(DEFAULT, signup("contoso"), scaled("contoso"), at_once).twice(),
        Lifecycle::new(DEFAULT, signup("contoso"), scaled("contoso"), slowly).twice(),
        Lifecycle::new(DEFAULT, signup("contoso"), scaled("contoso"), at_once).deleted_by_hand(),
        Lifecycle::new(&hello, plain("fabrikam"), replicated, at_once),
        Lifecycle::new(&language, plain("contoso"), larger, at_once),
    ];
    let mut all = Vec::new();
    for lifecycle in &lifecycles {
        all.push(lifecycle.lived().await);
    }
    all
}
