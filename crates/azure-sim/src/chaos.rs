//! Random faults: a test has a share of all requests throttled, refused, stalled or not answered.
//!
//! A seeded generator decides which request gets which fault, so two runs with the same order of requests have the same
//! faults. The settings are kept in memory.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The random faults that a request can get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChaosFault {
    /// The request is not carried out; the answer is 429 with a `Retry-After` of one second.
    Throttle,
    /// The request is not carried out; the answer is 503.
    Unavailable,
    /// The request is not carried out; it stalls, and then the connection is cut.
    Timeout,
    /// The request is carried out, and the connection is cut without an answer.
    Lost,
}

const ALL: [ChaosFault; 4] =
    [ChaosFault::Throttle, ChaosFault::Unavailable, ChaosFault::Timeout, ChaosFault::Lost];
/// The longest stall that can be set, in milliseconds.
const LONGEST_STALL: u32 = 600_000;

/// The settings of random faults, as a test posts them to `/_sim/chaos`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FaultRate {
    /// The share of requests that get a fault, in percent.
    percent: u8,
    /// The seed of the random number generator.
    #[serde(default = "one")]
    seed: u64,
    #[serde(default = "all")]
    kinds: Vec<ChaosFault>,
    /// How long a request with the fault [`ChaosFault::Timeout`] stalls, in milliseconds.
    #[serde(default = "stall")]
    stall_ms: u32,
    /// Whether requests to the managed identity endpoint get faults too.
    #[serde(default)]
    identity: bool,
}

const fn one() -> u64 {
    1
}

fn all() -> Vec<ChaosFault> {
    ALL.to_vec()
}

const fn stall() -> u32 {
    1500
}

#[derive(Debug, Default)]
struct State {
    rate: Option<FaultRate>,
    generator: u64,
    requests: u64,
    dealt: BTreeMap<ChaosFault, u64>,
}

/// The current settings of random faults, with counts of the injected faults.
#[derive(Debug, Default)]
pub(crate) struct Chaos(Mutex<State>);

impl Chaos {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts random faults with these settings, and resets the counts to zero.
    ///
    /// # Errors
    /// A text that says what is wrong with the settings.
    pub(crate) fn begin(&self, rate: FaultRate) -> Result<(), &'static str> {
        if rate.percent > 100 {
            return Err("percent is at most 100");
        }
        if rate.kinds.is_empty() {
            return Err("kinds names at least one of throttle, unavailable, timeout, lost");
        }
        if rate.stall_ms > LONGEST_STALL {
            return Err("stallMs is at most 600000");
        }
        *self.state() = State { generator: rate.seed, rate: Some(rate), ..State::default() };
        Ok(())
    }

    /// Ends the random faults. The counts stay until the next start.
    pub(crate) fn end(&self) {
        self.state().rate = None;
    }

    /// Draws the fault of the next request, with the length of a stall; `None` if the request gets no fault.
    /// `to_identity` says whether the request is to the managed identity endpoint.
    pub(crate) fn deal(&self, to_identity: bool) -> Option<(ChaosFault, Duration)> {
        let mut state = self.state();
        let rate = state.rate.clone().filter(|rate| rate.identity || !to_identity)?;
        state.requests += 1;
        if next(&mut state.generator) % 100 >= u64::from(rate.percent) {
            return None;
        }
        let at = next(&mut state.generator) % u64::try_from(rate.kinds.len()).ok()?;
        let fault = *rate.kinds.get(usize::try_from(at).ok()?)?;
        *state.dealt.entry(fault).or_default() += 1;
        Some((fault, Duration::from_millis(rate.stall_ms.into())))
    }

    /// The settings, how many requests could have got a fault since the start, and how many got each fault, as JSON.
    pub(crate) fn show(&self) -> Value {
        let state = self.state();
        let count = |kind: &ChaosFault| state.dealt.get(kind).copied().unwrap_or_default();
        let dealt: BTreeMap<ChaosFault, u64> = ALL.iter().map(|kind| (*kind, count(kind))).collect();
        json!({ "settings": state.rate, "requests": state.requests, "dealt": dealt })
    }
}

/// The next random number of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        let mut state = 1_234_567;
        let drawn: Vec<u64> = (0..3).map(|_| next(&mut state)).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
