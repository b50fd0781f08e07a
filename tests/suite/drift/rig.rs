//! Tenants of the default blueprint in a simulated Azure in which only what is granted is allowed, and somebody who changes
//! things behind tenantry's back.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use azure_sim::{Speed, local_stamp};
use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    intake::IntakeDecision,
    local::access,
    ports::{Wire, World},
    reconciler::{Progress, Reconciler, Settings},
    scan::DriftScanner,
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    drift::{DriftClass, DriftReport, Item},
    ids::TenantId,
    permissions::{Permissions, derive},
    steps::{Failure, Reply, Request},
    tenant::Tenant,
};

use super::Deed;
use crate::testkit::{lab::Lab, signup};

/// Who changes things.
pub(crate) const MALLORY: &str = "mallory@contoso.example";

pub(crate) struct Rig {
    pub(crate) lab: Lab,
    pub(crate) heal: BTreeSet<DriftClass>,
    client: reqwest::Client,
}

impl Rig {
    /// These samples, all active, with all rights that are derived.
    pub(crate) async fn new(samples: &[&str]) -> Self {
        Self::with(samples, |_| {}).await
    }

    /// The same with other rights.
    pub(crate) async fn with(samples: &[&str], change: impl FnOnce(&mut Permissions)) -> Self {
        let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
        let mut permissions = derive(std::slice::from_ref(&blueprint), &[local_stamp()], &[]).unwrap();
        change(&mut permissions);
        let access = access::granted(&permissions, &[local_stamp()], None).unwrap();
        let lab = Lab::guarded(Speed::Max, access).await;
        let rig = Self { lab, heal: BTreeSet::new(), client: reqwest::Client::new() };
        let intake = Lab::intake(&rig.lab.world, &blueprint);
        for sample in samples {
            let answer = intake.take_in(signup(sample).to_string().as_bytes()).await.unwrap();
            assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
            rig.reconcile(sample).await;
            assert_eq!(rig.tenant(sample).await.status.word(), "active");
        }
        rig.lab.clock.pass(Duration::from_secs(60));
        rig
    }

