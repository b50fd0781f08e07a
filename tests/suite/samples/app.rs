//! Runs the signup apps of the examples, and `tenantry local` for them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::program::{Run, run, tenantry};
use crate::testkit::{TIMEOUT, repository, until};

/// The folder in which `cargo xtask samples` has installed the tools and packages of the apps.
#[expect(clippy::disallowed_methods, reason = "xtask passes the folder")]
fn tools() -> PathBuf {
    let folder = std::env::var_os("TENANTRY_TEST_SAMPLES");
    PathBuf::from(folder.unwrap_or_else(|| {
        panic!("run these tests with `cargo xtask test samples::`, which installs the tools")
    }))
}

/// One of the signup apps, with the command that starts it.
pub(crate) struct App {
    pub(crate) language: &'static str,
    command: Vec<OsString>,
}

/// The signup apps in all languages.
pub(crate) fn apps() -> [App; 3] {
    let sources = repository().join("examples/signup-app");
    let built = Path::new(env!("CARGO_BIN_EXE_tenantry")).with_file_name("examples").join("signup-app");
    let app = |language, command: &[&Path]| App {
        language,
        command: command.iter().map(|part| part.as_os_str().to_owned()).collect(),
    };
    [
        app("rust", &[&built]),
        app("python", &[&python(), &sources.join("python/signup_app.py")]),
        app("typescript", &[Path::new("node"), &compiled().join("dist/main.js")]),
    ]
}

/// The Python interpreter of the environment in which the packages of requirements.txt are installed.
fn python() -> PathBuf {
    tools().join(if cfg!(windows) { "python/Scripts/python.exe" } else { "python/bin/python" })
}

/// Compiles the TypeScript app once per run, and returns its folder. A type error fails every test that uses the app.
pub(crate) fn compiled() -> PathBuf {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    let compile = || {
        let (from, to) =
            (repository().join("examples/signup-app/typescript/src"), tools().join("typescript"));
        for folder in ["src", "dist"] {
            let _ = std::fs::remove_dir_all(to.join(folder));
        }
        std::fs::create_dir(to.join("src")).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let file = entry.unwrap();
            std::fs::copy(file.path(), to.join("src").join(file.file_name())).unwrap();
        }
        let mut compiler = std::process::Command::new("node");
        let output = compiler.arg("node_modules/typescript/bin/tsc").current_dir(&to).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        to
    };
    COMPILED.get_or_init(compile).clone()
}

impl App {
    /// A command that runs the app in `folder` with these settings and no other environment variables.
    pub(crate) fn command(&self, folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(arguments).current_dir(folder).env_clear();
        // `PATH` is needed to find `node`. Python must not write bytecode next to its source.
        command
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Run {
        run(self.command(folder, arguments, settings)).await
    }

    /// Starts the app's webhook, which listens on an address; `127.0.0.1:0` means any free port.
    pub(crate) async fn serve(&self, folder: &Path, listen: &str, settings: &[(&str, &str)]) -> Webhook {
        let mut settings = settings.to_vec();
        settings.push(("WEBHOOK_LISTEN", listen));
        Webhook::start(self.command(folder, &["serve"], &settings)).await
    }
}

/// A running webhook of an app; its process is killed when this is dropped.
pub(crate) struct Webhook {
    child: Child,
    /// The webhook's URL with its path.
    pub(crate) url: String,
    said: Arc<Mutex<Vec<String>>>,
}

impl Webhook {
    async fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
        let url = first.strip_prefix("listening on ").unwrap().to_owned();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                heard.lock().unwrap().push(line);
            }
        });
        Self { child, url, said }
    }

    /// The host and port on which the webhook listens.
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("http://").trim_end_matches("/events").to_owned()
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Waits until the webhook prints a line that starts with `begin`, and returns the line.
    pub(crate) async fn until_says(&self, begin: &str) -> String {
        until(begin, async || {
            let said = self.said();
            said.iter().find(|line| line.starts_with(begin)).cloned().ok_or_else(|| json!(said))
        })
        .await
    }

    /// Kills the webhook's process, so that its port is free.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A running `tenantry local` that delivers events to a webhook.
pub(crate) struct Tenantry {
    _child: Child,
    pub(crate) base: String,
}

impl Tenantry {
    /// Starts `tenantry local` and waits for its first line, which contains its URL.
    pub(crate) async fn start(folder: &Path, webhook: &str, more: &[&str]) -> Self {
        let arguments =
            ["local", "--data", "data", "--port", "0", "--speed", "2000", "--subscriber", webhook];
        let mut command = tenantry(folder, &arguments);
        let mut child = command.args(more).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(TIMEOUT, lines.next_line()).await.unwrap().unwrap().unwrap();
        let base = first.split([' ', ',']).find(|part| part.starts_with("http://")).unwrap().to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { _child: child, base }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        crate::testkit::get(format!("{}{path}", self.base)).await.unwrap().json().await.unwrap()
    }

    /// Waits until the simulated Azure shows that its only subscriber is in a state for which `is_so` returns true.
    pub(crate) async fn until_delivery(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        until(what, async || {
            let all = self.get("/_sim/subscribers").await;
            let one = all.as_object().and_then(|all| all.values().next()).cloned().unwrap_or_default();
            if is_so(&one) { Ok(()) } else { Err(one) }
        })
        .await;
    }
}
