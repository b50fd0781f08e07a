//! A tenant is changed by the channel that signed it up, and by operators.

use serde_json::{Value, json};
use tenantry::intake::{IntakeDecision, RequestAnswer};
use tenantry_core::tenant::{Channel, Goal, Tenant};

use super::{live, refused, request, signup};
use crate::bad_inputs::stage::{LIVE, SOURCE, Stage, TOPIC};

const OTHER: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg-b/providers/Microsoft.EventGrid/topics/evgt-b";

fn topic(id: &str) -> Channel {
    Channel::Topic(id.to_lowercase())
}

async fn take_in(stage: &Stage, channel: &Channel, message: &Value) -> RequestAnswer {
    stage.local.app.intake.take_in_from(channel, message.to_string().as_bytes()).await.unwrap()
}

/// One of each request about a tenant, with ids of their own.
fn requests(mark: &str) -> Vec<Value> {
    let identity = json!({"parameters": {"federatedIdentity": {"issuer": "https://evil.example.com/", "subject": "me"}}});
    [
        ("update", identity),
        ("suspend", json!({"reason": "billing"})),
        ("resume", json!({})),
        ("deprovision", json!({})),
        ("retry", json!({})),
    ]
    .into_iter()
    .map(|(action, spec)| request(action, &format!("{mark}-{action}"), LIVE, spec))
    .collect()
}

async fn signed_up(channel: &Channel) -> (Stage, Tenant) {
    let stage = Stage::suspendable().await;
    let answer = take_in(&stage, channel, &signup("first", LIVE)).await;
    assert_eq!(answer.verdict, IntakeDecision::Accepted, "{answer:?}");
    stage.settled(&LIVE.parse().unwrap()).await;
    let tenant = live(&stage).await;
    assert_eq!(&tenant.channel, channel);
    (stage, tenant)
}

#[tokio::test]
async fn strangers_are_refused_whatever_they_ask_and_learn_nothing() {
    let source = Channel::Source(TOPIC.to_lowercase());
    for (owner, strangers) in [
        (topic(TOPIC), [topic(OTHER), source.clone(), Channel::Queue]),
        (Channel::Queue, [topic(OTHER), source.clone(), topic(TOPIC)]),
        (Channel::Operator, [topic(OTHER), source.clone(), topic(TOPIC)]),
        (Channel::Source(SOURCE.into()), [topic(SOURCE), source.clone(), Channel::Queue]),
    ] {
        let (stage, before) = signed_up(&owner).await;
        for (n, stranger) in strangers.iter().enumerate() {
            let mut asked = requests(&format!("x{n}"));
            asked.push(signup(&format!("x{n}-again"), LIVE));
            let mut guess = request("update", &format!("x{n}-guess"), LIVE, json!({}));
            guess["expectedVersion"] = json!(77);
            asked.push(guess);
            for message in asked {
                for dry in [false, true] {
                    let mut message = message.clone();
                    if dry {
                        message["dryRun"] = true.into();
                        message["requestId"] =
                            format!("{}-dry", message["requestId"].as_str().unwrap()).into();
                    }
                    let answer = take_in(&stage, stranger, &message).await;
                    refused(&answer, "not_your_tenant", "/tenantId");
                    let told = json!(answer).to_string();
                    assert!(!told.contains("active") && !told.contains("version"), "{told}");
                    let again = take_in(&stage, stranger, &message).await;
                    assert_eq!(again, RequestAnswer { replayed: true, ..answer });
                }
            }
        }
        assert_eq!(live(&stage).await, before, "{owner}");
    }
}

#[tokio::test]
async fn its_own_channel_and_operators_may_change_it() {
    for owner in [topic(TOPIC), Channel::Queue, Channel::Source(SOURCE.into()), Channel::Operator] {
        let (stage, _) = signed_up(&owner).await;
        let name = json!({"displayName": "New Name"});
        let answer = take_in(&stage, &owner, &request("update", "own", LIVE, name)).await;
        assert_eq!(answer.verdict, IntakeDecision::Accepted, "{owner}");
        let (status, body) =
            stage.submit(request("deprovision", "op", LIVE, json!({})).to_string().as_bytes()).await;
        assert_eq!(status, 202, "{body}");
        assert_eq!(live(&stage).await.goal, Goal::Absent);
    }
}

/// The queue and the HTTP functions are the deployment's own; only operators reach into a publisher's tenants.
#[tokio::test]
async fn the_queue_may_change_what_an_operator_has_signed_up() {
    let (stage, _) = signed_up(&Channel::Operator).await;
    let answer = take_in(&stage, &Channel::Queue, &request("update", "q", LIVE, json!({}))).await;
    assert_eq!(answer.verdict, IntakeDecision::Accepted);
}

