//! When `tenantry serve` ends (on a signal, or when its host has ended), and with which exit code.
//!
//! The Functions host restarts its handler after the exit code 200, without counting a failure. After 0 it does not
//! restart the handler and logs nothing: each later call fails, and messages are dead-lettered within a moment. So
//! under a host the code is never 0 (azure-functions-host, `WorkerProcess` and `HttpFunctionInvocationDispatcher`).

use std::{io::IsTerminal as _, process::ExitCode, sync::Arc, time::Duration};

use super::{output, serve::stop_signal};
use crate::{
    app::App,
    config::Config,
    ports::{Clock as _, SystemClock},
};

/// The exit code after which the Functions host restarts the handler.
const AGAIN: u8 = 200;
/// How often to check whether the host is running.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long the process waits after its last output, because the host reads only the lines of a running handler.
const LAST_OUTPUT: Duration = Duration::from_millis(300);

/// The process that started this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starter {
    /// Whether the starter is a Functions host.
    is_host: bool,
    /// The starter's process id. In a container a host may have the id 1, so only a change of this process's parent
    /// shows that the host has ended.
    parent: u32,
}

impl Starter {
    /// Records which process has started this one. Call it right at the start, while that process is certainly running.
    pub(super) fn of(config: &Config) -> Self {
        Self { is_host: config.under_host, parent: parent() }
    }

    /// Waits for a signal or for the end of the host, then starts the graceful shutdown of the reconciler.
    pub(super) async fn shut_down(self, app: Arc<App>) {
        tokio::select! {
            () = stop_signal() => tracing::info!("a signal ends this process"),
            () = self.host_ended() => tracing::warn!("the Functions host has ended, so its handler ends"),
        }
        app.reconciler.drain();
    }

    /// Returns when the host has ended; never if the starter is no host. Without its host nothing calls this process,
    /// and the files and leases that it holds would stay locked for nothing.
    async fn host_ended(self) {
        while !self.is_host || parent() == self.parent {
            SystemClock.sleep_until(SystemClock.now() + CHECK_EVERY).await;
        }
    }

    /// The exit code after serving: 200 under a host, otherwise 0; 2 after an error, which is printed.
    pub(super) async fn ended(self, result: Result<(), impl std::error::Error>) -> ExitCode {
        match result {
            Ok(()) if self.is_host => ExitCode::from(AGAIN),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refused(&[output::chain(&error)]).await,
        }
    }
}

/// The id of this process's parent: of its starter or, after the starter has ended, of the process that has adopted it.
#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// Returns 0: the standard library can't report the parent on this platform.
#[cfg(not(unix))]
fn parent() -> u32 {
    0
}

/// Prints the problems that prevent the start, and returns exit code 2. A terminal gets a line per problem. Otherwise
/// all are in one line, because a host keeps only the last three lines of a handler that ends; then the process waits a
/// moment, because a host keeps no line of a handler that ends at once.
pub(super) async fn refused(problems: &[String]) -> ExitCode {
    if std::io::stderr().is_terminal() {
        problems.iter().for_each(|problem| output::problem(problem));
    } else {
        let lines: Vec<String> = problems.iter().map(|problem| problem.replace('\n', " ")).collect();
        output::problem(&lines.join("; "));
        SystemClock.sleep_until(SystemClock.now() + LAST_OUTPUT).await;
    }
    ExitCode::from(2)
}
