//! What the signup apps hand to Service Bus.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{
    app::{apps, python, typescript},
    program::{run, tenantry},
};
use crate::common::{PATIENCE, folder, repository};

/// Over its REST interface, with a token of the managed identity, to the simulated Azure, which takes no other.
#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn the_rust_app_sends_with_its_managed_identity() {
    let [rust, ..] = apps();
    let folder = folder();
    let mut cloud = tenantry(folder.path(), &["cloud", "--data", "data", "--port", "0"]).spawn().unwrap();
    let mut lines = BufReader::new(cloud.stdout.take().unwrap()).lines();
    let mut settings = Vec::new();
    while !settings.iter().any(|(name, _): &(String, String)| name == "IDENTITY_HEADER") {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        settings.extend(line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let of = |wanted: &str| settings.iter().find(|(name, _)| name == wanted).unwrap().1.as_str();
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
    let held: Value =
        reqwest::get(format!("{base}/_sim/queues/tenant-requests")).await.unwrap().json().await.unwrap();
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

/// Their own tests hold what they hand in against the SDKs of Microsoft.
#[tokio::test]
#[ignore = "needs Python, Node and packages: `cargo xtask test` brings them and asks for it"]
async fn the_other_apps_hand_in_messages_of_the_sdks() {
    let (folder, sources) = (folder(), repository().join("examples/signup-app/python"));
    let mut unittest = Command::new(python());
    unittest.args(["-m", "unittest", "--verbose"]).current_dir(sources).env("PYTHONDONTWRITEBYTECODE", "1");
    let mut node = Command::new("node");
    node.arg("--test").arg(typescript().join("dist/")).current_dir(folder.path());
    for mut tests in [unittest, node] {
        tests.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let run = run(tests).await;
        assert_eq!(run.code, Some(0), "{run:#?}");
        let ran = run.err.contains("Ran 1 test") || run.out.contains("# pass 1");
        assert!(ran, "no test was found: {run:#?}");
    }
}