/// Neither does one publisher's id answer another's request, nor can it be used up by one.
#[tokio::test]
async fn publishers_have_request_ids_of_their_own() {
    let stage = Stage::open().await;
    let mut message = signup("order-1", LIVE);
    message["external"] = json!({"system": "shop", "operationId": "1"});
    let first = take_in(&stage, &topic(TOPIC), &message).await;
    assert_eq!(first.verdict, IntakeDecision::Accepted);
    // The same bytes of somebody else are his own request about another's tenant.
    let stranger = Channel::Source(SOURCE.into());
    refused(&take_in(&stage, &stranger, &message).await, "not_your_tenant", "/tenantId");
    // And the same ids for another tenant are another order.
    message["tenantId"] = "other".into();
    let other = take_in(&stage, &topic(OTHER), &message).await;
    assert_eq!((other.verdict, other.replayed), (IntakeDecision::Accepted, false), "{other:?}");
    assert_ne!(other.operation_id, first.operation_id);
    // Without a tenant's id each gets one of his own.
    let mut nameless = crate::bad_inputs::case::signup("order-2");
    let [one, two] = [topic(TOPIC), topic(OTHER)];
    let (one, two) = (take_in(&stage, &one, &nameless).await, take_in(&stage, &two, &nameless).await);
    assert!(
        one.verdict == IntakeDecision::Accepted
            && two.verdict == IntakeDecision::Accepted
            && one.tenant_id != two.tenant_id
    );
    // A tenant does not mistake an operator's request for the publisher's of the same id.
    nameless["requestId"] = "order-1".into();
    let update = request("update", "order-1", LIVE, json!({"displayName": "By an operator"}));
    let answer = take_in(&stage, &Channel::Operator, &update).await;
    assert_eq!((answer.verdict, answer.replayed), (IntakeDecision::Accepted, false), "{answer:?}");
}

/// The queue and HTTP know each other's requests, but an operator's request about a publisher's tenant is not the queue's to
/// repeat.
#[tokio::test]
async fn an_operators_answer_about_a_publishers_tenant_is_not_repeated_to_the_queue() {
    let (stage, _) = signed_up(&topic(TOPIC)).await;
    let suspend = request("suspend", "op-1", LIVE, json!({"reason": "abuse"}));
    let first = take_in(&stage, &Channel::Operator, &suspend).await;
    assert_eq!(first.verdict, IntakeDecision::Accepted);
    let again = take_in(&stage, &Channel::Operator, &suspend).await;
    assert!(again.replayed && again.status.is_some(), "{again:?}");
    for _ in 0..2 {
        let told = take_in(&stage, &Channel::Queue, &suspend).await;
        refused(&told, "not_your_tenant", "/tenantId");
        assert_eq!(told.status, None);
    }
}

/// A removed tenant's id stays with its channel: what subscribers know by it is not somebody else's one day.
#[tokio::test]
async fn a_removed_tenants_id_stays_with_its_channel() {
    let (stage, _) = signed_up(&topic(TOPIC)).await;
    let removal = request("deprovision", "end", LIVE, json!({}));
    assert_eq!(take_in(&stage, &topic(TOPIC), &removal).await.verdict, IntakeDecision::Accepted);
    stage.settled(&LIVE.parse().unwrap()).await;
    refused(&take_in(&stage, &topic(OTHER), &signup("new", LIVE)).await, "not_your_tenant", "/tenantId");
    let back = take_in(&stage, &topic(TOPIC), &signup("back", LIVE)).await;
    assert_eq!(back.verdict, IntakeDecision::Accepted, "{back:?}");
}

/// The same through the webhook, as Event Grid posts it.
#[tokio::test]
async fn a_topics_tenant_is_not_anothers_through_the_webhook() {
    let stage = Stage::open().await;
    let headers = json!({"aeg-event-type": ["Notification"]});
    let grid = |action: &str, data: &Value| {
        json!([{"id": "e", "topic": TOPIC, "subject": "", "dataVersion": "1", "data": data,
            "eventType": format!("io.tenantry.request.{action}.v1")}])
    };
    let cloud = |action: &str, data: &Value| {
        json!({"specversion": "1.0", "id": "e", "source": SOURCE, "data": data,
            "type": format!("io.tenantry.request.{action}.v1")})
    };
    let counts = async |event: Value| {
        let (status, _, body) = stage.webhook("POST", &headers, &event.to_string()).await;
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        ["accepted", "replayed", "rejected"].map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(counts(grid("signup", &signup("w-1", LIVE))).await, [1, 0, 0]);
    assert_eq!(counts(grid("signup", &signup("w-1", LIVE))).await, [0, 1, 0]);
    stage.settled(&LIVE.parse().unwrap()).await;
    let before = live(&stage).await;
    let removal = request("deprovision", "w-2", LIVE, json!({}));
    assert_eq!(counts(cloud("deprovision", &removal)).await, [0, 0, 1]);
    assert_eq!(live(&stage).await, before);
    let told = stage.events().await;
    let told = told.last().unwrap();
    assert_eq!(
        (&told["data"]["code"], &told["tenantid"]),
        (&json!("not_your_tenant"), &json!(LIVE)),
        "{told}"
    );
    assert_eq!(counts(grid("deprovision", &removal)).await, [1, 0, 0]);
}
