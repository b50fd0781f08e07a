//! Chance that is the same in every run with the same seed.

use std::time::Duration;

/// A linear congruential generator with Knuth's MMIX constants.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed);
        // The first draws of neighbouring seeds are alike.
        dice.below(2);
        dice.below(2);
        dice
    }

    /// A number from 0 to less than this.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// A time within a range of milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
