//! A simulated Azure on a free port, with a temporary file and a clock that only the test moves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use azure_sim::{
    Cloud, CloudSettings, DIRECTORY_ID, SUBSCRIPTION_ID, Speed,
    db::Db,
    local_stamp,
    queue::{BrokerSettings, Queue},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) const GROUPS: &str = "2024-07-01";
pub(crate) const ML: &str = "2024-10-01";
pub(crate) const NET: &str = "2024-03-01";
pub(crate) const ROLES: &str = "2022-04-01";

pub(crate) struct Fixture {
    _folder: TempDir,
    clock: Arc<AtomicI64>,
    settings: CloudSettings,
    server: JoinHandle<()>,
    base: String,
    secret: String,
    client: reqwest::Client,
}

/// An answer with its body parsed as JSON.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Asserts that the answer has this status, and returns it.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:#}", self.body);
        self
    }

    /// Asserts that the answer is a refusal with this status and code, and returns it.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{:#}", self.body);
        self
    }
}

impl Fixture {
    /// A simulated Azure that accepts every token and has no queues.
    pub(crate) async fn new(speed: Speed) -> Self {
        Self::with(|settings, _| settings.speed(speed)).await
    }

    /// A simulated Azure that accepts only tokens that it has issued, for ten minutes, and that has tenantry's
    /// queues.
    pub(crate) async fn strict() -> Self {
        Self::with(|settings, folder| {
            let queues = Db::open(&folder.path().join("queue.redb")).unwrap();
            let queue = Queue::open(queues, BrokerSettings::default()).unwrap();
            settings.strict(true).token_life(Duration::from_secs(600)).queue(queue)
        })
        .await
    }

    async fn with(change: impl FnOnce(CloudSettings, &TempDir) -> CloudSettings) -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(AtomicI64::new(1_790_000_000));
        let ticking = Arc::clone(&clock);
        let now = Arc::new(move || Timestamp::from_second(ticking.load(Ordering::SeqCst)).unwrap());
        let settings = change(CloudSettings::new(folder.path().join("cloud.redb"), now), &folder);
        let (server, base, secret) = serve(&settings).await;
        Self { _folder: folder, clock, settings, server, base, secret, client: crate::testkit::client() }
    }

    /// Ends the server as a kill does, and starts another one with the same file.
    pub(crate) async fn restart(&mut self) {
        self.server.abort();
        assert!((&mut self.server).await.unwrap_err().is_cancelled());
        self.client = crate::testkit::client();
        (self.server, self.base, self.secret) = serve(&self.settings).await;
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The secret that requests to the identity endpoint need.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }

    /// The value of an `Authorization` header with a new token for this audience.
    pub(crate) async fn bearer(&self, audience: &str) -> String {
        let path = format!("/msi/token?api-version=2019-08-01&resource={audience}");
        let answer = self.try_send("GET", &path, &[("x-identity-header", &self.secret)], None).await.unwrap();
        format!("Bearer {}", answer.is(200).text("/access_token"))
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_xml = headers.get("content-type").is_some_and(|kind| kind == "application/xml; charset=utf-8");
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            _ if is_xml => Value::String(text),
            _ => serde_json::from_str(&text).unwrap(),
        };
        Ok(Answer { status, headers, body })
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.try_send(method, path, &[("content-type", "application/json")], body).await.unwrap()
    }

    pub(crate) async fn get(&self, id: &str, version: &str) -> Answer {
        self.send("GET", &format!("{id}?api-version={version}"), None).await
    }

    pub(crate) async fn put(&self, id: &str, version: &str, body: Value) -> Answer {
        self.send("PUT", &format!("{id}?api-version={version}"), Some(body)).await
    }

    pub(crate) async fn delete(&self, id: &str, version: &str) -> Answer {
        self.send("DELETE", &format!("{id}?api-version={version}"), None).await
    }

    pub(crate) async fn upsert(&self, path: &str, body: Value) -> Answer {
        let headers = [("content-type", "application/json"), ("prefer", "create-if-missing")];
        self.try_send("PATCH", path, &headers, Some(body)).await.unwrap()
    }

    pub(crate) async fn sim(&self, path: &str) -> Value {
        self.send("GET", &format!("/_sim/{path}"), None).await.is(200).body
    }

    pub(crate) async fn fault(&self, fault: Value) {
        self.send("POST", "/_sim/faults", Some(fault)).await.is(204);
    }

    /// Creates a resource group that is named after the tenant and has its ownership tag. Returns the group's id.
    pub(crate) async fn group(&self, tenant: &str) -> String {
        let id = group(tenant);
        let tags = json!({ "tenantry-tenant": tenant });
        let answer = self.put(&id, GROUPS, json!({ "location": "westeurope", "tags": tags })).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        id
    }

    /// Creates the resources that a workspace needs, and waits for their operations. Returns their ids by the names
    /// of the workspace's properties.
    pub(crate) async fn dependencies(&self, group: &str, short: &str) -> Value {
        let storage = format!("{group}/providers/Microsoft.Storage/storageAccounts/st{short}");
        let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/kv-{short}");
        let insights = format!("{group}/providers/Microsoft.Insights/components/appi-{short}");
        self.put(&storage, "2023-05-01", storage_body()).await.is(202);
        self.put(&vault, "2023-07-01", vault_body()).await.is(201);
        self.put(&insights, "2020-02-02", insights_body()).await.is(200);
        self.pass(60);
        json!({ "storageAccount": storage, "keyVault": vault, "applicationInsights": insights })
    }

    pub(crate) async fn workspace(&self, group: &str, short: &str) -> String {
        let properties = self.dependencies(group, short).await;
        let id = format!("{group}/providers/Microsoft.MachineLearningServices/workspaces/mlw-{short}");
        let body = json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" }, "properties": properties });
        self.put(&id, ML, body).await.is(202);
        self.pass(60);
        id
    }

    pub(crate) async fn endpoint(&self, workspace: &str, name: &str) -> String {
        let id = format!("{workspace}/onlineEndpoints/{name}");
        self.put(&id, ML, endpoint_body()).await.is(201);
        self.pass(120);
        id
    }
}

