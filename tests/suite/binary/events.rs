//! The webhook of `tenantry local`, as Event Grid calls it: both handshakes, and a sign-up that arrives as an event.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::program::tenantry;
use crate::testkit::{TIMEOUT, folder, judge::text, signup, until};

const TOPIC: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001/resourceGroups/rg/providers/Microsoft.EventGrid/topics/evgt";

/// Starts `tenantry local` with these topics; returns its address, and the process, which is killed when it is dropped.
async fn local(folder: &std::path::Path, topics: &str) -> (String, tokio::process::Child) {
    let mut command = tenantry(folder, &["local", "--data", "data", "--port", "0", "--speed", "max"]);
    let mut child = command.env("TENANTRY_EVENT_TOPICS", topics).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let base = first.split([' ', ',']).find(|part| part.starts_with("http://")).unwrap().to_owned();
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (base, child)
}

#[tokio::test]
async fn both_handshakes_and_sign_ups_by_event_succeed() {
    let folder = folder();
    let (base, _child) = local(folder.path(), &format!("{TOPIC}, /shop/signups")).await;
    let client = crate::testkit::client();
    let url = format!("{base}/api/events");

    let asked = client.request(Method::OPTIONS, &url).header("WebHook-Request-Origin", "eventgrid.azure.net");
    let granted = asked.header("WebHook-Request-Rate", "120").send().await.unwrap();
    let headers = granted.headers().clone();
    assert_eq!(granted.status(), 200);
    assert_eq!(headers["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(headers["webhook-allowed-rate"], "120");
    let other = client.request(Method::OPTIONS, &url).header("WebHook-Request-Origin", "example.com");
    let other = other.send().await.unwrap();
    assert_eq!((other.status().as_u16(), other.headers().get("webhook-allowed-origin")), (404, None));

    let post = async |kind: &str, body: Value| {
        let call =
            client.post(&url).header("aeg-event-type", kind).header("content-type", "application/json");
        let answer = call.body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let event =
        |kind: &str, data: Value| json!([{"id": "1", "topic": TOPIC, "eventType": kind, "data": data}]);
    let validation =
        event("Microsoft.EventGrid.SubscriptionValidationEvent", json!({"validationCode": "c-1"}));
    assert_eq!(post("SubscriptionValidation", validation).await, (200, json!({"validationResponse": "c-1"})));

    let taken = (200, json!({"accepted": 1, "replayed": 0, "rejected": 0}));
    assert_eq!(post("Notification", event("io.tenantry.request.signup.v1", signup("contoso"))).await, taken);
    let mut fabrikam = signup("fabrikam");
    assert_eq!(fabrikam["source"], "/shop/signups", "the example is a CloudEvent");
    fabrikam["id"] = json!("another-delivery");
    assert_eq!(post("Notification", fabrikam).await, taken);
    for tenant in ["contoso", "fabrikam"] {
        until(&format!("{tenant} is active"), async || {
            let answer = client.get(format!("{base}/api/tenants/{tenant}")).send().await.unwrap();
            let tenant: Value = answer.json().await.unwrap();
            if text(&tenant, "/status") == "active" { Ok(()) } else { Err(tenant) }
        })
        .await;
    }
}

#[tokio::test]
async fn without_topics_there_is_no_webhook() {
    let folder = folder();
    let (base, _child) = local(folder.path(), "").await;
    let client = crate::testkit::client();
    let url = format!("{base}/api/events");
    let asked = client.request(Method::OPTIONS, &url).header("WebHook-Request-Origin", "eventgrid.azure.net");
    let asked = asked.send().await.unwrap();
    let posted =
        client.post(&url).header("aeg-event-type", "Notification").body(signup("fabrikam").to_string());
    let posted = posted.send().await.unwrap();
    assert_eq!((asked.status().as_u16(), posted.status().as_u16()), (404, 404));
    assert_eq!(asked.text().await.unwrap(), posted.text().await.unwrap());
}
