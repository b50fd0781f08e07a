//! The clock of a local environment: the wall clock, but it never goes back.
//!
//! Leases, due instants and scheduled messages are compared with it. If it went back by an hour, all of them would be
//! an hour in the future, and nothing would happen until then.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::ports::{Clock, SystemClock};

/// Reads the wall clock.
pub type Wall = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The wall clock where that is ahead; otherwise the time that has passed since it last was.
pub struct SteadyClock {
    wall: Wall,
    /// The last returned time, and the monotonic instant when it was returned.
    last: Mutex<(Timestamp, Instant)>,
}

impl SteadyClock {
    /// A clock that starts at `not_before` at the earliest: the latest time of an earlier process.
    pub fn new(not_before: Timestamp) -> Self {
        Self::over(Arc::new(|| SystemClock.now()), not_before)
    }

    /// Like [`Self::new`], over another wall clock.
    pub fn over(wall: Wall, not_before: Timestamp) -> Self {
        Self { wall, last: Mutex::new((not_before, Instant::now())) }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let wall = (self.wall)();
        // The guarded value is consistent at every point.
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
