//! Only the channel that signed a tenant up, and operators, can change it.

use serde_json::{Value, json};
use tenantry::intake::{IntakeDecision, RequestAnswer};
use tenantry_core::tenant::{Channel, Goal, Tenant};

use super::{live, refused, request, signup};
use crate::bad_inputs::harness::{Harness, LIVE, SOURCE, TOPIC};

const OTHER: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg-b/providers/Microsoft.EventGrid/topics/evgt-b";

fn topic(id: &str) -> Channel {
    Channel::Topic(id.to_lowercase())
}

async fn take_in(harness: &Harness, channel: &Channel, message: &Value) -> RequestAnswer {
    harness.local.app.intake.take_in_from(channel, message.to_string().as_bytes()).await.unwrap()
}

/// One request of each action that changes a tenant, each with a request id of its own.
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

async fn signed_up(channel: &Channel) -> (Harness, Tenant) {
    let harness = Harness::suspendable().await;
    let answer = take_in(&harness, channel, &signup("first", LIVE)).await;
    assert_eq!(answer.decision, IntakeDecision::Accepted, "{answer:?}");
    harness.settled(&LIVE.parse().unwrap()).await;
    let tenant = live(&harness).await;
    assert_eq!(&tenant.channel, channel);
    (harness, tenant)
}

#[tokio::test]
async fn other_channels_are_refused_whatever_they_ask_and_learn_nothing() {
    let source = Channel::Source(TOPIC.to_lowercase());
    for (owner, strangers) in [
        (topic(TOPIC), [topic(OTHER), source.clone(), Channel::Queue]),
        (Channel::Queue, [topic(OTHER), source.clone(), topic(TOPIC)]),
        (Channel::Operator, [topic(OTHER), source.clone(), topic(TOPIC)]),
        (Channel::Source(SOURCE.into()), [topic(SOURCE), source.clone(), Channel::Queue]),
    ] {
        let (harness, before) = signed_up(&owner).await;
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
                    let answer = take_in(&harness, stranger, &message).await;
                    refused(&answer, "not_your_tenant", "/tenantId");
                    let reported = json!(answer).to_string();
                    assert!(!reported.contains("active") && !reported.contains("version"), "{reported}");
                    let again = take_in(&harness, stranger, &message).await;
                    assert_eq!(again, RequestAnswer { replayed: true, ..answer });
                }
            }
        }
        assert_eq!(live(&harness).await, before, "{owner}");
    }
}

#[tokio::test]
async fn a_tenants_own_channel_and_operators_may_change_it() {
    for owner in [topic(TOPIC), Channel::Queue, Channel::Source(SOURCE.into()), Channel::Operator] {
        let (harness, _) = signed_up(&owner).await;
        let name = json!({"displayName": "New Name"});
        let answer = take_in(&harness, &owner, &request("update", "own", LIVE, name)).await;
        assert_eq!(answer.decision, IntakeDecision::Accepted, "{owner}");
        let (status, body) =
            harness.submit(request("deprovision", "op", LIVE, json!({})).to_string().as_bytes()).await;
        assert_eq!(status, 202, "{body}");
        assert_eq!(live(&harness).await.goal, Goal::Absent);
    }
}

/// The queue and the HTTP functions belong to the deployment, so the queue may change a tenant that an operator has
/// signed up. It can't change the tenant of a publisher.
#[tokio::test]
async fn the_queue_may_change_what_an_operator_has_signed_up() {
    let (harness, _) = signed_up(&Channel::Operator).await;
    let answer = take_in(&harness, &Channel::Queue, &request("update", "q", LIVE, json!({}))).await;
    assert_eq!(answer.decision, IntakeDecision::Accepted);
}

