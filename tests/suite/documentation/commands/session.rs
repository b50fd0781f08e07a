//! A page's terminal: a folder with the repository's files, the program on the path, and a running instance.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tenantry::ports::{Clock as _, SystemClock};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command as Process},
};

use super::super::pages::root;
use super::shown::Command;
use crate::testkit::{TIMEOUT, a_moment, folder};

/// How long to wait after a request until no tenant has anything to do. Some tenants always have something to do.
const REST: Duration = Duration::from_secs(15);

/// The address of a running instance on the pages.
const INSTANCE: &str = "127.0.0.1:7071";
/// The address of the simulated Azure on the pages.
const CLOUD: &str = "127.0.0.1:7073";

/// The script that runs as `tenantry`: it starts the program with a free port, or with the address of the running
/// instance.
const TENANTRY: &str = r#"#!/bin/sh
case "$*" in
  *--queue* | *--url* | *--port*) exec "$TENANTRY_PROGRAM" "$@" ;;
esac
case "$1" in
  local | cloud) exec "$TENANTRY_PROGRAM" "$@" --port 0 ;;
  submit | status | list | history | retry | reconcile | verify | drift) exec "$TENANTRY_PROGRAM" "$@" --url "http://$TENANTRY_AT" ;;
  *) exec "$TENANTRY_PROGRAM" "$@" ;;
esac
"#;

/// The script that runs as `cargo`: it starts the program that cargo would have built.
const CARGO: &str = r#"#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec tenantry "$@"
"#;

