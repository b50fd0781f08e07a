//! Trouble at random, as a test asks for it: a share of all requests is throttled, refused, stalled or not answered.
//!
//! Which request meets what is decided by a seeded generator, so it is the same in every run in which the requests
//! come in the same order. Kept in memory, like the faults.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What can befall a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Trouble {
    /// 429 with a Retry-After of one second; nothing is done.
    Throttle,
    /// 503; nothing is done.
    Unavailable,
    /// Nothing is done, nothing is said for a while, then the connection is cut.
    Timeout,
    /// It is done, and the answer is lost.
    Lost,
}

const ALL: [Trouble; 4] = [Trouble::Throttle, Trouble::Unavailable, Trouble::Timeout, Trouble::Lost];
/// The longest stall, in milliseconds; no client waits longer.
const LONGEST_STALL: u32 = 600_000;

/// How much trouble there is, as a test posts it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Dose {
    /// How many of a hundred requests.
    percent: u8,
    /// Where the generator begins.
    #[serde(default = "one")]
    seed: u64,
    #[serde(default = "all")]
    kinds: Vec<Trouble>,
    /// How long a timed-out request is kept waiting.
    #[serde(default = "stall")]
    stall_ms: u32,
    /// Whether the identity endpoint has trouble too.
    #[serde(default)]
    identity: bool,
}

const fn one() -> u64 {
    1
}

fn all() -> Vec<Trouble> {
    ALL.to_vec()
}

const fn stall() -> u32 {
    1500
}

#[derive(Debug, Default)]
struct State {
    dose: Option<Dose>,
    generator: u64,
    requests: u64,
    dealt: BTreeMap<Trouble, u64>,
}

/// The trouble in force, with a count of what was dealt.
#[derive(Debug, Default)]
pub(crate) struct Chaos(Mutex<State>);

impl Chaos {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins, or begins anew with other settings and counts of zero.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(crate) fn begin(&self, dose: Dose) -> Result<(), &'static str> {
        if dose.percent > 100 {
            return Err("percent is at most 100");
        }
        if dose.kinds.is_empty() {
            return Err("kinds names at least one of throttle, unavailable, timeout, lost");
        }
        if dose.stall_ms > LONGEST_STALL {
            return Err("stallMs is at most 600000");
        }
        *self.state() = State { generator: dose.seed, dose: Some(dose), ..State::default() };
        Ok(())
    }

    /// Ends the trouble; the counts stay until it begins again.
    pub(crate) fn end(&self) {
        self.state().dose = None;
    }

    /// What befalls the next request, and how long a stall is.
    pub(crate) fn deal(&self, to_identity: bool) -> Option<(Trouble, Duration)> {
        let mut state = self.state();
        let dose = state.dose.clone().filter(|dose| dose.identity || !to_identity)?;
        state.requests += 1;
        if next(&mut state.generator) % 100 >= u64::from(dose.percent) {
            return None;
        }
        let at = next(&mut state.generator) % u64::try_from(dose.kinds.len()).ok()?;
        let trouble = *dose.kinds.get(usize::try_from(at).ok()?)?;
        *state.dealt.entry(trouble).or_default() += 1;
        Some((trouble, Duration::from_millis(dose.stall_ms.into())))
    }

    /// The settings, how many requests were drawn for, and what was dealt.
    pub(crate) fn show(&self) -> Value {
        let state = self.state();
        let count = |kind: &Trouble| state.dealt.get(kind).copied().unwrap_or_default();
        let dealt: BTreeMap<Trouble, u64> = ALL.iter().map(|kind| (*kind, count(kind))).collect();
        json!({ "settings": state.dose, "requests": state.requests, "dealt": dealt })
    }
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
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
