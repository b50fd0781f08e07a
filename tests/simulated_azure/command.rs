//! `tenantry cloud`, the simulated Azure as a process of its own.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tenantry::local::cloud::local_stamp;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::world::{GROUPS, group};

/// The process, and the settings that it has printed.
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

async fn token(settings: &BTreeMap<String, String>, audience: &str) -> String {
    let url = format!("{}?api-version=2019-08-01&resource={audience}", settings["IDENTITY_ENDPOINT"]);
    let request = reqwest::Client::new().get(url).header("X-IDENTITY-HEADER", &settings["IDENTITY_HEADER"]);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_it_prints_is_what_leads_to_it() {
    let folder = TempDir::new().unwrap();
    let (mut child, settings) = start(folder.path()).await;
    let names: Vec<&str> = settings.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "IDENTITY_ENDPOINT",
            "IDENTITY_HEADER",
            "TENANTRY_ARM",
            "TENANTRY_EVENTS_TOPIC",
            "TENANTRY_EVENT_GRID",
            "TENANTRY_GRAPH",
            "TENANTRY_IDENTITY",
            "TENANTRY_SERVICE_BUS",
            "TENANTRY_STAMPS",
            "TENANTRY_TABLES",
            "TENANTRY_WAKEUPS",
            "TENANTRY_WORLD"
        ]
    );
    assert_eq!(
        (settings["TENANTRY_WORLD"].as_str(), settings["TENANTRY_IDENTITY"].as_str()),
        ("azure", "managed")
    );
    assert!(Path::new(&settings["TENANTRY_STAMPS"]).is_absolute());
    let stamps = std::fs::read_to_string(&settings["TENANTRY_STAMPS"]).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stamps).unwrap(), json!([local_stamp()]));

    let client = reqwest::Client::new();
    let url = format!("{}{}?api-version={GROUPS}", settings["TENANTRY_ARM"], group("acme"));
    let stranger = client.get(&url).send().await.unwrap();
    assert_eq!(stranger.status(), 401, "it is strict");
    let arm = token(&settings, "https://management.azure.com").await;
    assert_eq!(client.get(&url).bearer_auth(arm).send().await.unwrap().status(), 404);
    let bus = token(&settings, "https://servicebus.azure.net").await;
    for entity in ["tenant-wakeups", &settings["TENANTRY_EVENTS_TOPIC"]] {
        let url = format!("{}/{entity}/messages", settings["TENANTRY_SERVICE_BUS"]);
        assert_eq!(client.post(url).bearer_auth(&bus).body("{}").send().await.unwrap().status(), 201);
    }
    child.kill().await.unwrap();

    let (_child, again) = start(folder.path()).await;
    assert_eq!(again["IDENTITY_HEADER"], settings["IDENTITY_HEADER"], "pasted settings stay good");
    let url = format!("{}/_sim/queues/tenant-wakeups", again["TENANTRY_SERVICE_BUS"]);
    let kept: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(kept.as_array().unwrap().len(), 1);
}
