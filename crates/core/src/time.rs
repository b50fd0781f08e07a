//! Arithmetic with instants. The current time is always an argument.

use std::time::Duration;

use jiff::Timestamp;

/// `now + duration`; [`Timestamp::MAX`] on overflow.
pub fn saturating_add(now: Timestamp, duration: Duration) -> Timestamp {
    now.checked_add(duration).unwrap_or(Timestamp::MAX)
}
