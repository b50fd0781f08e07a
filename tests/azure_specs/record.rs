//! Whole lives of tenants of every shipped blueprint against the simulated Azure, with all that went over the wire.

use std::sync::{Arc, Mutex};

use azure_sim::Speed;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry::{
    config::Isolation,
    intake::IntakeDecision,
    ports::{Wire, World},
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
        gremlin::{Gremlin, Trouble},
        lab::Lab,
        removal, repository, request, signup,
    },
    understudy::Understudy,
};

/// A request with its answer.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Request,
    pub(crate) reply: Reply,
}

/// A whole life: what went over the wire, and the tenant as it was when it was first ready.
pub(crate) struct Lived {
    pub(crate) blueprint: String,
    pub(crate) ready: Tenant,
    pub(crate) exchanges: Vec<Exchange>,
    /// What went to the URLs that Azure gave for asking; no description knows their paths.
    pub(crate) polls: Vec<Exchange>,
}

/// A wire that remembers what went over it.
struct Recording {
    inner: Understudy,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

impl Wire for Recording {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let reply = self.inner.send(request.clone()).await?;
            self.seen.lock().unwrap().push(Exchange { request, reply: reply.clone() });
            Ok(reply)
        })
    }
}

/// What becomes of one tenant: a sign-up, updates, a removal.
struct Life {
    blueprint: Blueprint,
    messages: Vec<(Value, Status)>,
    speed: Speed,
    trouble: Trouble,
    /// Whether somebody deletes its application by hand once it is ready.
    deleted_by_hand: bool,
}

impl Life {
    fn new(blueprint: &str, signup: Value, update: Value, speed: Speed) -> Self {
        let body = signup.get("data").unwrap_or(&signup);
        let end = removal("the-end", body["tenantId"].as_str().unwrap());
        let messages = vec![(signup, Status::Active), (update, Status::Active), (end, Status::Deleted)];
        Self {
            blueprint: Blueprint::check(blueprint).unwrap().blueprint,
            messages,
            speed,
            trouble: Trouble::None,
            deleted_by_hand: false,
        }
    }

    /// With every change sent twice, so that Azure is asked to make what is there and to remove what is gone.
    fn twice(self) -> Self {
        Self { trouble: Trouble::EveryChangeTwice, ..self }
    }

    /// With the application deleted by hand, so that the update brings it back.
    fn deleted_by_hand(self) -> Self {
        Self { deleted_by_hand: true, ..self }
    }

    async fn lived(&self) -> Lived {
        let lab = Lab::new(self.speed).await;
        let seen = Arc::<Mutex<Vec<Exchange>>>::default();
        let wire = Arc::new(Recording {
            inner: Understudy::new(Arc::clone(&lab.world.wire)),
            seen: Arc::clone(&seen),
        });
        let world = Gremlin::new(self.trouble, 0).haunt(&World { wire, ..lab.world.clone() });
        let intake = Lab::intake(&world, &self.blueprint);
        let mut ready = None;
        for (message, end) in &self.messages {
            let answer = intake.take_in(message.to_string().as_bytes()).await.unwrap();
            assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
            let id = answer.tenant_id.unwrap();
            assert_eq!(rest(&lab, &world, &id).await, *end, "{message:#}");
            if ready.is_none() {
                ready = world.store.load(&id).await.unwrap();
                // Of many tenants a proof asks for what a single one's does not.
                let tenant = ready.clone().unwrap().value;
                let reports = IsolationScanner::new(world.clone(), &Isolation::default())
                    .verify(&as_three(tenant))
                    .await;
                assert_eq!(reports[0].verdict, IsolationVerdict::Verified, "{reports:#?}");
                if let Some(ready) = ready.as_ref().filter(|_| self.deleted_by_hand) {
                    let app_id = ready.value.exports["applicationId"].as_str().unwrap();
                    let path = format!("/v1.0/applications(appId='{app_id}')");
                    let delete = Request::new(Api::Graph, Method::Delete, path);
                    assert_eq!(lab.world.wire.send(delete).await.unwrap().status, 204);
                }
            }
        }
        let ready = ready.unwrap().value;
        let blueprint = ready.plan.blueprint.name.clone();
        let mut seen = seen.lock().unwrap().clone();
        seen.retain(|seen| !left_out(&seen.request));
        let (exchanges, polls) = seen.into_iter().partition(|seen| seen.request.path.starts_with('/'));
        Lived { blueprint, ready, exchanges, polls }
    }
}

/// What Graph has and its description here, an excerpt, leaves out: who owns a service principal (Microsoft Graph, "List
/// owners of a servicePrincipal").
fn left_out(request: &Request) -> bool {
    request.path.starts_with("/v1.0/servicePrincipals/") && request.path.contains("/owners?")
}

/// Drives a tenant until nothing is left to do.
async fn rest(lab: &Lab, world: &World, id: &TenantId) -> Status {
    let reconciler = Reconciler::new(world.clone(), Settings::local("local"), "recorder".to_owned());
    for _ in 0..400 {
        match reconciler.reconcile(id).await.unwrap() {
            Progress::Settled(status) => return status,
            Progress::Parked(at) | Progress::Held(at) => lab.clock.jump_to(at),
            other => panic!("{id}: {other:?}"),
        }
    }
    panic!("{id} never came to rest");
}

/// What went over the wire in lives of tenants of every blueprint that is shipped.
pub(crate) async fn lives() -> Vec<Lived> {
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
        "each blueprint that is shipped, the default one included, is to have its life here"
    );
    let replicated = with("fabrikam", "replication", json!("Standard_ZRS"));
    let larger = with("contoso", "capacity", json!(20));
    let (at_once, slowly) = (Speed::Max, Speed::Factor(30.0));
    let lives = [
        Life::new(DEFAULT, signup("contoso"), scaled("contoso"), at_once),
        Life::new(DEFAULT, signup("contoso"), example("updates/contoso.json"), slowly),
        Life::new(DEFAULT, signup("tailspin"), scaled("tailspin"), at_once),
        Life::new(DEFAULT, signup("tailspin"), scaled("tailspin"), slowly),
        Life::new(DEFAULT, signup("contoso"), scaled("contoso"), at_once).twice(),
        Life::new(DEFAULT, signup("contoso"), scaled("contoso"), slowly).twice(),
        Life::new(DEFAULT, signup("contoso"), scaled("contoso"), at_once).deleted_by_hand(),
        Life::new(&hello, plain("fabrikam"), replicated, at_once),
        Life::new(&language, plain("contoso"), larger, at_once),
    ];
    let mut all = Vec::new();
    for life in &lives {
        all.push(life.lived().await);
    }
    all
}
