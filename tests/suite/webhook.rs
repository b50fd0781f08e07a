//! Requests that arrive as events: each is taken in like a message from the queue. If one event of a delivery fails,
//! the whole delivery is repeated.

use std::sync::Arc;

use azure_sim::{Speed, local_stamp};
use serde_json::{Value, json};
use tenantry::{
    app::App,
    host::{Answer, Functions as _, Invocation, Trigger, functions::Function},
    ports::{Listed, Ports},
    reconciler::Settings,
};
use tenantry_core::blueprint::{Blueprint, DEFAULT};

use crate::testkit::{fixture::Fixture, moody::Moody, over::Wrapped, request, signup};

const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg/providers/Microsoft.EventGrid/topics/evgt";

fn event(kind: &str, data: &Value) -> Value {
    json!({"id": "e", "topic": TOPIC, "subject": "", "eventType": kind, "dataVersion": "1", "data": data})
}

/// A delivery of three events: two valid requests with an invalid one between them.
fn delivery() -> Value {
    let bad = request("bad", "update", "contoso", json!({"tier": 7}));
    json!([
        event("io.tenantry.request.signup.v1", &signup("contoso")),
        event("io.tenantry.request.update.v1", &bad),
        event("io.tenantry.request.signup.v1", &signup("tailspin")),
    ])
}

async fn deliver(app: &App) -> (u16, Value) {
    let request = json!({
        "Url": "http://localhost/api/events", "Method": "POST", "Query": {}, "Params": {},
        "Headers": {"aeg-event-type": ["Notification"]}, "Body": delivery().to_string(),
    });
    let envelope = json!({"Data": {"req": request}, "Metadata": {}}).to_string();
    let function = Function::named("events").unwrap();
    let trigger = Trigger::parse(function, envelope.as_bytes()).unwrap();
    let call = Invocation { function, id: None, traceparent: None, trigger };
    let Answer::Http { status, body, .. } = app.call(call).await else { panic!("no answer") };
    (status, serde_json::from_str(&body).unwrap())
}

/// All tenants' documents, and the published events, sorted and without duplicates.
async fn state(fixture: &Fixture) -> (Vec<Value>, Vec<String>) {
    let (tenants, _) = Listed::sorted_out(fixture.ports.store.list(None, 10).await.unwrap());
    let reported = fixture.subscribers.published().into_iter().map(|event| event.to_string());
    let mut reported: Vec<String> = reported.collect();
    reported.sort_unstable();
    reported.dedup();
    (tenants.iter().map(|tenant| json!(tenant)).collect(), reported)
}

fn app(fixture: &Fixture, fails_at: usize) -> (App, Arc<Wrapped<Moody>>) {
    let store = Arc::new(Moody::new(Arc::clone(&fixture.ports.store), fails_at));
    let ports = Ports { store: store.clone(), ..fixture.ports.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let app = App::new(ports, Settings::local("local"), vec![blueprint], vec![local_stamp()], "worker");
    (app.taking_events_of(vec![TOPIC.to_owned()]), store)
}

#[tokio::test]
async fn a_failed_delivery_is_repeated_and_no_request_is_carried_out_twice() {
    let taken = (200, json!({"accepted": 2, "replayed": 0, "rejected": 1}));
    let fixture = Fixture::new(Speed::Max).await;
    let (undisturbed, store) = app(&fixture, 0);
    assert_eq!(deliver(&undisturbed).await, taken);
    let (expected, calls) = (state(&fixture).await, store.0.asked());
    assert_eq!((expected.0.len(), expected.1.len()), (2, 1), "two tenants and one refusal: {expected:#?}");
    let mut again = 0;
    for fails_at in 1..=calls {
        let fixture = Fixture::new(Speed::Max).await;
        let (app, _) = app(&fixture, fails_at);
        let (status, body) = deliver(&app).await;
        if status == 200 {
            // Only the publishing of the rejection has failed; the sweep publishes it.
            app.reconciler.sweep().await.unwrap();
            assert_eq!(state(&fixture).await, expected, "at {fails_at}");
            continue;
        }
        assert_eq!((status, &body["title"]), (503, &json!("state unavailable")), "at {fails_at}");
        let (status, body) = deliver(&app).await;
        let count = |name: &str| body[name].as_u64().unwrap();
        assert_eq!((status, count("rejected")), (200, 1), "at {fails_at}");
        assert_eq!(count("accepted") + count("replayed"), 2, "at {fails_at}: {body}");
        assert_eq!(state(&fixture).await, expected, "at {fails_at}");
        again += 1;
    }
    assert!(again > 8, "only {again} of {calls} failures led to a repeated delivery");
}
