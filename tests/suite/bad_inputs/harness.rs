//! A local environment whose handler is called over HTTP, exactly as the Functions host calls it.

use std::collections::BTreeSet;

use azure_sim::Speed;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    host::{bind, serve},
    intake::{IntakeDecision, RequestAnswer},
    local::environment::{LocalEnvironment, LocalSettings},
    ports::Listed,
    reconciler::Progress,
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    tenant::{Channel, Status, Tenant},
};
use tokio::task::JoinHandle;

use super::case::{Case, Expected, signup};

/// The id of the tenant that tests sign up for cases that need an existing tenant.
pub(crate) const LIVE: &str = "northwind";

/// The Event Grid topic whose events are accepted as requests.
pub(crate) const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg-shop/providers/Microsoft.EventGrid/topics/evgt-shop";
/// The source whose CloudEvents are accepted as requests.
pub(crate) const SOURCE: &str = "/shop/signups";

/// A blueprint with one resource group, whose tag `customer` is the tenant's display name.
const BLUEPRINT: &str = "
blueprint: hello
version: 1.0.0
schema: tenantry.blueprint/1
tiers: [dedicated]
steps:
  group:
    kind: arm
    type: Microsoft.Resources/resourceGroups
    body: { tags: { customer: '{{ tenant.displayName }}' } }
exports:
  group: '{{ steps.group.name }}'
";

/// Events stay below this size: Event Grid bills in units of 64 KB, and subscribers expect no larger events.
const MAX_EVENT_BYTES: usize = 64 * 1024;

pub(crate) struct Harness {
    folder: TempDir,
    pub(crate) local: LocalEnvironment,
    pub(crate) port: u16,
    client: reqwest::Client,
    server: JoinHandle<()>,
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Everything that a bad input must not change, and the number of events so far.
pub(crate) struct Census {
    pub(crate) events: usize,
    pub(crate) objects: BTreeSet<String>,
    pub(crate) tenants: BTreeSet<String>,
}

impl Harness {
    pub(crate) async fn open() -> Self {
        Self::of(BLUEPRINT).await
    }

    /// A harness whose blueprint has a second group that a suspended tenant does not have.
    #[allow(dead_code, reason = "the tests of the intake use it")]
    pub(crate) async fn suspendable() -> Self {
        let access =
            "  access: { kind: arm, type: Microsoft.Resources/resourceGroups, when: not tenant.suspended }\n";
        Self::of(&BLUEPRINT.replace("exports:", &format!("{access}exports:"))).await
    }

