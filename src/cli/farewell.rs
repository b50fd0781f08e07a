//! How `serve` ends: when it is told to, or when its host is gone; and with which exit code.
//!
//! The Functions host starts its handler again after the exit code 200 and does not count that. After 0 it does not
//! start it again and says nothing: each later call fails, and messages go to the dead letters within a moment. So under
//! a host 0 is never the code (azure-functions-host, `WorkerProcess` and `HttpFunctionInvocationDispatcher`).

use std::{io::IsTerminal as _, process::ExitCode, sync::Arc, time::Duration};

use super::{output, serve::stop_signal};
use crate::{
    app::App,
    config::Config,
    ports::{Clock as _, SystemClock},
};

/// What the Functions host takes for "start me again".
const AGAIN: u8 = 200;
/// How often is looked whether the host is still there.
const LOOK: Duration = Duration::from_secs(1);
/// What is printed right before the end is lost: the host reads the lines of a handler that still lives.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Whoever has started this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starter {
    /// Whether it is a Functions host.
    is_host: bool,
    /// Its process. In a container a host may have the number 1, so it is known by its own.
    parent: u32,
}

impl Starter {
    /// To be asked for right at the start, while it is surely there.
    pub(super) fn of(config: &Config) -> Self {
        Self { is_host: config.under_host, parent: parent() }
    }

    /// Waits for the end, and has the drives that are under way come to one.
    pub(super) async fn told_to_end(self, app: Arc<App>) {
        tokio::select! {
            () = stop_signal() => tracing::info!("told to end"),
            () = self.gone() => tracing::warn!("the Functions host is gone, so its handler ends"),
        }
        app.reconciler.wind_down();
    }

    /// Returns when the host is no longer there. Nobody else would call, and what this process holds would be held in
    /// vain.
    async fn gone(self) {
        while !self.is_host || parent() == self.parent {
            SystemClock.sleep_until(SystemClock.now() + LOOK).await;
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

/// The process that has started this one, or whoever has taken its children over.
#[cfg(unix)]
fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// There is no telling.
#[cfg(not(unix))]
fn parent() -> u32 {
    0
}

/// Says what keeps the program from beginning: a line each for people; all in one for a host, which keeps the last
/// three lines of a handler that ends, and none of one that ends at once.
pub(super) async fn refused(problems: &[String]) -> ExitCode {
    if std::io::stderr().is_terminal() {
        problems.iter().for_each(|problem| output::problem(problem));
    } else {
        let lines: Vec<String> = problems.iter().map(|problem| problem.replace('\n', " ")).collect();
        output::problem(&lines.join("; "));
        SystemClock.sleep_until(SystemClock.now() + LAST_WORDS).await;
    }
    ExitCode::from(2)
}
