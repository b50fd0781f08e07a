//! Sends signals to processes of the program, and waits for them.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use tenantry::ports::{Clock as _, SystemClock};

/// The path of the program, which cargo builds in the same profile as this bench.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tenantry");

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) async fn wait(span: Duration) {
    SystemClock.sleep_until(now() + span).await;
}

/// Whether a process runs the program and has not ended.
pub(crate) fn is_running(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|exe| exe == Path::new(PROGRAM))
}

/// Sends a signal such as `TERM` to a process, if it runs the program. Returns whether it was sent.
pub(crate) fn signal(name: &str, process: u32) -> bool {
    is_running(process)
        && Command::new("kill")
            .args([&format!("-{name}"), &process.to_string()])
            // The process may have ended in between, which the status shows.
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// Waits until a process has ended. Returns how long that took; `None` if it has not ended within the limit.
pub(crate) async fn ended_within(process: u32, limit: Duration) -> Option<Duration> {
    let begun = now();
    loop {
        let past = Duration::try_from(now().duration_since(begun)).unwrap_or_default();
        if !is_running(process) {
            return Some(past);
        }
        if past > limit {
            return None;
        }
        wait(Duration::from_millis(5)).await;
    }
}
