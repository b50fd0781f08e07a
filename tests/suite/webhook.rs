//! Requests that come as events: each is taken in like a message of the queue, all of a delivery or the delivery again.

use std::sync::Arc;

use azure_sim::{Speed, local_stamp};
use serde_json::{Value, json};
use tenantry::{
    app::App,
    host::{Answer, Functions as _, Invocation, Trigger, functions::Function},
    ports::{Listed, World},
    reconciler::Settings,
};
use tenantry_core::blueprint::{Blueprint, DEFAULT};

use crate::testkit::{lab::Lab, moody::Moody, over::Wrapped, request, signup};

const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg/providers/Microsoft.EventGrid/topics/evgt";

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

/// All documents, and what subscribers were told, in no order.
async fn state(lab: &Lab) -> (Vec<Value>, Vec<String>) {
    let (tenants, _) = Listed::sorted_out(lab.world.store.list(None, 10).await.unwrap());
    let told = lab.subscribers.told().into_iter().map(|event| event.to_string());
    let mut told: Vec<String> = told.collect();
    told.sort_unstable();
    told.dedup();
    (tenants.iter().map(|tenant| json!(tenant)).collect(), told)
}

fn app(lab: &Lab, fails_at: usize) -> (App, Arc<Wrapped<Moody>>) {
    let store = Arc::new(Moody::new(Arc::clone(&lab.world.store), fails_at));
    let world = World { store: store.clone(), ..lab.world.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let app = App::new(world, Settings::local("local"), vec![blueprint], vec![local_stamp()], "worker");
    (app.taking_events_of(vec![TOPIC.to_owned()]), store)
}

#[tokio::test]
async fn what_could_not_be_saved_comes_again_and_the_rest_is_not_done_twice() {
    let taken = (200, json!({"accepted": 2, "replayed": 0, "rejected": 1}));
    let lab = Lab::new(Speed::Max).await;
    let (undisturbed, store) = app(&lab, 0);
    assert_eq!(deliver(&undisturbed).await, taken);
    let (wanted, calls) = (state(&lab).await, store.0.asked());
    assert_eq!((wanted.0.len(), wanted.1.len()), (2, 1), "two tenants and one refusal: {wanted:#?}");
    let mut again = 0;
    for fails_at in 1..=calls {
        let lab = Lab::new(Speed::Max).await;
        let (app, _) = app(&lab, fails_at);
        let (status, body) = deliver(&app).await;
        if status == 200 {
            // It failed where only the telling of a refusal was in the way; the sweep will tell it.
            app.reconciler.sweep().await.unwrap();
            assert_eq!(state(&lab).await, wanted, "at {fails_at}");
            continue;
        }
        assert_eq!((status, &body["title"]), (503, &json!("state unavailable")), "at {fails_at}");
        let (status, body) = deliver(&app).await;
        let count = |name: &str| body[name].as_u64().unwrap();
        assert_eq!((status, count("rejected")), (200, 1), "at {fails_at}");
        assert_eq!(count("accepted") + count("replayed"), 2, "at {fails_at}: {body}");
        assert_eq!(state(&lab).await, wanted, "at {fails_at}");
        again += 1;
    }
    assert!(again > 8, "only {again} of {calls} failures had it come again");
}
