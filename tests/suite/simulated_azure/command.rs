//! `tenantry cloud`: the simulated Azure as a process of its own.

use std::{collections::BTreeMap, path::Path, process::Stdio, sync::Arc};

use azure_sim::local_stamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::{
    azure::{
        bridge::LegacyTransport,
        client::client,
        event_grid::EventGrid,
        service_bus::{QueueScheduler, ServiceBus, TopicPublisher},
        token::{Audience, Scopes, Tokens},
        transport::{Hosts, HttpTransport},
    },
    config::Config,
    ports::{Clock as _, Publisher as _, Scheduler as _, SystemClock, Transport},
};
use tenantry_core::{
    steps::{Api, Method, Request},
    tenant::CloudEvent,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::fixture::{GROUPS, group};

/// Starts `tenantry cloud`. Returns the process and the settings that it prints.
async fn start(folder: &Path) -> (Child, BTreeMap<String, String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(["cloud", "--port", "0", "--data", "state", "--speed", "max"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut settings = BTreeMap::new();
    while !settings.contains_key("TENANTRY_WAKEUPS") {
        let line = lines.next_line().await.unwrap().unwrap();
        if !line.starts_with('#') {
            let (name, value) = line.split_once('=').unwrap();
            settings.insert(name.to_owned(), value.to_owned());
        }
    }
    (child, settings)
}

async fn sim(settings: &BTreeMap<String, String>, path: &str) -> Vec<Value> {
    let url = format!("{}/_sim/{path}", settings["TENANTRY_ARM"]);
    crate::testkit::get(url).await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_printed_settings_make_the_program_use_the_simulated_azure() {
    let folder = TempDir::new().unwrap();
    let (mut child, settings) = start(folder.path()).await;
    let config = Config::read(|name| settings.get(name).cloned()).unwrap();
    let azure = config.azure.unwrap();
    assert_eq!(azure.stamps, [local_stamp()]);
    assert_eq!((azure.arm.port(), azure.arm.port()), (azure.graph.port(), azure.service_bus.port()));
    assert!(Path::new(&settings["TENANTRY_STAMPS"]).is_absolute());
    let url = format!("{}{}?api-version={GROUPS}", settings["TENANTRY_ARM"], group("acme"));
    assert_eq!(crate::testkit::get(&url).await.unwrap().status(), 401, "it is strict");
    child.kill().await.unwrap();
    let (_child, again) = start(folder.path()).await;
    assert_eq!(again["IDENTITY_HEADER"], settings["IDENTITY_HEADER"], "pasted settings stay valid");
}

#[tokio::test]
async fn the_sample_of_local_settings_contains_the_printed_settings() {
    let folder = TempDir::new().unwrap();
    let (_child, settings) = start(folder.path()).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("local.settings.sample.json");
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for (name, value) in &settings {
        let usual = value.replace(&settings["TENANTRY_ARM"], "http://127.0.0.1:7073");
        let same = sample["Values"][name] == usual.as_str();
        // `IDENTITY_HEADER` is random for each simulated Azure; `TENANTRY_STAMPS` is a path in its folder.
        let own = ["IDENTITY_HEADER", "TENANTRY_STAMPS"].contains(&name.as_str());
        assert!(same || (own && sample["Values"][name].is_string()), "{name}={usual}");
    }
}

/// Not a test by itself: [`the_products_adapters_work_with_the_simulated_azure`] runs this in a process of its own,
/// with the settings that `tenantry cloud` prints in the environment. Calls every service as the product does.
#[tokio::test]
#[ignore = "it is started by another test"]
async fn caller() {
    let Some(azure) = Config::from_env().unwrap().azure else { return };
    let clock = Arc::new(SystemClock);
    let client = client(azure.request_timeout).unwrap();
    let tokens = Tokens::of(&azure.identity, &Scopes::default(), &client, clock.clone()).unwrap();
    tokens.token(Audience::Storage).await.unwrap();
    let tokens = Arc::new(tokens);
    let hosts = Hosts { arm: azure.arm, graph: azure.graph, event_grid: azure.event_grid };
    let transport: Arc<dyn Transport> =
        Arc::new(HttpTransport::new(client.clone(), hosts, Arc::clone(&tokens), azure.request_timeout));
    let put = Request::arm(Method::Put, &group("acme").parse().unwrap(), &GROUPS.parse().unwrap())
        .with_body(json!({ "location": "westeurope" }));
    assert_eq!(transport.send(put).await.unwrap().status, 201);
    let read = Request::new(Api::Graph, Method::Get, "/v1.0/applications(uniqueName='acme')");
    assert_eq!(transport.send(read).await.unwrap().status, 404);
    let event: CloudEvent =
        serde_json::from_value(json!({ "specversion": "1.0", "id": "op/1", "type": "io.x.v1",
        "source": "/t", "subject": "s", "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
        "dataschema": "urn:x", "tenantid": "acme", "operationid": "op", "correlationid": "c", "sequence": "1",
        "partitionkey": "acme", "data": { "displayName": "Caf\u{e9}" } }))
        .unwrap();
    EventGrid::new(transport).publish(std::slice::from_ref(&event)).await.unwrap();
    let bus =
        ServiceBus::new(LegacyTransport::new(client, clock.clone(), 64 << 10), tokens, azure.service_bus);
    for _ in 0..2 {
        bus.submit("acme", "request-1", r#"{"tenantId":"acme"}"#).await.unwrap();
    }
    QueueScheduler(bus.clone()).schedule(&"acme".parse().unwrap(), clock.now()).await.unwrap();
    TopicPublisher::new(bus, azure.events_topic.unwrap()).publish(&[event]).await.unwrap();
}

#[tokio::test]
async fn the_products_adapters_work_with_the_simulated_azure() {
    let folder = TempDir::new().unwrap();
    let (_child, settings) = start(folder.path()).await;
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["simulated_azure::command::caller", "--exact", "--ignored"])
        .envs(&settings)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let reported = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success() && reported.contains("1 passed"), "{reported}");
    let requests = sim(&settings, "queues/tenant-requests").await;
    assert_eq!(requests.len(), 1, "the repeat is dropped");
    assert_eq!((&requests[0]["sessionId"], &requests[0]["messageId"]), (&json!("acme"), &json!("request-1")));
    let wake_ups = sim(&settings, "queues/tenant-wakeups").await;
    assert_eq!((wake_ups.len(), &wake_ups[0]["body"]), (1, &json!({ "tenantId": "acme" })));
    let topic = sim(&settings, "topics/tenant-events").await;
    assert_eq!((&topic[0]["label"], &topic[0]["body"]["id"]), (&json!("io.x.v1"), &json!("op/1")));
    assert_eq!(sim(&settings, "events?tenant=acme").await.len(), 1);
    let journal = sim(&settings, "journal").await;
    assert_eq!(journal.len(), 5 + 7, "five tokens, seven calls: {journal:#?}");
    assert!(journal.iter().all(|line| line["status"] != 401), "no token goes to a wrong service");
}
