//! Helpers that run the `tenantry` program.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::testkit::{TIMEOUT, repository};

/// A command that runs the program in this folder, with these arguments and without environment variables.
pub(crate) fn tenantry(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command.args(arguments).current_dir(folder).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// The exit code of a finished run (`None` if a signal ended it) and its output.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) async fn run(mut command: Command) -> Run {
    let Output { status, stdout, stderr } =
        tokio::time::timeout(TIMEOUT, command.output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// The sample sign-ups as arguments.
pub(crate) fn samples() -> Vec<PathBuf> {
    crate::testkit::SAMPLES
        .map(|sample| repository().join("examples/signups").join(format!("{sample}.json")))
        .to_vec()
}

/// A running program and the address that its first line names.
pub(crate) struct Running {
    /// The process, which is killed when this is dropped.
    _child: Child,
    pub(crate) base: String,
}

/// Starts `tenantry local` without files, and waits for its first line.
pub(crate) async fn local(folder: &Path) -> Running {
    let mut child =
        tenantry(folder, &["local", "--data", "data", "--port", "0", "--speed", "max"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
    let base = first.split([' ', ',']).find(|part| part.starts_with("http://")).unwrap().to_owned();
    // A full pipe would block the program.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Running { _child: child, base }
}

/// A port that was free a moment ago.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Waits for this span of real time.
pub(crate) async fn pass(span: Duration) {
    let _ = tokio::time::timeout(span, std::future::pending::<()>()).await;
}
