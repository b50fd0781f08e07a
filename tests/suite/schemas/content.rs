//! The lifecycles of a few tenants in a local environment without a host, from the first message to the last event.

use std::collections::BTreeMap;

use azure_sim::Speed;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    host::bind,
    intake::{IntakeDecision, RequestAnswer},
    local::environment::{LocalEnvironment, LocalSettings},
    ports::{Clock as _, SystemClock},
    reconciler::Progress,
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    tenant::{Channel, HistoryRow},
};
use tokio::task::JoinHandle;

/// The answers, events and history rows that a run has produced.
pub(crate) struct Recorded {
    pub(crate) answers: Vec<Value>,
    pub(crate) events: Vec<Value>,
    /// Each tenant's history rows, oldest first.
    pub(crate) history: BTreeMap<String, Vec<HistoryRow>>,
}

/// A local environment, and access to the test API of its simulated Azure.
pub(crate) struct Harness {
    local: LocalEnvironment,
    window: String,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Harness {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let local = LocalEnvironment::open(LocalSettings {
            data: folder.path().to_owned(),
            speed: Speed::Max,
            deployment: "test".to_owned(),
            blueprints: vec![Blueprint::check(DEFAULT).unwrap().blueprint],
            event_topics: Vec::new(),
            isolation: tenantry::config::Isolation::default(),
            adopt_state: false,
        })
        .await
        .unwrap();
        let listener = bind(0).await.unwrap();
        let window = format!("http://{}/_sim", listener.local_addr().unwrap());
        let router = local.cloud.router();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { local, window, server, _folder: folder }
    }

    /// Takes a message in, and publishes the event if it is rejected. Returns the answer.
    pub(crate) async fn take_in(&self, message: &Value) -> Value {
        let answer: RequestAnswer =
            self.local.app.intake.take_in(message.to_string().as_bytes()).await.unwrap();
        if answer.decision != IntakeDecision::Accepted
            && let Some(key) = self.local.app.intake.record_of(&Channel::Queue, &answer)
        {
            self.local.app.reconciler.publish_refusal(&key).await.unwrap();
        }
        json!(answer)
    }

    /// Reconciles a tenant until its status is settled.
    async fn settle(&self, tenant: &str) {
        let id: TenantId = tenant.parse().unwrap();
        for _ in 0..1000 {
            match self.local.app.reconciler.reconcile(&id).await.unwrap() {
                Progress::Settled(_) => return,
                Progress::Requeued(until) | Progress::Held(until) => SystemClock.sleep_until(until).await,
                Progress::Unknown => panic!("tenant {tenant} is unknown"),
            }
        }
        panic!("tenant {tenant} does not settle");
    }

    /// Makes the simulated Azure refuse the next write of an online endpoint.
    async fn refuse_next_endpoint(&self, status: u16, code: &str) {
        let fault = json!({
            "match": {"method": "PUT", "pathContains": "onlineEndpoints"},
            "answer": {"status": status, "body": {"error": {"code": code, "message": "No."}}},
        });
        let client = crate::testkit::client();
        let posted = client.post(format!("{}/faults", self.window)).body(fault.to_string()).send().await;
        assert!(posted.unwrap().status().is_success());
    }

    /// Renames a tenant's application by hand and back: the drift is reported, and then its end.
    async fn drift(&self, tenant: &str) {
        let stored = self.local.ports.store.load(&tenant.parse().unwrap()).await.unwrap().unwrap();
        let app_id = stored.value.exports["applicationId"].as_str().unwrap();
        let application = self.window.replace("/_sim", &format!("/v1.0/applications(appId='{app_id}')"));
        for name in ["Somebody Else", &stored.value.spec.display_name] {
            let patch = json!({"displayName": name}).to_string();
            let patched = crate::testkit::client().patch(&application).body(patch).send().await;
            assert!(patched.unwrap().status().is_success());
            let (_, reported) = self.local.app.drift_scanner.run(100).await.unwrap();
            assert_eq!(reported.len(), 1);
            self.settle(tenant).await;
        }
    }

    async fn events(&self) -> Vec<Value> {
        let text =
            crate::testkit::get(format!("{}/events", self.window)).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    async fn history(&self, tenant: &str) -> Vec<HistoryRow> {
        let mut rows = self.local.ports.store.history(&tenant.parse().unwrap(), 1000).await.unwrap();
        rows.reverse();
        rows
    }
}

fn request(id: &str, action: &str, tenant: &str, spec: Value) -> Value {
    json!({"schema": "tenantry.request/1", "requestId": id, "action": action, "tenantId": tenant, "spec": spec})
}

fn sign_up(id: &str, tenant: &str) -> Value {
    request(id, "signup", tenant, json!({"displayName": "A Customer", "tier": "pooled"}))
}

/// Runs several tenants: one that is rejected, then provisioned, updated, suspended, resumed and removed; one that
/// waits for a permission; one that fails; and one that is removed before its work begins. Sends messages that are no
/// requests, too.
pub(crate) async fn record() -> Recorded {
    let harness = Harness::new().await;
    let mut answers = Vec::new();
    for message in [
        json!("not a request"),
        request("t-0", "adopt", "tailspin", json!({})),
        request("t-1", "signup", "tailspin", json!({"displayName": "Tailspin", "tier": "gold"})),
        sign_up("t-2", "tailspin"),
        sign_up("t-3", "tailspin"),
        request("t-2", "deprovision", "tailspin", json!({})),
    ] {
        answers.push(harness.take_in(&message).await);
    }
    harness.settle("tailspin").await;
    harness.drift("tailspin").await;
    for (id, action, spec) in [
        ("t-4", "update", json!({"displayName": "Tailspin Games"})),
        ("t-4-s", "suspend", json!({"reason": "billing", "mode": "compute"})),
        ("t-4-r", "resume", json!({"reason": "paid"})),
        ("t-5", "deprovision", json!({"reason": "contract ended"})),
    ] {
        answers.push(harness.take_in(&request(id, action, "tailspin", spec)).await);
        harness.settle("tailspin").await;
    }
    for (tenant, status, code) in
        [("northwind", 403, "AuthorizationFailed"), ("wingtip", 400, "RequestDisallowedByPolicy")]
    {
        harness.refuse_next_endpoint(status, code).await;
        answers.push(harness.take_in(&sign_up(&format!("{tenant}-1"), tenant)).await);
        harness.settle(tenant).await;
    }
    answers.push(harness.take_in(&request("northwind-2", "retry", "northwind", json!({}))).await);
    harness.settle("northwind").await;
    answers.push(harness.take_in(&sign_up("litware-1", "litware")).await);
    answers.push(harness.take_in(&request("litware-2", "deprovision", "litware", json!({}))).await);
    harness.settle("litware").await;
    let mut history = BTreeMap::new();
    for tenant in ["tailspin", "northwind", "wingtip", "litware"] {
        history.insert(tenant.to_owned(), harness.history(tenant).await);
    }
    Recorded { answers, events: harness.events().await, history }
}
