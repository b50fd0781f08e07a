//! The clock of a local environment: the wall clock, except that it never goes back.
//!
//! Leases, due instants and scheduled messages are compared with this clock. If it went back by an hour, nothing would
//! be due for an hour.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::ports::{Clock, SystemClock};

/// A function that reads the wall clock.
pub type Wall = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A clock that never goes back. It returns the time of the wall clock, or the last returned time plus the time that
/// has passed since, whichever is later.
pub struct SteadyClock {
    wall: Wall,
    /// The last returned time, and the monotonic instant when it was returned.
    last: Mutex<(Timestamp, Instant)>,
}

impl SteadyClock {
    /// A clock that starts at `not_before` or later. Pass the latest time that an earlier process has recorded.
    pub fn new(not_before: Timestamp) -> Self {
        Self::over(Arc::new(|| SystemClock.now()), not_before)
    }

    /// Like [`Self::new`], with another wall clock, for tests.
    pub fn over(wall: Wall, not_before: Timestamp) -> Self {
        Self { wall, last: Mutex::new((not_before, Instant::now())) }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let wall = (self.wall)();
        // A poisoned lock is harmless: the value is consistent at every point.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let instant = Instant::now();
        let steady = last.0.checked_add(instant.duration_since(last.1)).unwrap_or(Timestamp::MAX);
        *last = (steady.max(wall), instant);
        last.0
    }

    #[expect(clippy::disallowed_methods, reason = "this is a clock: here is waited")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        Box::pin(tokio::time::sleep(left))
    }
}
