//! Makes random choices, which are the same in every run with the same seed.

use std::time::Duration;

use crate::testkit::rng::Rng;

/// The random number generator of the crash test.
pub(crate) struct TrialRng(Rng);

impl TrialRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rng::at(seed))
    }

    /// A random number from 0 to `end`, without `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.below(end)
    }

    /// A random duration within a range of milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