    /// Drives a tenant until nothing is left to do.
    pub(crate) async fn reconcile(&self, tenant: &str) {
        let id: TenantId = tenant.parse().unwrap();
        for worker in 0..400 {
            let mut settings = Settings::local("local");
            settings.policy.visibility = Duration::ZERO;
            let reconciler = Reconciler::new(self.lab.world.clone(), settings, format!("worker-{worker}"));
            match reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(_) => return,
                Progress::Parked(at) | Progress::Held(at) => self.lab.clock.jump_to(at),
                Progress::Unknown => panic!("nobody knows {id}"),
            }
        }
        panic!("never came to rest: {:#?}", self.tenant(tenant).await.steps())
    }

    pub(crate) async fn tenant(&self, id: &str) -> Tenant {
        self.lab.world.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value
    }

    pub(crate) fn scanner(&self) -> DriftScanner {
        self.scanner_in(self.lab.world.clone())
    }

    pub(crate) fn scanner_in(&self, world: World) -> DriftScanner {
        let mut scanner = DriftScanner::new(world, Duration::ZERO);
        scanner.heal(&self.heal);
        scanner
    }

    /// What a person gets who asks about a tenant.
    pub(crate) async fn scan(&self, tenant: &str) -> DriftReport {
        self.scanner().scan(&self.tenant(tenant).await).await.unwrap()
    }

    /// One tick of the timer with all that follows; the reports on those of whom something was recorded. An hour passes.
    pub(crate) async fn tick(&self) -> Vec<DriftReport> {
        let (reports, told) = self.scanner().run(100).await.unwrap();
        for tenant in &told {
            self.reconcile(tenant.as_str()).await;
        }
        self.lab.clock.pass(Duration::from_secs(3600));
        reports.into_iter().filter(|report| told.contains(&report.tenant_id)).collect()
    }

    /// A tick in a world where things go wrong; whether it came to an end.
    pub(crate) async fn tick_in(&self, world: World) -> bool {
        let scan = self.scanner_in(world).run(100).await;
        self.lab.clock.pass(Duration::from_secs(3600));
        scan.is_ok()
    }

    /// The events about drift, oldest first: the type's last word, and the data.
    pub(crate) fn told(&self, tenant: &str) -> Vec<(String, Value)> {
        let told = self.lab.subscribers.told().into_iter().filter(|event| event["tenantid"] == tenant);
        told.filter_map(|event| {
            let kind =
                event["type"].as_str()?.strip_prefix("io.tenantry.tenant.drift.")?.strip_suffix(".v1")?;
            Some((kind.to_owned(), event["data"].clone()))
        })
        .collect()
    }

    pub(crate) fn kinds(&self, tenant: &str) -> Vec<String> {
        self.told(tenant).into_iter().map(|(kind, _)| kind).collect()
    }

    /// Sends as Mallory, who may do everything.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = self.client.request(method.clone(), format!("{}{path}", self.lab.base()));
        let mut request = request.header("x-sim-caller", MALLORY).header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Where the object of a step is: path and query.
    pub(crate) async fn place(&self, tenant: &str, step: &str) -> String {
        let document = self.tenant(tenant).await;
        let name = step.parse().unwrap();
        let fields = document.plan.render(&name, &document.outputs()).unwrap().to_json();
        let field = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
        match step {
            "application" => format!("/v1.0/applications(uniqueName='{}')", field("uniqueName")),
            "service_principal" => format!("/v1.0/servicePrincipals(appId='{}')", field("appId")),
            "federated_credential" => format!(
                "/v1.0/applications/{}/federatedIdentityCredentials(name='{}')",
                field("application"),
                field("name")
            ),
            "scorer" | "data_reader" => {
                let id = document.steps()[&name].outputs["id"].as_str().unwrap();
                format!("{id}?api-version=2022-04-01")
            }
            _ => format!("{}?api-version={}", field("id"), field("apiVersion")),
        }
    }

    /// Changes one value of a step's object; `null` takes a member away.
    pub(crate) async fn change(&self, tenant: &str, step: &str, pointer: &str, value: Value) {
        let place = self.place(tenant, step).await;
        if place.starts_with("/v1.0/") {
            let mut patch = value;
            for name in pointer.rsplit('/').filter(|name| !name.is_empty()) {
                patch = json!({ name: patch });
            }
            self.send(Method::PATCH, &place, Some(&patch)).await;
            return;
        }
        let mut body = self.send(Method::GET, &place, None).await;
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let members = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
        self.send(Method::PUT, &place, Some(&body)).await;
    }

    /// Does a deed of the table to contoso's object, and says what it was.
    pub(crate) async fn do_it(&self, step: &str, deed: &Deed) -> String {
        match deed {
            Deed::Change(at, value) => {
                self.change("contoso", step, at, value.clone()).await;
                format!("{step}{at} = {value}")
            }
            Deed::Delete => {
                self.delete("contoso", step).await;
                format!("{step} deleted")
            }
        }
    }

    pub(crate) async fn delete(&self, tenant: &str, step: &str) {
        let place = self.place(tenant, step).await;
        self.send(Method::DELETE, &place, None).await;
    }
}

/// An item in short: step, path, severity.
pub(crate) fn short(item: &Item) -> (String, String, &'static str) {
    (item.step.to_string(), item.path.clone(), item.severity.word())
}

/// A world whose wire answers some questions otherwise, and sends nothing that could change something.
pub(crate) fn bent(world: &World, bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> World {
    World { wire: Arc::new(Bent { inner: Arc::clone(&world.wire), bend }), ..world.clone() }
}

struct Bent<F> {
    inner: Arc<dyn Wire>,
    bend: F,
}

impl<F: Fn(&Request) -> Option<Reply> + Send + Sync> Wire for Bent<F> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        assert_eq!(request.method, tenantry_core::steps::Method::Get, "a scan only reads");
        match (self.bend)(&request) {
            Some(reply) => Box::pin(async move { Ok(reply) }),
            None => self.inner.send(request),
        }
    }
}

pub(crate) fn refusal(status: u16, code: &str) -> Reply {
    Reply { status, body: json!({"error": {"code": code}}), ..Reply::default() }
}
