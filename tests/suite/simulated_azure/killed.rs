//! A process with a simulated Azure is killed while it writes.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    path::Path,
    process::Stdio,
    sync::Arc,
};

use azure_sim::{Cloud, CloudSettings};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use super::fixture::{GROUPS, group};

/// `server` serves the current folder only if this file exists in it.
const MARK: &str = "serve-this-folder";

/// Not a test by itself: [`a_kill_loses_nothing_that_was_answered`] runs this in a process of its own and kills it.
/// Serves a simulated Azure with its state in the current folder until its input ends.
#[tokio::test]
#[ignore = "it is started by another test"]
async fn server() {
    if !Path::new(MARK).exists() {
        return;
    }
    let settings = CloudSettings::new("cloud.redb", Arc::new(|| Timestamp::UNIX_EPOCH));
    let cloud = Cloud::open(settings).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    writeln!(std::io::stdout(), "\nserves {}", listener.local_addr().unwrap()).unwrap();
    let served = tokio::spawn(async move { cloud.serve(listener).await });
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    served.abort();
}

async fn start(folder: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["simulated_azure::killed::server", "--exact", "--ignored", "--nocapture"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(address) = line.strip_prefix("serves ") {
            return (child, format!("http://{address}"));
        }
    }
    panic!("the server has ended without serving");
}

async fn write(client: &reqwest::Client, base: &str, name: &str) -> bool {
    let url = format!("{base}{}?api-version={GROUPS}", group(name));
    let body = json!({ "location": "westeurope" }).to_string();
    client.put(url).body(body).send().await.is_ok_and(|answer| answer.status().as_u16() == 201)
}

async fn names(base: &str, path: &str, member: &str) -> BTreeSet<String> {
    let shown: Value =
        crate::testkit::get(format!("{base}/_sim/{path}")).await.unwrap().json().await.unwrap();
    let texts = shown.as_array().unwrap().iter().map(|one| one[member].as_str().unwrap());
    texts.map(|text| text.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_answered() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(MARK), "").unwrap();
    let mut answered = BTreeSet::new();
    for round in 0..3 {
        let (mut child, base) = start(folder.path()).await;
        let client = crate::testkit::client();
        let writers = (0..4).map(|writer| {
            let (client, base) = (client.clone(), base.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                for n in 0..10_000 {
                    let name = format!("{round}-{writer}-{n}");
                    if !write(&client, &base, &name).await {
                        break;
                    }
                    done.push(format!("rg-{name}"));
                }
                done
            })
        });
        let writers: Vec<_> = writers.collect();
        while names(&base, "objects", "id").await.len() < 20 * (round + 1) {}
        child.kill().await.unwrap();
        for writer in writers {
            answered.extend(writer.await.unwrap());
        }
    }
    let (_child, base) = start(folder.path()).await;
    let (objects, journal) = (names(&base, "objects", "id").await, names(&base, "journal", "path").await);
    assert!(answered.len() > 20 && answered.is_subset(&objects), "{:?}", answered.difference(&objects));
    assert_eq!(objects, journal);
}
