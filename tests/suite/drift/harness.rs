//! Tenants of the default blueprint in a simulated Azure that checks permissions, and a person who changes their
//! objects without tenantry.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use azure_sim::{Speed, local_stamp};
use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use tenantry::{
    intake::IntakeDecision,
    local::access,
    ports::{Ports, Transport},
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

use super::Mutation;
use crate::testkit::{fixture::Fixture, signup};

/// The caller that changes objects without tenantry.
pub(crate) const MALLORY: &str = "mallory@contoso.example";

pub(crate) struct DriftHarness {
    pub(crate) fixture: Fixture,
    pub(crate) heal: BTreeSet<DriftClass>,
    client: reqwest::Client,
}

impl DriftHarness {
    /// Signs these samples up and reconciles them until all are active; the provisioner has the derived permissions.
    pub(crate) async fn new(samples: &[&str]) -> Self {
        Self::with(samples, |_| {}).await
    }

    /// Like `new`, with changed permissions.
    pub(crate) async fn with(samples: &[&str], change: impl FnOnce(&mut Permissions)) -> Self {
        let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
        let mut permissions = derive(std::slice::from_ref(&blueprint), &[local_stamp()], &[]).unwrap();
        change(&mut permissions);
        let access = access::granted(&permissions, &[local_stamp()], None).unwrap();
        let fixture = Fixture::guarded(Speed::Max, access).await;
        let harness = Self { fixture, heal: BTreeSet::new(), client: crate::testkit::client() };
        let intake = Fixture::intake(&harness.fixture.ports, &blueprint);
        for sample in samples {
            let answer = intake.take_in(signup(sample).to_string().as_bytes()).await.unwrap();
            assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
            harness.reconcile(sample).await;
            assert_eq!(harness.tenant(sample).await.status.as_str(), "active");
        }
        harness.fixture.clock.pass(Duration::from_secs(60));
        harness
    }

    /// Reconciles a tenant until nothing is left to do.
    pub(crate) async fn reconcile(&self, tenant: &str) {
        let id: TenantId = tenant.parse().unwrap();
        for worker in 0..400 {
            let mut settings = Settings::local("local");
            settings.policy.visibility = Duration::ZERO;
            let reconciler =
                Reconciler::new(self.fixture.ports.clone(), settings, format!("worker-{worker}"));
            match reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(_) => return,
                Progress::Requeued(at) | Progress::Held(at) => self.fixture.clock.jump_to(at),
                Progress::Unknown => panic!("there is no tenant {id}"),
            }
        }
        panic!("never came to rest: {:#?}", self.tenant(tenant).await.steps())
    }

    pub(crate) async fn tenant(&self, id: &str) -> Tenant {
        self.fixture.ports.store.load(&id.parse().unwrap()).await.unwrap().unwrap().value
    }

    pub(crate) fn scanner(&self) -> DriftScanner {
        self.scanner_in(self.fixture.ports.clone())
    }

    pub(crate) fn scanner_in(&self, ports: Ports) -> DriftScanner {
        let mut scanner = DriftScanner::new(ports, Duration::ZERO);
        scanner.heal(&self.heal);
        scanner
    }

    /// The drift report that a person gets on a tenant.
    pub(crate) async fn scan(&self, tenant: &str) -> DriftReport {
        self.scanner().scan(&self.tenant(tenant).await).await.unwrap()
    }

    /// Runs the scan of the timer function once, and reconciles the tenants for which it recorded a change of their
    /// drift; then an hour passes. Returns the reports on those tenants.
    pub(crate) async fn tick(&self) -> Vec<DriftReport> {
        let (reports, recorded) = self.scanner().run(100).await.unwrap();
        for tenant in &recorded {
            self.reconcile(tenant.as_str()).await;
        }
        self.fixture.clock.pass(Duration::from_secs(3600));
        reports.into_iter().filter(|report| recorded.contains(&report.tenant_id)).collect()
    }

    /// Runs the scan of the timer function once with these ports, and reconciles no tenant; then an hour passes.
    /// Returns whether the scan succeeded.
    pub(crate) async fn tick_in(&self, ports: Ports) -> bool {
        let scan = self.scanner_in(ports).run(100).await;
        self.fixture.clock.pass(Duration::from_secs(3600));
        scan.is_ok()
    }

    /// The events about a tenant's drift, oldest first: the last part of the type, and the data.
    pub(crate) fn events(&self, tenant: &str) -> Vec<(String, Value)> {
        let events =
            self.fixture.subscribers.published().into_iter().filter(|event| event["tenantid"] == tenant);
        events
            .filter_map(|event| {
                let kind =
                    event["type"].as_str()?.strip_prefix("io.tenantry.tenant.drift.")?.strip_suffix(".v1")?;
                Some((kind.to_owned(), event["data"].clone()))
            })
            .collect()
    }

    pub(crate) fn kinds(&self, tenant: &str) -> Vec<String> {
        self.events(tenant).into_iter().map(|(kind, _)| kind).collect()
    }

    /// Sends a request to the simulated Azure as [`MALLORY`], who may do everything.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = self.client.request(method.clone(), format!("{}{path}", self.fixture.base()));
        let mut request = request.header("x-sim-caller", MALLORY).header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The path and query of a step's object.
    pub(crate) async fn object_path(&self, tenant: &str, step: &str) -> String {
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

    /// Changes one value of a step's object; `null` removes a member.
    pub(crate) async fn change(&self, tenant: &str, step: &str, pointer: &str, value: Value) {
        let path = self.object_path(tenant, step).await;
        if path.starts_with("/v1.0/") {
            let mut patch = value;
            for name in pointer.rsplit('/').filter(|name| !name.is_empty()) {
                patch = json!({ name: patch });
            }
            self.send(Method::PATCH, &path, Some(&patch)).await;
            return;
        }
        let mut body = self.send(Method::GET, &path, None).await;
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let members = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
        self.send(Method::PUT, &path, Some(&body)).await;
    }

    /// Applies a mutation to contoso's object; returns its description.
    pub(crate) async fn mutate(&self, step: &str, mutation: &Mutation) -> String {
        match mutation {
            Mutation::Change(at, value) => {
                self.change("contoso", step, at, value.clone()).await;
                format!("{step}{at} = {value}")
            }
            Mutation::Delete => {
                self.delete("contoso", step).await;
                format!("{step} deleted")
            }
        }
    }

    pub(crate) async fn delete(&self, tenant: &str, step: &str) {
        let path = self.object_path(tenant, step).await;
        self.send(Method::DELETE, &path, None).await;
    }
}

/// An item in short: step, path, severity.
pub(crate) fn short(item: &Item) -> (String, String, &'static str) {
    (item.step.to_string(), item.path.clone(), item.severity.as_str())
}

/// Ports whose transport returns the reply of `bend` if there is one, and panics if a request is not a read.
pub(crate) fn bent(ports: &Ports, bend: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Ports {
    Ports { transport: Arc::new(Bent { inner: Arc::clone(&ports.transport), bend }), ..ports.clone() }
}

struct Bent<F> {
    inner: Arc<dyn Transport>,
    bend: F,
}

impl<F: Fn(&Request) -> Option<Reply> + Send + Sync> Transport for Bent<F> {
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
