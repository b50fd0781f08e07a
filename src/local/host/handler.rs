//! The handler that the host calls: a task in this process, or a child process.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, task::JoinHandle};

use super::{app::HostFile, process};

/// A function that starts a handler on a listener of 127.0.0.1, as a task. The host aborts the task to kill the
/// handler.
pub type Starter = Arc<dyn Fn(TcpListener) -> JoinHandle<()> + Send + Sync>;

/// How the handler is run.
#[derive(Clone)]
pub enum Handler {
    /// A task in this process, which is called over HTTP too. A kill aborts the task.
    InProcess(Starter),
    /// A child process, as the real host runs it. A kill is SIGKILL.
    Process(ProcessHandler),
}

/// How a handler is started as a child process.
#[derive(Debug, Clone)]
pub struct ProcessHandler {
    /// The app's folder: the working directory, and where a relative executable is searched before `PATH`.
    pub root: PathBuf,
    /// The executable that replaces `defaultExecutablePath` of `host.json`; `None`: that one is used.
    pub executable: Option<PathBuf>,
    /// Environment variables, in addition to the inherited ones and the host's own. `%NAME%` in the executable's path
    /// and in the arguments is replaced by the value of one of them.
    pub environment: BTreeMap<String, String>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess(_) => f.write_str("InProcess"),
            Self::Process(process) => f.debug_tuple("Process").field(process).finish(),
        }
    }
}

/// A running handler. Dropping the value kills the handler.
pub(super) enum Running {
    Task(AbortOnDrop),
    Child(process::Child),
}

/// A task that is aborted when this value is dropped.
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a handler ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exit {
    /// The exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// The last lines that the handler wrote to stderr.
    pub(super) last_output: String,
}

impl Handler {
    /// Starts the handler and returns it with its port, on which it may not listen yet. `before` is the port of the
    /// last start, which is used again, as on the real host; with `None` a free port is chosen.
    pub(super) async fn launch(
        &self,
        host: &HostFile,
        before: Option<u16>,
    ) -> Result<(Running, u16), String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, before.unwrap_or(0))).await;
        let listener = listener.map_err(|error| format!("no free port: {error}"))?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let running = match self {
            Self::InProcess(start) => Running::Task(AbortOnDrop(start(listener))),
            Self::Process(handler) => {
                // The real host chooses a port in the same way: until the child binds it, another process may take it.
                drop(listener);
                Running::Child(process::Child::spawn(handler, host, port)?)
            }
        };
        Ok((running, port))
    }
}

impl Running {
    /// Waits until the handler ends by itself. The future may be dropped and the method called again.
    pub(super) async fn exited(&mut self) -> Exit {
        match self {
            Self::Child(child) => child.exited().await,
            Self::Task(task) => match (&mut task.0).await {
                Ok(()) => Exit { code: Some(0), last_output: String::new() },
                Err(error) => Exit { code: Some(1), last_output: error.to_string() },
            },
        }
    }

    /// Kills the handler and waits until it has ended.
    pub(super) async fn kill(mut self) {
        match &mut self {
            Self::Child(child) => child.kill().await,
            Self::Task(task) => {
                task.0.abort();
                // The result says only that it was aborted.
                let _ = (&mut task.0).await;
            }
        }
    }
}