/// The script that runs as `curl`: it starts curl without a progress meter, and an HTTP error is a failure.
const CURL: &str = r#"#!/bin/sh
PATH=${PATH#*:} exec curl --silent --show-error --fail-with-body "$@"
"#;

pub(super) struct Session {
    folder: TempDir,
    programs: TempDir,
    /// The `export` and `cd` commands so far, which are repeated before each command.
    before: Vec<String>,
    server: Option<Child>,
    /// The server's address; [`INSTANCE`] while none runs.
    at: String,
}

fn program(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Session {
    pub(super) fn new() -> Self {
        let (folder, programs) = (folder(), folder());
        for entry in fs::read_dir(root()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && name != "target" {
                symlink(entry.path(), folder.path().join(&name)).unwrap();
            }
        }
        program(programs.path(), "tenantry", TENANTRY);
        program(programs.path(), "cargo", CARGO);
        program(programs.path(), "curl", CURL);
        Self { folder, programs, before: Vec::new(), server: None, at: INSTANCE.to_owned() }
    }

    /// Runs a command as a person would type it. Returns its output, or what is wrong if the command does not end or
    /// has another exit code than expected.
    pub(super) async fn run(&mut self, command: &Command) -> Result<String, String> {
        let stays = ["export ", "cd "].iter().any(|begin| command.text.starts_with(begin));
        if stays && !command.text.contains("&&") {
            self.before.push(command.text.clone());
            return Ok(String::new());
        }
        if command.serves() {
            return self.serve(&command.text).await;
        }
        if command.call().is_some_and(|call| call.first() == Some(&"local")) {
            self.end().await;
        } else if command.asks() && self.server.is_none() {
            self.serve("tenantry local").await?;
        }
        let output = self.shell(&command.text).output();
        let output = tokio::time::timeout(TIMEOUT, output).await.map_err(|_| "it does not end".to_owned())?;
        let output = output.map_err(|error| error.to_string())?;
        let printed =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(command.code) {
            return Err(format!("it ends with {}, not {}:\n{printed}", output.status, command.code));
        }
        if command.sets_to_work() {
            self.rest().await;
        }
        Ok(self.as_on_pages(&printed))
    }

    /// Ends the running server and starts another one; returns its output until it is ready.
    async fn serve(&mut self, text: &str) -> Result<String, String> {
        self.end().await;
        let mut child = self.shell(&format!("exec env {text}")).spawn().map_err(|error| error.to_string())?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("it has no output")?).lines();
        let files = text.split_whitespace().filter(|part| part.ends_with(".json"));
        let files: usize = files.map(|pattern| self.count(pattern)).sum();
        let (mut printed, mut rows) = (String::new(), None::<usize>);
        let begun = async {
            while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
                let mut parts = line.split([' ', ',', '=']);
                if self.at == INSTANCE
                    && let Some(at) = parts.find_map(|part| part.strip_prefix("http://"))
                {
                    self.at = at.trim_end_matches('/').to_owned();
                }
                printed.push_str(&line);
                printed.push('\n');
                rows = rows.map(|rows| rows + 1).or(line.starts_with("TENANT ").then_some(0));
                let is_there = files == 0 && line.starts_with("tenantry is at ");
                if is_there || line.starts_with("TENANTRY_WAKEUPS=") || (files > 0 && rows == Some(files)) {
                    return Ok(());
                }
            }
            Err(format!("it ended before it was there:\n{printed}"))
        };
        tokio::time::timeout(TIMEOUT, begun).await.map_err(|_| "it is not there in time".to_owned())??;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.server = Some(child);
        Ok(self.as_on_pages(&printed))
    }

    /// How many files a pattern names; only the last part may have a `*`.
    fn count(&self, pattern: &str) -> usize {
        let Some((folder, name)) = pattern.rsplit_once('/') else { return 1 };
        let Some((begin, end)) = name.split_once('*') else { return 1 };
        let entries = fs::read_dir(self.folder.path().join(folder)).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(begin) && name.ends_with(end)).count()
    }

    /// Ends the server.
    pub(super) async fn end(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill().await;
        }
        INSTANCE.clone_into(&mut self.at);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a terminal has an environment; its settings of tenantry are left out"
    )]
    fn shell(&self, text: &str) -> Process {
        let text = text.replace(INSTANCE, &self.at).replace(CLOUD, &self.at);
        let mut script = self.before.join("\n");
        script.push('\n');
        script.push_str(&text);
        let mut process = Process::new("sh");
        process.arg("-c").arg(script).current_dir(self.folder.path());
        for (name, _) in std::env::vars() {
            let ours = ["TENANTRY_", "FUNCTIONS_", "IDENTITY_", "AZURE_", "ServiceBus"];
            if ours.iter().any(|begin| name.starts_with(begin)) {
                process.env_remove(name);
            }
        }
        let path = std::env::var("PATH").unwrap_or_default();
        process.env("PATH", format!("{}:{path}", self.programs.path().display()));
        process.env("TENANTRY_PROGRAM", env!("CARGO_BIN_EXE_tenantry")).env("TENANTRY_AT", &self.at);
        process.env("TENANTRY_SPEED", "max");
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        process
    }

    fn as_on_pages(&self, printed: &str) -> String {
        let usual = if printed.contains("TENANTRY_ARM=") { CLOUD } else { INSTANCE };
        printed.replace(&self.at, usual).replace("speed max", "speed 200")
    }

    /// Waits until no tenant has anything to do, at most for [`REST`].
    async fn rest(&self) {
        let until = SystemClock.now() + REST;
        while SystemClock.now() < until && !self.is_at_rest().await.unwrap_or(true) {
            a_moment().await;
        }
    }

    async fn is_at_rest(&self) -> Option<bool> {
        let get = async |path: String| -> Option<Value> {
            crate::testkit::get(format!("http://{}/api/tenants{path}", self.at)).await.ok()?.json().await.ok()
        };
        for tenant in get("?limit=200".to_owned()).await?.get("tenants")?.as_array()? {
            let shown = get(format!("/{}", tenant.get("tenantId")?.as_str()?)).await?;
            if !shown.get("dueAt")?.is_null() {
                return Some(false);
            }
        }
        Some(true)
    }
}
