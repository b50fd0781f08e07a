//! Requests that come as events: each is taken in like a message of the queue, all of a delivery or the delivery again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use common::{lab::Lab, request, signup};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry::{
    announce::HistoryRow,
    blueprint::{Blueprint, DEFAULT},
    host::{Answer, Functions as _, Invocation, Trigger, functions::find, routes::Routes},
    ids::TenantId,
    local::cloud::{Speed, local_stamp},
    ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored, World},
    runner::Settings,
    tenant::Tenant,
};

const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg/providers/Microsoft.EventGrid/topics/evgt";

/// A store that fails once, at the n-th thing that is asked of it, and answers nothing of what it did.
struct Moody {
    inner: Arc<dyn StateStore>,
    asked: AtomicUsize,
    fails_at: usize,
}

impl Moody {
    async fn mood<T>(&self, work: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let done = work.await;
        if self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.fails_at {
            return Err(StoreError::Unavailable("as told".to_owned()));
        }
        done
    }
}

impl StateStore for Moody {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        Box::pin(self.mood(self.inner.load(id)))
    }
    fn save<'a>(&'a self, of: &'a Tenant, seen: Option<&'a ETag>) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.mood(self.inner.save(of, seen)))
    }
    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.inner.list(after, limit)
    }
    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        Box::pin(self.mood(self.inner.request(key)))
    }
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.mood(self.inner.save_request(record, seen)))
    }
    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(self.mood(self.inner.blueprint(digest)))
    }
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.mood(self.inner.keep_blueprint(digest, text)))
    }
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        self.inner.due(now, limit)
    }
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.append(rows)
    }
    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        self.inner.history(id, limit)
    }
}

fn event(kind: &str, data: &Value) -> Value {
    json!({"id": "e", "topic": TOPIC, "subject": "", "eventType": kind, "dataVersion": "1", "data": data})
}

/// Two that are right and one that is not, between them.
fn delivery() -> Value {
    let bad = request("bad", "update", "contoso", json!({"tier": 7}));
    json!([
        event("io.tenantry.request.signup.v1", &signup("contoso")),
        event("io.tenantry.request.update.v1", &bad),
        event("io.tenantry.request.signup.v1", &signup("tailspin")),
    ])
}

async fn deliver(routes: &Routes) -> (u16, Value) {
    let request = json!({
        "Url": "http://localhost/api/events", "Method": "POST", "Query": {}, "Params": {},
        "Headers": {"aeg-event-type": ["Notification"]}, "Body": delivery().to_string(),
    });
    let envelope = json!({"Data": {"req": request}, "Metadata": {}}).to_string();
    let function = find("events").unwrap();
    let trigger = Trigger::parse(function, envelope.as_bytes()).unwrap();
    let call = Invocation { function: function.name.to_owned(), id: None, traceparent: None, trigger };
    let Answer::Http { status, body, .. } = routes.call(call).await else { panic!("no answer") };
    (status, serde_json::from_str(&body).unwrap())
}

/// All documents, and what subscribers were told, in no order.
async fn state(lab: &Lab) -> (Vec<Value>, Vec<String>) {
    let (tenants, _) = Listed::sorted_out(lab.world.store.list(None, 10).await.unwrap());
    let told = lab.subscribers.told().into_iter().map(|event| event.to_string());
    let mut told: Vec<String> = told.collect();
    told.sort_unstable();
    told.dedup();
    (tenants.iter().map(|tenant| json!(tenant)).collect(), told)
}

fn routes(lab: &Lab, fails_at: usize) -> (Routes, Arc<Moody>) {
    let inner = Arc::clone(&lab.world.store);
    let store = Arc::new(Moody { inner, asked: AtomicUsize::new(0), fails_at });
    let world = World { store: store.clone(), ..lab.world.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let routes = Routes::new(world, Settings::local("local"), vec![blueprint], vec![local_stamp()], "worker");
    (routes.taking_events_of(vec![TOPIC.to_owned()]), store)
}

#[tokio::test]
async fn what_could_not_be_saved_comes_again_and_the_rest_is_not_done_twice() {
    let taken = (200, json!({"accepted": 2, "rejected": 1}));
    let lab = Lab::new(Speed::Max).await;
    let (undisturbed, store) = routes(&lab, 0);
    assert_eq!(deliver(&undisturbed).await, taken);
    let (wanted, calls) = (state(&lab).await, store.asked.load(Ordering::SeqCst));
    assert_eq!((wanted.0.len(), wanted.1.len()), (2, 1), "two tenants and one refusal: {wanted:#?}");
    let mut again = 0;
    for fails_at in 1..=calls {
        let lab = Lab::new(Speed::Max).await;
        let (routes, _) = routes(&lab, fails_at);
        let (status, body) = deliver(&routes).await;
        if status == 200 {
            // It failed where only the telling of a refusal was in the way; the sweep will tell it.
            routes.runner.sweep().await.unwrap();
            assert_eq!(state(&lab).await, wanted, "at {fails_at}");
            continue;
        }
        assert_eq!((status, &body["title"]), (503, &json!("state unavailable")), "at {fails_at}");
        assert_eq!(deliver(&routes).await, taken, "at {fails_at}");
        assert_eq!(state(&lab).await, wanted, "at {fails_at}");
        again += 1;
    }
    assert!(again > 8, "only {again} of {calls} failures had it come again");
}
