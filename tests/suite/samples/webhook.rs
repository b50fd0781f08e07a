//! What the apps' webhooks accept: the two handshakes, the key, single events, batches, and unknown content.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use super::app::{Webhook, apps};
use crate::testkit::folder;

fn event(id: &str, kind: &str, sequence: u64, status: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "type": format!("io.tenantry.{kind}.v1"), "tenantid": "northwind",
        "source": "/tenantry/local/tenants/northwind", "sequence": format!("{sequence:020}"),
        "data": {"status": status, "outputs": {"endpointUrl": "https://northwind.example/score"}},
        "of a later version": {"deep": [1, null]},
    })
}

async fn ask(client: &Client, url: &str, origin: &str) -> Response {
    client.request(Method::OPTIONS, url).header("WebHook-Request-Origin", origin).send().await.unwrap()
}

/// Posts a body, and returns the status and the body of the answer.
async fn post(client: &Client, url: &str, body: String) -> (u16, Value) {
    let answer = client.post(url).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn only_the_expected_sender_with_the_key_is_accepted() {
    let client = crate::testkit::client();
    for app in apps() {
        let language = app.language;
        let folder = folder();
        let webhook = app.serve(folder.path(), "127.0.0.1:0", &[("WEBHOOK_KEY", "old,new")]).await;
        let with = |key: &str| format!("{}?code={key}", webhook.url);
        for key in ["old", "new"] {
            let granted = ask(&client, &with(key), "eventgrid.azure.net").await;
            assert_eq!(granted.status(), 200, "{language}");
            assert_eq!(granted.headers()["webhook-allowed-origin"], "eventgrid.azure.net", "{language}");
            assert!(granted.headers().contains_key("webhook-allowed-rate"), "{language}");
        }
        let others =
            [(with("old"), "eventgrid.example"), (with("old"), "*"), (with("other"), "eventgrid.azure.net")];
        for (url, origin) in others.into_iter().chain([(webhook.url.clone(), "eventgrid.azure.net")]) {
            let refused = ask(&client, &url, origin).await;
            assert!(refused.status().is_client_error(), "{language}: {url} {origin}");
            assert!(!refused.headers().contains_key("webhook-allowed-origin"), "{language}: {url} {origin}");
        }
        let good = event("o/0001", "tenant.provision.succeeded", 1, "active").to_string();
        for url in [with("other"), with(""), with("oldx"), webhook.url.clone()] {
            assert_eq!(post(&client, &url, good.clone()).await.0, 401, "{language}: {url}");
        }
        assert_eq!(webhook.said(), [""; 0], "{language}");
        assert_eq!(post(&client, &with("new"), good).await.0, 200, "{language}");
        webhook.until_says("welcome northwind").await;

        let open = app.run(folder.path(), &["serve"], &[("WEBHOOK_LISTEN", "0.0.0.0:0")]).await;
        assert_eq!(open.code, Some(2), "{language}: {open:#?}");
        assert!(open.err.contains("WEBHOOK_KEY"), "{language}: {open:#?}");
    }
}

#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn batches_reordered_and_unknown_events_are_handled() {
    let client = crate::testkit::client();
    for app in apps() {
        let folder = folder();
        let webhook = app.serve(folder.path(), "127.0.0.1:0", &[]).await;
        bad_bodies(&client, app.language, &webhook).await;
        let code = json!([{
            "id": "1", "topic": "/t", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "c-1", "validationUrl": "https://rp.example/"},
        }]);
        let echoed = (200, json!({"validationResponse": "c-1"}));
        assert_eq!(post(&client, &webhook.url, code.to_string()).await, echoed, "{}", app.language);
        assert_eq!(webhook.said(), [""; 0], "{}", app.language);

        let batch = json!([
            event("o/0005", "tenant.suspend.succeeded", 5, "suspended"),
            event("o/0003", "tenant.provision.succeeded", 3, "active"),
            event("o/0006", "tenant.hibernation.begun", 6, "hibernating"),
            {"specversion": "1.0", "id": "x", "source": "/elsewhere", "type": "com.example.thing", "data": "text"},
            event("o/0005", "tenant.suspend.succeeded", 5, "suspended"),
        ]);
        assert_eq!(post(&client, &webhook.url, batch.to_string()).await.0, 200, "{}", app.language);
        let last = webhook.until_says("again: ").await;
        let expected = [
            "northwind is suspended",
            "late: o/0003 tenant.provision.succeeded",
            "northwind is hibernating",
            "noted: com.example.thing",
            "again: o/0005",
        ];
        assert_eq!(webhook.said(), expected, "{}: {last}", app.language);
    }
}

/// Posts invalid bodies. The webhook answers that they must not be sent again, and records nothing, not even a valid
/// part.
async fn bad_bodies(client: &Client, language: &str, webhook: &Webhook) {
    let good = event("o/0001", "tenant.provision.started", 1, "provisioning");
    let other_version = json!({"specversion": "0.3", "id": "1", "source": "/s", "type": "t"});
    let bad = [
        "{".to_owned(),
        "7".to_owned(),
        "[null]".to_owned(),
        json!({"specversion": "1.0", "id": 7, "source": "/s", "type": "t"}).to_string(),
        json!([good, other_version]).to_string(),
    ];
    for body in bad {
        assert_eq!(post(client, &webhook.url, body.clone()).await.0, 400, "{language}: {body}");
    }
    // The connection may be closed before an answer to such a large body arrives.
    let large = client.post(&webhook.url).body(" ".repeat((1 << 20) + 1)).send().await;
    assert!(large.is_err() || large.is_ok_and(|answer| answer.status() == 413), "{language}");
}
