//! The program's log as the tests read it.

use std::{
    io::{self, Write},
    sync::{Arc, LazyLock, Mutex},
};

use serde_json::Value;
use tracing::{
    Dispatch, Level, Subscriber,
    subscriber::{DefaultGuard, NoSubscriber},
};

/// A second subscriber. With only one subscriber, tracing decides for each log statement at its first use whether it
/// is enabled, by asking the subscriber of the current thread. If that thread has none, the statement would be
/// disabled in all threads.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// Sends everything that is logged in this thread to a subscriber, until the guard is dropped.
fn listen_with(subscriber: impl Subscriber + Send + Sync + 'static) -> DefaultGuard {
    LazyLock::force(&SECOND);
    tracing::subscriber::set_default(subscriber)
}

/// A log that is kept in memory.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Records what is logged in this thread, as JSON lines like those for the host, until the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
        (log, listen_with(subscriber.finish()))
    }

    /// Records everything that is logged in this thread, down to the trace level of libraries, until the guard is
    /// dropped.
    pub(crate) fn listen_to_everything() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone());
        (log, listen_with(subscriber.finish()))
    }

    /// Everything that was logged so far, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The log lines with this message, parsed.
    pub(crate) fn said(&self, text: &str) -> Vec<Value> {
        let written = self.text();
        let lines = written.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == text).collect()
    }
}
