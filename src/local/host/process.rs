//! Runs a handler as a child process: its environment, its output, its end.
//!
//! Source: azure-functions-host, `HttpWorkerProcess` and `WorkerProcess`.

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Command,
};

use super::{
    app::HostFile,
    encode,
    handler::{Exit, ProcessHandler},
};

/// How many lines of stderr are reported as the reason of an exit.
const LAST_OUTPUT: usize = 3;

pub(super) struct Child {
    child: tokio::process::Child,
    last_output: Arc<Mutex<VecDeque<String>>>,
}

impl Child {
    pub(super) fn spawn(handler: &ProcessHandler, host: &HostFile, port: u16) -> Result<Self, String> {
        let variables = variables(handler, port);
        let executable = executable(handler, host, &variables);
        let mut child = Command::new(&executable)
            .args(host.arguments.iter().map(|argument| expand(argument, &variables)))
            .current_dir(&handler.root)
            .envs(&variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} can't be started: {error}", executable.display()))?;
        let last_output = Arc::default();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(each_line(stdout, |line| tracing::info!(target: "handler", "{line}")));
        }
        if let Some(stderr) = child.stderr.take() {
            let last_output = Arc::clone(&last_output);
            tokio::spawn(each_line(stderr, move |line| on_stderr(&last_output, line)));
        }
        Ok(Self { child, last_output })
    }

    pub(super) async fn exited(&mut self) -> Exit {
        let code = self.child.wait().await.ok().and_then(|status| status.code());
        let last_output = self.last_output.lock().unwrap_or_else(PoisonError::into_inner);
        Exit { code, last_output: last_output.iter().cloned().collect::<Vec<_>>().join("\n") }
    }

    pub(super) async fn kill(&mut self) {
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "the handler could not be killed; it has probably ended");
        }
    }
}

/// The variables for the handler: those of the settings, and the host's own, most of them also under an older name.
fn variables(handler: &ProcessHandler, port: u16) -> BTreeMap<String, String> {
    let worker = encode::random_guid().to_string();
    let own = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string()),
        ("FUNCTIONS_HTTPWORKER_PORT", port.to_string()),
        ("FUNCTIONS_CUSTOMHANDLER_WORKER_ID", worker.clone()),
        ("FUNCTIONS_HTTPWORKER_ID", worker),
        ("FUNCTIONS_APP_ROOT_PATH", handler.root.display().to_string()),
    ];
    let mut variables = handler.environment.clone();
    variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
    variables
}

/// The executable to start. A relative path is one in the app's folder if there is such a file, otherwise in `PATH`.
fn executable(handler: &ProcessHandler, host: &HostFile, variables: &BTreeMap<String, String>) -> PathBuf {
    let named = match &handler.executable {
        Some(path) => path.clone(),
        None => PathBuf::from(expand(&host.executable, variables)),
    };
    let in_app = handler.root.join(&named);
    if in_app.is_file() { in_app } else { named }
}

/// Replaces each `%NAME%` by the variable's value, or by nothing if there is none. A lone `%` is kept.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        expanded.push_str(before);
        let Some((name, tail)) = after.split_once('%') else {
            expanded.push('%');
            rest = after;
            break;
        };
        expanded.push_str(variables.get(name).map(String::as_str).unwrap_or_default());
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

async fn each_line(stream: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        take(line);
    }
}

fn on_stderr(last_output: &Mutex<VecDeque<String>>, line: String) {
    if line.to_ascii_lowercase().contains("warn") {
        tracing::warn!(target: "handler", "{line}");
    } else {
        tracing::error!(target: "handler", "{line}");
    }
    let mut lines = last_output.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.len() == LAST_OUTPUT {
        lines.pop_front();
    }
    lines.push_back(line);
}
