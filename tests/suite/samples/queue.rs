//! How the signup apps send messages to Service Bus.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{
    app::{apps, compiled},
    program::tenantry,
};
use crate::testkit::{TIMEOUT, folder, judge::text, repository, request};

/// The Rust app sends over the REST API, with a token of the managed identity. The simulated Azure accepts no other
/// token.
#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn the_rust_app_sends_with_its_managed_identity() {
    let [rust, ..] = apps();
    let folder = folder();
    let mut cloud = tenantry(folder.path(), &["cloud", "--data", "data", "--port", "0"]).spawn().unwrap();
    let mut lines = BufReader::new(cloud.stdout.take().unwrap()).lines();
    let mut settings = Vec::new();
    while !settings.iter().any(|(name, _): &(String, String)| name == "IDENTITY_HEADER") {
        let line = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
        settings.extend(line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let of = |expected: &str| settings.iter().find(|(name, _)| name == expected).unwrap().1.as_str();
    let base = of("TENANTRY_SERVICE_BUS");
    let identity = [
        ("SERVICEBUS_NAMESPACE", base),
        ("IDENTITY_ENDPOINT", of("IDENTITY_ENDPOINT")),
        ("IDENTITY_HEADER", of("IDENTITY_HEADER")),
    ];
    let order = ["signup", "order-1001", "northwind", "Northwind Traders", "pooled"];
    for _ in 0..2 {
        let sent = rust.run(folder.path(), &order, &identity).await;
        assert_eq!((sent.code, sent.out.as_str()), (Some(0), "sent: tenant northwind\n"), "{sent:#?}");
    }
    let held: Value = crate::testkit::get(format!("{base}/_sim/queues/tenant-requests"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let messages = held.as_array().unwrap();
    assert_eq!(messages.len(), 1, "the broker has dropped the repeat: {held:#}");
    let message = &messages[0];
    assert_eq!((&message["sessionId"], &message["messageId"]), (&json!("northwind"), &json!("order-1001")));
    assert_eq!(message["contentType"], "application/json");
    assert_eq!(message["body"]["spec"], json!({"displayName": "Northwind Traders", "tier": "pooled"}));

    let nobody = rust.run(folder.path(), &order, &identity[..1]).await;
    assert_eq!(nobody.code, Some(2), "{nobody:#?}");
    assert!(nobody.err.contains("IDENTITY_ENDPOINT"), "{nobody:#?}");
}

/// The other apps send over AMQP with Microsoft's SDKs, to a broker that prints what it receives.
#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn the_other_apps_send_with_microsofts_sdks() {
    let [_, python, typescript] = apps();
    let folder = folder();
    let mut broker = Command::new("node");
    broker.arg(repository().join("tests/suite/samples/broker.mjs")).arg(compiled().join("package.json"));
    let mut broker = broker.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(broker.stdout.take().unwrap()).lines();
    let mut next = async || tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let port = next().await;
    let emulator = format!(
        "Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=RootManageSharedAccessKey;\
         SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    );
    let settings = [("SERVICEBUS_EMULATOR", emulator.as_str())];
    for app in [python, typescript] {
        let language = app.language;
        let order = ["signup", "order-1001", "northwind", "Northwind Traders", "pooled"];
        let sent = app.run(folder.path(), &order, &settings).await;
        assert_eq!(
            (sent.code, sent.out.as_str()),
            (Some(0), "sent: tenant northwind\n"),
            "{language}: {sent:#?}"
        );
        let message: Value = serde_json::from_str(&next().await).unwrap();
        assert!(text(&message, "/address").ends_with("tenant-requests"), "{language}: {message:#}");
        assert_eq!(text(&message, "/group_id"), "northwind", "{language}: the session");
        assert_eq!(text(&message, "/message_id"), "order-1001", "{language}");
        assert_eq!(text(&message, "/content_type"), "application/json", "{language}");
        let mut expected = request("order-1001", "signup", "northwind", Value::Null);
        expected["spec"] = json!({"displayName": "Northwind Traders", "tier": "pooled"});
        assert_eq!(message["body"], expected, "{language}");

        let refused = ["signup", "refuse-1002", "northwind", "Northwind Traders", "pooled"];
        let refused = app.run(folder.path(), &refused, &settings).await;
        assert_eq!(refused.code, Some(2), "{language}: {refused:#?}");
        assert!(refused.err.contains("the queue has not taken it: "), "{language}: {refused:#?}");
    }
}