/// A publisher's request is neither answered nor blocked by another publisher's request with the same id.
#[tokio::test]
async fn publishers_have_request_ids_of_their_own() {
    let harness = Harness::open().await;
    let mut message = signup("order-1", LIVE);
    message["external"] = json!({"system": "shop", "operationId": "1"});
    let first = take_in(&harness, &topic(TOPIC), &message).await;
    assert_eq!(first.decision, IntakeDecision::Accepted);
    // The same bytes from another source are a request of that source about a foreign tenant.
    let stranger = Channel::Source(SOURCE.into());
    refused(&take_in(&harness, &stranger, &message).await, "not_your_tenant", "/tenantId");
    // The same ids from another topic, for another tenant, are another request.
    message["tenantId"] = "other".into();
    let other = take_in(&harness, &topic(OTHER), &message).await;
    assert_eq!((other.decision, other.replayed), (IntakeDecision::Accepted, false), "{other:?}");
    assert_ne!(other.operation_id, first.operation_id);
    // Without a tenant id each source gets a tenant of its own.
    let mut nameless = crate::bad_inputs::case::signup("order-2");
    let [one, two] = [topic(TOPIC), topic(OTHER)];
    let (one, two) = (take_in(&harness, &one, &nameless).await, take_in(&harness, &two, &nameless).await);
    assert!(
        one.decision == IntakeDecision::Accepted
            && two.decision == IntakeDecision::Accepted
            && one.tenant_id != two.tenant_id
    );
    // An operator's request is not mistaken for the publisher's request of the same id.
    nameless["requestId"] = "order-1".into();
    let update = request("update", "order-1", LIVE, json!({"displayName": "By an operator"}));
    let answer = take_in(&harness, &Channel::Operator, &update).await;
    assert_eq!((answer.decision, answer.replayed), (IntakeDecision::Accepted, false), "{answer:?}");
}

/// The queue and HTTP share request ids, but an operator's request about a publisher's tenant can't be repeated through
/// the queue.
#[tokio::test]
async fn an_operators_answer_about_a_publishers_tenant_is_not_repeated_to_the_queue() {
    let (harness, _) = signed_up(&topic(TOPIC)).await;
    let suspend = request("suspend", "op-1", LIVE, json!({"reason": "abuse"}));
    let first = take_in(&harness, &Channel::Operator, &suspend).await;
    assert_eq!(first.decision, IntakeDecision::Accepted);
    let again = take_in(&harness, &Channel::Operator, &suspend).await;
    assert!(again.replayed && again.status.is_some(), "{again:?}");
    for _ in 0..2 {
        let reported = take_in(&harness, &Channel::Queue, &suspend).await;
        refused(&reported, "not_your_tenant", "/tenantId");
        assert_eq!(reported.status, None);
    }
}

/// A removed tenant's id stays with its channel, so that subscribers never see it used for another customer.
#[tokio::test]
async fn a_removed_tenants_id_stays_with_its_channel() {
    let (harness, _) = signed_up(&topic(TOPIC)).await;
    let removal = request("deprovision", "end", LIVE, json!({}));
    assert_eq!(take_in(&harness, &topic(TOPIC), &removal).await.decision, IntakeDecision::Accepted);
    harness.settled(&LIVE.parse().unwrap()).await;
    refused(&take_in(&harness, &topic(OTHER), &signup("new", LIVE)).await, "not_your_tenant", "/tenantId");
    let back = take_in(&harness, &topic(TOPIC), &signup("back", LIVE)).await;
    assert_eq!(back.decision, IntakeDecision::Accepted, "{back:?}");
}

/// A request through the webhook, as Event Grid posts it, changes no tenant of another topic.
#[tokio::test]
async fn a_webhook_request_changes_no_tenant_of_another_topic() {
    let harness = Harness::open().await;
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
        let (status, _, body) = harness.webhook("POST", &headers, &event.to_string()).await;
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        ["accepted", "replayed", "rejected"].map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(counts(grid("signup", &signup("w-1", LIVE))).await, [1, 0, 0]);
    assert_eq!(counts(grid("signup", &signup("w-1", LIVE))).await, [0, 1, 0]);
    harness.settled(&LIVE.parse().unwrap()).await;
    let before = live(&harness).await;
    let removal = request("deprovision", "w-2", LIVE, json!({}));
    assert_eq!(counts(cloud("deprovision", &removal)).await, [0, 0, 1]);
    assert_eq!(live(&harness).await, before);
    let reported = harness.events().await;
    let reported = reported.last().unwrap();
    assert_eq!(
        (&reported["data"]["code"], &reported["tenantid"]),
        (&json!("not_your_tenant"), &json!(LIVE)),
        "{reported}"
    );
    assert_eq!(counts(grid("deprovision", &removal)).await, [1, 0, 0]);
}