async fn serve(settings: &CloudSettings) -> (JoinHandle<()>, String, String) {
    // The writer of a previous server closes the file a moment after its last handle is dropped.
    let mut attempts = 0;
    let cloud = loop {
        match Cloud::open(settings.clone()).await {
            Ok(cloud) => break cloud,
            Err(error) if attempts > 10_000 => panic!("{error}"),
            Err(_) => attempts += 1,
        }
        tokio::task::yield_now().await;
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let secret = cloud.identity_header().to_owned();
    (tokio::spawn(async move { cloud.serve(listener).await.unwrap() }), base, secret)
}

pub(crate) fn group(tenant: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-{tenant}")
}

pub(crate) fn stamp(pointer: &str) -> String {
    local_stamp().pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

pub(crate) fn storage_body() -> Value {
    json!({ "location": "westeurope", "kind": "StorageV2", "sku": { "name": "Standard_LRS" } })
}

pub(crate) fn vault_body() -> Value {
    json!({ "location": "westeurope", "properties": {
        "tenantId": DIRECTORY_ID, "sku": { "family": "A", "name": "standard" }, "enableRbacAuthorization": true } })
}

pub(crate) fn insights_body() -> Value {
    json!({ "location": "westeurope", "kind": "web", "properties": { "Application_Type": "web" } })
}

pub(crate) fn endpoint_body() -> Value {
    json!({ "location": "westeurope", "identity": { "type": "SystemAssigned" },
        "properties": { "authMode": "AADToken", "publicNetworkAccess": "Disabled" } })
}

pub(crate) fn deployment_body() -> Value {
    json!({ "location": "westeurope", "sku": { "name": "Default", "capacity": 1 },
        "properties": { "endpointComputeType": "Managed", "instanceType": "Standard_DS3_v2" } })
}

pub(crate) fn private_endpoint_body(target: &str) -> Value {
    json!({ "location": "westeurope", "properties": {
        "subnet": { "id": stamp("/subnetId") },
        "privateLinkServiceConnections": [{ "name": "link", "properties": {
            "privateLinkServiceId": target, "groupIds": ["amlworkspace"] } }] } })
}
