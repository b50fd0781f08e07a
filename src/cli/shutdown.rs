//! How `serve` ends: on a signal, or when its host has ended; and with which exit code.
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
/// Output just before the end is lost: the host only reads the lines of a running handler.
const LAST_OUTPUT: Duration = Duration::from_millis(300);

/// The process that started this one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starter {
    /// Whether it is a Functions host.
    is_host: bool,
    /// Its process id. In a container a host may have the id 1, so only a change of the parent shows its end.
    parent: u32,
}

impl Starter {
    /// Records which process has started this one. Call it right at the start, while that process is certainly running.
    pub(super) fn of(config: &Config) -> Self {
        Self { is_host: config.under_host, parent: parent() }
    }

    /// Waits for the end, and starts the graceful shutdown of the reconciler.
    pub(super) async fn shut_down(self, app: Arc<App>) {
        tokio::select! {
            () = stop_signal() => tracing::info!("a signal ends this process"),
            () = self.host_ended() => tracing::warn!("the Functions host has ended, so its handler ends"),
        }
        app.reconciler.drain();
    }

    /// Returns when the host has ended. Without it nothing calls this process, and what it holds would be locked for
    /// nothing.
    async fn host_ended(self) {
        while !self.is_host || parent() == self.parent {
            SystemClock.sleep_until(SystemClock.now() + CHECK_EVERY).await;
        }
    }

    /// The exit code after serving.
    pub(super) async fn ended(self, result: Result<(), impl std::error::Error>) -> ExitCode {
        match result {
            Ok(()) if self.is_host => ExitCode::from(AGAIN),
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => refused(&[output::chain(&error)]).await,
        }
    }
}

/// The process that has started this one, or the one that has adopted it.
#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// Unknown on this platform.
#[cfg(not(unix))]
fn parent() -> u32 {
    0
}

/// Prints what prevents the start: a line each for people; all in one for a host, which keeps the last three lines of a
/// handler that ends, and none of one that ends at once.
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
