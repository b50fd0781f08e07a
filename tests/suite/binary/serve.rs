//! `tenantry serve`: every payload that a Functions host may post gets a correct answer, and the program starts and
//! ends as the host expects.

use std::{path::Path, time::Duration};

use serde_json::json;
use tenantry::ports::{Clock as _, SystemClock};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use super::program::{free_port, tenantry};
use crate::testkit::{TIMEOUT, a_moment, folder, payloads, until};

#[tokio::test]
#[ignore = "needs the host's payloads: `cargo xtask test` asks for it where they are"]
async fn every_payload_gets_a_json_object_of_the_right_shape_in_both_framings() {
    let (folder, port) = (folder(), free_port().await);
    let mut command = tenantry(folder.path(), &["serve"]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).env("TENANTRY_SPEED", "max");
    let _child = command.spawn().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let client = crate::testkit::client();
    until("it answers", async || client.get(&base).send().await.map_err(|error| error.to_string().into()))
        .await;
    payloads::all_are_answered(port).await;
}

/// Starts `serve` with a port, as a Functions host does, and waits until it answers.
async fn under_host(folder: &Path, port: u16) -> Child {
    let mut command = tenantry(folder, &["serve"]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).env("TENANTRY_SPEED", "max");
    let child = command.spawn().unwrap();
    answers(port).await;
    child
}

async fn answers(port: u16) {
    let (url, client) = (format!("http://127.0.0.1:{port}"), crate::testkit::client());
    until("it answers", async || client.get(&url).send().await.map_err(|error| error.to_string().into()))
        .await;
}

async fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), process]).status().await.unwrap().success());
}

#[tokio::test]
async fn on_a_signal_under_a_host_it_ends_so_that_the_host_restarts_it() {
    let (folder, port) = (folder(), free_port().await);
    for name in ["TERM", "INT"] {
        let mut child = under_host(folder.path(), port).await;
        signal(name, &child.id().unwrap().to_string()).await;
        let ended = tokio::time::timeout(TIMEOUT, child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(200), "{name}");
    }
}

#[tokio::test]
async fn on_a_signal_without_a_host_it_ends_with_zero() {
    let folder = folder();
    let mut child = tenantry(folder.path(), &["serve"]).env("TENANTRY_SPEED", "max").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap();
    // Another program may use the default port here.
    if first.is_some_and(|line| line.contains("serving")) {
        signal("TERM", &child.id().unwrap().to_string()).await;
        let ended = tokio::time::timeout(TIMEOUT, child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
    } else {
        assert_eq!(child.wait().await.unwrap().code(), Some(2));
    }
}

#[tokio::test]
async fn a_handler_whose_host_was_killed_ends() {
    let (folder, port) = (folder(), free_port().await);
    // The shell acts as the host: it has a child, and is killed without signalling it.
    let script = format!("'{}' serve > log 2>&1 & echo $! > child; wait", env!("CARGO_BIN_EXE_tenantry"));
    let mut host = Command::new("sh");
    host.args(["-c", &script]).current_dir(folder.path()).env_clear().kill_on_drop(true);
    host.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).env("TENANTRY_SPEED", "max");
    let mut host = host.spawn().unwrap();
    answers(port).await;
    let child = std::fs::read_to_string(folder.path().join("child")).unwrap().trim().to_owned();
    host.kill().await.unwrap();
    until("the handler ends", async || {
        let there = std::fs::read_link(format!("/proc/{child}/exe"));
        there.map_or(Ok(()), |exe| Err(json!(exe)))
    })
    .await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("the Functions host has ended"), "{log}");
}

#[tokio::test]
async fn a_handler_that_can_not_start_prints_one_line_that_the_host_has_time_to_read() {
    let (folder, port) = (folder(), free_port().await);
    let mut command = tenantry(folder.path(), &["serve"]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string());
    command
        .env("TENANTRY_ENVIRONMENT", "azure")
        .env("TENANTRY_WAKEUPS", "never")
        .env("TENANTRY_IDENTITY", "nobody");
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let printed = SystemClock.now();
    for name in ["TENANTRY_DEPLOYMENT", "TENANTRY_WAKEUPS", "TENANTRY_IDENTITY", "TENANTRY_TABLES"] {
        assert!(line.contains(name), "{name}: {line}");
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(2));
    let lived = SystemClock.now().duration_since(printed);
    assert!(lived.as_millis() >= 250, "{lived:?}");
    assert_eq!(lines.next_line().await.unwrap(), None, "and no other line");
}

#[tokio::test]
async fn during_shutdown_no_call_is_refused() {
    let (folder, port) = (folder(), free_port().await);
    // This OTLP endpoint accepts connections and never answers, so that the last export takes its whole timeout.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = tenantry(folder.path(), &["serve"]);
    command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()).env("TENANTRY_SPEED", "max");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", mute.local_addr().unwrap()));
    let mut child = command.spawn().unwrap();
    answers(port).await;
    let call = crate::testkit::client().post(format!("http://127.0.0.1:{port}/sweep"));
    call.body(r#"{"Data":{"timer":{}}}"#).send().await.unwrap();
    signal("TERM", &child.id().unwrap().to_string()).await;
    let at = SystemClock.now();
    // A host would call again within milliseconds of a refusal, ten times, and then dead-letter the message.
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        a_moment().await;
    }
    // The port closes only when the process ends; a process without its port would refuse calls.
    let ended = tokio::time::timeout(Duration::from_millis(300), child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(200));
    assert!(SystemClock.now().duration_since(at).as_millis() > 500, "the end took some time");
}
