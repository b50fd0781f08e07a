//! A complete local environment in this process: queue, state, host, simulated Azure and the HTTP API on a free port.

use std::{path::Path, sync::Arc};

use azure_sim::{Speed, queue::NewMessage};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    host::bind,
    local::{
        environment::{LocalEnvironment, LocalSettings},
        host::EmbeddedHost,
    },
    ports::{Clock as _, SystemClock},
};
use tenantry_core::blueprint::{Blueprint, DEFAULT};
use tokio::task::JoinHandle;

use super::{
    judge::{list, text, types},
    until,
};

pub(crate) struct Harness {
    pub(crate) local: LocalEnvironment,
    pub(crate) base: String,
    client: reqwest::Client,
    front: JoinHandle<()>,
    _host: EmbeddedHost,
    folder: Arc<TempDir>,
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.front.abort();
    }
}

/// The status and the JSON body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Harness {
    /// A harness with the default blueprint. Operations in its simulated Azure complete at once.
    pub(crate) async fn new() -> Self {
        Self::at(Speed::Max).await
    }

    pub(crate) async fn at(speed: Speed) -> Self {
        Self::with(speed, &[DEFAULT]).await
    }

    /// A harness with these blueprints; the first one is the default for sign-ups.
    pub(crate) async fn with(speed: Speed, blueprints: &[&str]) -> Self {
        Self::over(Arc::new(super::folder()), speed, blueprints, false).await
    }

    /// A harness that continues with the state in a folder.
    pub(crate) async fn in_folder(folder: Arc<TempDir>) -> Self {
        Self::over(folder, Speed::Max, &[DEFAULT], false).await
    }

    /// Deletes tenantry's state and starts again with the same simulated Azure.
    pub(crate) async fn with_its_state_lost(self) -> Self {
        let folder = self.ended().await;
        std::fs::remove_file(folder.path().join("state.redb")).unwrap();
        Self::over(folder, Speed::Max, &[DEFAULT], true).await
    }

    /// Restarts with the same state and the same simulated Azure, and with these blueprints in the folder.
    pub(crate) async fn again(self, blueprints: &[&str]) -> Self {
        let folder = self.ended().await;
        Self::over(folder, Speed::Max, blueprints, false).await
    }

    /// Stops everything and returns the folder, which keeps the files.
    async fn ended(self) -> Arc<TempDir> {
        let folder = Arc::clone(&self.folder);
        drop(self);
        // The writers release the files a moment after the last handle.
        for file in ["state.redb", "azure.redb"] {
            until(file, async || {
                let opened = redb::Database::open(folder.path().join(file));
                opened.map(drop).map_err(|error| json!(error.to_string()))
            })
            .await;
        }
        folder
    }

    async fn over(folder: Arc<TempDir>, speed: Speed, blueprints: &[&str], adopt_state: bool) -> Self {
        let local = open(folder.path(), speed, blueprints, adopt_state).await;
        let host = local.host().await.unwrap();
        let listener = bind(0).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app: axum::Router = host.router().merge(local.cloud.router());
        let front = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { local, base, client: crate::testkit::client(), front, _host: host, folder }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.body
    }

    pub(crate) async fn tenant(&self, id: &str) -> Value {
        self.get(&format!("/api/tenants/{id}")).await
    }

    /// Posts a request to the HTTP API.
    pub(crate) async fn submit(&self, body: &Value) -> Answer {
        self.call(Method::POST, "/api/tenants", Some(body)).await
    }

    /// Posts a request that must be accepted, and returns the answer's body.
    #[track_caller]
    pub(crate) fn accept<'a>(&'a self, body: &'a Value) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let answer = self.submit(body).await;
            assert_eq!(answer.status, 202, "{at}: {:#}", answer.body);
            answer.body
        }
    }

    /// Posts a request again; `first` is the answer to the first time. The new answer must have the same operation
    /// and be marked as a replay. Returns its body.
    #[track_caller]
    pub(crate) fn repeat<'a>(
        &'a self,
        body: &'a Value,
        first: &'a Value,
    ) -> impl Future<Output = Value> + 'a {
        let at = std::panic::Location::caller();
        async move {
            let Answer { status, body } = self.submit(body).await;
            let answered = (status, &body["replayed"], &body["decision"], body["status"].is_string());
            assert_eq!(answered, (200, &json!(true), &json!("accepted"), true), "{at}: {body:#}");
            assert_eq!(body["operationId"], first["operationId"], "{at}: {body:#}");
            body
        }
    }

    /// Sends a request to the queue, as a signup app does.
    pub(crate) async fn enqueue(&self, body: &Value) {
        let session = body.get("tenantId").or_else(|| body.pointer("/data/tenantId"));
        let message = NewMessage {
            session_id: session.and_then(Value::as_str).map(str::to_owned),
            body: body.to_string().into_bytes(),
            ..NewMessage::default()
        };
        self.local.queue.send("tenant-requests", message, SystemClock.now()).await.unwrap();
    }

    pub(crate) async fn retry(&self, id: &str, body: &Value) -> Answer {
        self.call(Method::POST, &format!("/api/tenants/{id}/retry"), Some(body)).await
    }

    /// Waits until a tenant has this status, and returns the tenant.
    pub(crate) async fn until_is(&self, id: &str, status: &str) -> Value {
        until(&format!("{id} is {status}"), async || {
            let tenant = self.tenant(id).await;
            if text(&tenant, "/status") == status { Ok(tenant) } else { Err(tenant) }
        })
        .await
    }

    pub(crate) async fn events(&self, id: &str) -> Vec<Value> {
        list(&self.get(&format!("/_sim/events?tenant={id}")).await).to_vec()
    }

    /// Waits until `times` events of a type are published for a tenant, and returns all events of the tenant.
    pub(crate) async fn until_published(&self, id: &str, kind: &str, times: usize) -> Vec<Value> {
        until(&format!("{kind} is published {times} times for {id}"), async || {
            let events = self.events(id).await;
            let count = types(&events).iter().filter(|published| **published == kind).count();
            if count >= times { Ok(events) } else { Err(self.tenant(id).await) }
        })
        .await
    }

    pub(crate) async fn objects(&self, id: &str) -> Value {
        self.get(&format!("/_sim/objects?tenant={id}")).await
    }

    pub(crate) async fn journal(&self) -> Value {
        self.get("/_sim/journal").await
    }

    pub(crate) async fn fault(&self, fault: Value) {
        let answer = self.call(Method::POST, "/_sim/faults", Some(&fault)).await;
        assert_eq!(answer.status, 204, "{:#}", answer.body);
    }

    pub(crate) async fn no_more_faults(&self) {
        assert_eq!(self.call(Method::DELETE, "/_sim/faults", None).await.status, 204);
    }

    /// Calls a function of the handler with a queue message, through the host's admin API.
    pub(crate) async fn run_function(&self, name: &str, input: &Value) -> u16 {
        let body = json!({"input": input.to_string()});
        self.call(Method::POST, &format!("/admin/functions/{name}"), Some(&body)).await.status
    }
}

/// Opens a local environment in a folder.
pub(crate) async fn open(
    data: &Path,
    speed: Speed,
    blueprints: &[&str],
    adopt_state: bool,
) -> LocalEnvironment {
    let blueprints = blueprints.iter().map(|text| Blueprint::check(text).unwrap().blueprint).collect();
    let settings = LocalSettings {
        data: data.to_owned(),
        speed,
        deployment: "local".to_owned(),
        blueprints,
        event_topics: Vec::new(),
        isolation: tenantry::config::Isolation::default(),
        adopt_state,
    };
    LocalEnvironment::open(settings).await.unwrap()
}
