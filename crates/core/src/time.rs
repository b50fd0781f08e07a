//! Arithmetic with instants. Nothing here knows what time it is: that comes in with every call.

use std::time::Duration;

use jiff::Timestamp;

/// `now + duration`, at the end of time if that is beyond it.
pub fn later(now: Timestamp, duration: Duration) -> Timestamp {
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}