    async fn of(blueprint: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = LocalSettings {
            data: folder.path().to_owned(),
            speed: Speed::Max,
            deployment: "test".to_owned(),
            blueprints: vec![Blueprint::check(blueprint).unwrap().blueprint],
            event_topics: vec![TOPIC.to_owned(), SOURCE.to_owned()],
            isolation: tenantry::config::Isolation::default(),
            adopt_state: false,
        };
        let local = LocalEnvironment::open(settings).await.unwrap();
        let listener = bind(0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = local.app.clone();
        let server = tokio::spawn(async move { serve(listener, app, std::future::pending()).await.unwrap() });
        Self { folder, local, port, client: crate::testkit::client(), server }
    }

    /// Signs a tenant up and waits until it is active.
    pub(crate) async fn sign_up(&self, id: &str) -> Tenant {
        let mut body = signup(&format!("signup-{id}"));
        body["tenantId"] = id.into();
        self.deliver(body.to_string().as_bytes(), &json!({})).await;
        self.settled(&id.parse().unwrap()).await
    }

    /// Delivers a queue message; panics unless the answer is 200, which completes the message.
    pub(crate) async fn deliver(&self, body: &[u8], metadata: &Value) {
        self.delivered(body, metadata).await;
    }

    /// Delivers a queue message; returns the lines that the function logs.
    #[allow(dead_code, reason = "the tests of the intake use it")]
    pub(crate) async fn logs(&self, body: &[u8]) -> String {
        self.delivered(body, &json!({})).await["Logs"].to_string()
    }

    async fn delivered(&self, body: &[u8], metadata: &Value) -> Value {
        let envelope = json!({"Data": {"requestMsg": BASE64_STANDARD.encode(body)}, "Metadata": metadata});
        let (status, reply) = self.post("requests", &envelope).await;
        assert_eq!(status, 200, "{reply}");
        assert!(reply.get("Outputs").is_some_and(Value::is_object), "{reply}");
        reply
    }

    /// Posts a body to the HTTP function `tenants`; returns the status and body that the caller gets.
    pub(crate) async fn submit(&self, body: &[u8]) -> (u16, Value) {
        let octets = json!({"Content-Type": ["application/octet-stream"]});
        self.call(
            "tenants",
            json!({"Method": "POST", "Body": BASE64_STANDARD.encode(body), "Headers": octets}),
        )
        .await
    }

    /// Calls an HTTP function; members that the request lacks get default values. Returns the status and body that the
    /// caller gets.
    pub(crate) async fn call(&self, function: &str, mut request: Value) -> (u16, Value) {
        for (name, value) in [
            ("Url", json!("http://localhost/api/tenants")),
            ("Query", json!({})),
            ("Params", json!({})),
            ("Headers", json!({})),
        ] {
            request.as_object_mut().unwrap().entry(name).or_insert(value);
        }
        let (status, reply) = self.post(function, &json!({"Data": {"req": request}, "Metadata": {}})).await;
        assert_eq!(status, 200, "{reply}");
        let response = &reply["Outputs"]["res"];
        let body = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        (u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap(), body)
    }

    /// Calls the webhook; returns the status, headers and body that the caller gets.
    pub(crate) async fn webhook(&self, method: &str, headers: &Value, body: &str) -> (u16, Value, String) {
        let request = json!({
            "Url": "http://localhost/api/events", "Method": method, "Query": {}, "Params": {},
            "Headers": headers, "Body": body,
        });
        let (status, reply) = self.post("events", &json!({"Data": {"req": request}, "Metadata": {}})).await;
        assert_eq!(status, 200, "{reply}");
        let response = &reply["Outputs"]["res"];
        let status = u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap();
        (status, response["headers"].clone(), response["body"].as_str().unwrap().to_owned())
    }

    async fn post(&self, function: &str, envelope: &Value) -> (u16, Value) {
        let url = format!("http://127.0.0.1:{}/{function}", self.port);
        let reply = self.client.post(url).json(envelope).send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    pub(crate) async fn answer_to(&self, body: &[u8]) -> Option<RequestAnswer> {
        self.local.app.intake.answer_to(&self.local.app.intake.lookup(body)).await.unwrap()
    }

    pub(crate) async fn tenant(&self, id: &TenantId) -> Option<Tenant> {
        self.local.ports.store.load(id).await.unwrap().map(|stored| stored.value)
    }

    /// Reconciles a tenant until nothing is left to do.
    pub(crate) async fn settled(&self, id: &TenantId) -> Tenant {
        for _ in 0..200 {
            match self.local.app.reconciler.reconcile(id).await.unwrap() {
                Progress::Requeued(at) | Progress::Held(at) => self.local.ports.clock.sleep_until(at).await,
                Progress::Settled(_) => return self.tenant(id).await.unwrap(),
                Progress::Unknown => panic!("there is no tenant {id}"),
            }
        }
        panic!("tenant {id} does not settle");
    }

    async fn simulator(&self, what: &str) -> Vec<Value> {
        let port = std::fs::read_to_string(self.folder.path().join("azure.port")).unwrap();
        let url = format!("http://127.0.0.1:{}/_sim/{what}", port.trim());
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn events(&self) -> Vec<Value> {
        self.simulator("events").await
    }

    pub(crate) async fn census(&self) -> Census {
        let objects = self.simulator("objects").await;
        let (tenants, _) = Listed::sorted_out(self.local.ports.store.list(None, 1000).await.unwrap());
        Census {
            events: self.events().await.len(),
            objects: objects.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect(),
            tenants: tenants.iter().map(|tenant| tenant.id.to_string()).collect(),
        }
    }

    /// Asserts that a case got the expected answer, and had all required effects and no others.
    pub(crate) async fn judge(&self, case: &Case, answer: &RequestAnswer, before: &Census, context: &str) {
        match case.expected {
            Expected::Refused { code, pointer } => {
                let first = answer.faults.first().map(|fault| fault.pointer.as_str());
                let seen = (answer.decision, answer.code.as_deref(), first);
                assert_eq!(
                    seen,
                    (IntakeDecision::Rejected, Some(code), Some(pointer)),
                    "{context}: {answer:?}"
                );
                self.changed_nothing(case, answer, before, context).await;
            }
            Expected::Taken { .. } => {
                assert_eq!(answer.decision, IntakeDecision::Accepted, "{context}: {answer:?}");
                self.created_one_tenant(answer, before, context).await;
            }
        }
    }

    async fn changed_nothing(&self, case: &Case, answer: &RequestAnswer, before: &Census, context: &str) {
        let after = self.census().await;
        assert_eq!(
            (after.objects, after.tenants),
            (before.objects.clone(), before.tenants.clone()),
            "{context}"
        );
        let published = self.events().await.split_off(before.events);
        let [event] = published.as_slice() else {
            panic!("{context}: {} events: {published:#?}", published.len())
        };
        let kind = if answer.kept_as.is_some() { "message.rejected" } else { "tenant.request.rejected" };
        assert_eq!(event["type"], format!("io.tenantry.{kind}.v1"), "{context}");
        assert_eq!(event["data"]["code"], json!(answer.code), "{context}");
        assert_eq!(event["data"]["pointer"], answer.faults[0].pointer, "{context}");
        assert!(
            event.to_string().len() < MAX_EVENT_BYTES,
            "{context}: an event of {} bytes",
            event.to_string().len()
        );
        for (name, value) in event.as_object().unwrap().iter().filter(|(name, _)| *name != "data") {
            let text = value.as_str().unwrap();
            assert!(
                text.len() <= 256 && !text.contains(char::is_control),
                "{context}: attribute {name} is {text:?}"
            );
        }
        let key = self.local.app.intake.record_of(&Channel::Queue, answer).unwrap();
        let record = self.local.ports.store.request(&key).await.unwrap().unwrap().value;
        assert!(record.outbox.is_empty(), "{context}: it will be published again");
        if answer.kept_as.is_some() {
            let kept = BASE64_STANDARD.decode(record.kept_body.unwrap()).unwrap();
            assert!(
                case.body.starts_with(&kept) && kept.len() >= case.body.len().min(64 * 1024),
                "{context}: not kept"
            );
        }
    }

    async fn created_one_tenant(&self, answer: &RequestAnswer, before: &Census, context: &str) {
        let id = answer.tenant_id.clone().unwrap();
        let tenant = self.settled(&id).await;
        assert_eq!(tenant.status, Status::Active, "{context}");
        let after = self.census().await;
        let new: Vec<&String> = after.tenants.difference(&before.tenants).collect();
        assert_eq!(new, [&id.to_string()], "{context}");
        assert_eq!(after.objects.difference(&before.objects).count(), 1, "{context}: one object per slot");
        let published = self.events().await.split_off(before.events);
        let kinds: Vec<&str> = published.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected = ["tenant.request.accepted", "tenant.provision.started", "tenant.provision.succeeded"];
        assert_eq!(kinds, expected.map(|kind| format!("io.tenantry.{kind}.v1")), "{context}");
        let group = &tenant.plan.steps[&"group".parse().unwrap()];
        let tags = &group.desired.to_json()["body"]["tags"];
        assert_eq!(tags["customer"], tenant.spec.display_name, "{context}: the name was changed");
    }
}
