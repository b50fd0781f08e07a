//! Signals to processes of the program, and waits.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use tenantry::ports::{Clock as _, SystemClock};

/// The program, built beside this one in the same profile.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_tenantry");

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) async fn wait(span: Duration) {
    SystemClock.sleep_until(now() + span).await;
}

/// Whether a process is one of the program's and has not ended.
pub(crate) fn is_running(process: u32) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|exe| exe == Path::new(PROGRAM))
}

/// Sends a signal to a process, if it is one of the program's.
pub(crate) fn signal(name: &str, process: u32) -> bool {
    is_running(process)
        && Command::new("kill")
            .args([&format!("-{name}"), &process.to_string()])
            // It may have ended in between, which the status shows.
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

/// Waits until a process has ended; how long it took, or none if it did not within the limit.
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
