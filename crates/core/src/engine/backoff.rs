//! Delays between attempts, and the budgets after which a step is blocked.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{ids::sha256_hex, time::saturating_add};

/// Delays, deadlines and budgets of the engine. All durations are wall-clock time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Upper bound of the first back-off; the bound doubles with every consecutive failure.
    pub backoff_first: Duration,
    /// Upper bound of every back-off; a longer `Retry-After` of the service takes precedence.
    pub backoff_most: Duration,
    /// After how many consecutive failures a step is blocked.
    pub max_failures: u32,
    /// How long a step is retried because a new object is not known to all parts of Azure and Entra yet. Microsoft
    /// gives no bound; users report more than five minutes.
    pub lag_budget: Duration,
    /// How many attempts are made, the first one included, if they end in an error code that is not in the table of
    /// errors.
    pub unknown_tries: u32,
    /// The time over which the [`Self::unknown_tries`] attempts are spread; the last attempt is at its end.
    pub unknown_window: Duration,
    /// How long after a write a replicated object may still be missing from a read.
    pub visibility: Duration,
    /// How long an operation may run if the service gives no limit.
    pub operation_deadline: Duration,
    /// How long an operation may run at most, whatever limit the service gives.
    pub operation_most: Duration,
    /// Shortest time between two polls of an operation if the service sends no `Retry-After`.
    pub poll_first: Duration,
    /// Longest time between two polls of an operation if the service sends no `Retry-After`.
    pub poll_most: Duration,
    /// How many writes Azure accepts in one step generation before the step is blocked because its object still differs
    /// or has failed.
    pub max_writes: u32,
    /// How long a resource in the state `Failed` is left alone before it is written again; doubles with every write.
    pub repair_first: Duration,
}

impl Policy {
    /// The policy for Azure: long delays and budgets.
    pub fn azure() -> Self {
        Self {
            backoff_first: Duration::from_secs(2),
            backoff_most: Duration::from_secs(300),
            max_failures: 12,
            lag_budget: Duration::from_secs(15 * 60),
            unknown_tries: 5,
            unknown_window: Duration::from_secs(15 * 60),
            visibility: Duration::from_secs(15 * 60),
            operation_deadline: Duration::from_secs(2 * 3600),
            operation_most: Duration::from_secs(24 * 3600),
            poll_first: Duration::from_secs(2),
            poll_most: Duration::from_secs(30),
            max_writes: 4,
            repair_first: Duration::from_secs(30),
        }
    }

    /// The policy for a simulated Azure on the same machine: delays of milliseconds, and more failures before a step is
    /// blocked. Everything else is as for Azure.
    pub fn local() -> Self {
        Self {
            backoff_first: Duration::from_millis(40),
            backoff_most: Duration::from_secs(2),
            max_failures: 60,
            unknown_window: Duration::from_millis(1500),
            visibility: Duration::from_millis(500),
            poll_first: Duration::from_millis(20),
            poll_most: Duration::from_millis(250),
            repair_first: Duration::from_millis(50),
            ..Self::azure()
        }
    }

    /// When to try again after `failures` consecutive failures: exponential back-off with full jitter, never before the
    /// service's `Retry-After`.
    ///
    /// The jitter is derived from `seed`, so that a decision can be replayed.
    pub(super) fn retry_at(
        &self,
        failures: u32,
        retry_after: Option<Duration>,
        seed: &str,
        now: Timestamp,
    ) -> Timestamp {
        let doubled =
            self.backoff_first.saturating_mul(1u32.checked_shl(failures.min(20)).unwrap_or(u32::MAX));
        let bound = doubled.min(self.backoff_most);
        let jitter = bound.mul_f64(unit_interval(seed));
        saturating_add(now, self.asked(retry_after).unwrap_or_default().max(jitter))
    }

    /// When to try again after an unknown code, if `before` earlier attempts have ended in an unknown code too: each
    /// delay is twice the one before, and together they fill the window. At most a tenth is added, so that many tenants
    /// do not retry at once.
    pub(super) fn unknown_at(
        &self,
        before: u32,
        retry_after: Option<Duration>,
        seed: &str,
        now: Timestamp,
    ) -> Timestamp {
        let pauses = self.unknown_tries.saturating_sub(1).clamp(1, 20);
        let parts = (1u32 << pauses) - 1;
        let part = self.unknown_window / parts * (1u32 << before.min(pauses - 1));
        let pause = part + part.mul_f64(unit_interval(seed) / 10.0);
        saturating_add(now, self.asked(retry_after).unwrap_or_default().max(pause))
    }

    /// When to poll an operation that began at `since`: after the service's `Retry-After`, or without one after a
    /// quarter of the operation's age, within bounds.
    pub(super) fn poll_at(&self, since: Timestamp, after: Option<Duration>, now: Timestamp) -> Timestamp {
        let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        saturating_add(
            now,
            self.asked(after).unwrap_or_else(|| (age / 4).clamp(self.poll_first, self.poll_most)),
        )
    }

    /// How long an operation may run, given the service's own limit: at most `operation_most`, and `operation_deadline`
    /// if the service gives no limit.
    pub(super) fn limit(&self, given: Option<SignedDuration>) -> Duration {
        let given = given.and_then(|given| Duration::try_from(given).ok());
        given.map_or(self.operation_deadline, |given| given.min(self.operation_most))
    }

    /// Until when the service asked not to be called; `None` if it did not ask.
    pub(super) fn pause_until(&self, retry_after: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
        Some(saturating_add(now, self.asked(retry_after)?))
    }

    /// The service's `Retry-After`, but at most `operation_deadline`: a wrong header must not stop a step forever.
    fn asked(&self, after: Option<Duration>) -> Option<Duration> {
        after.map(|after| after.min(self.operation_deadline))
    }
}

/// Derives a number in [0, 1) from a text.
fn unit_interval(seed: &str) -> f64 {
    let digest = sha256_hex(seed.as_bytes());
    u32::from_str_radix(&digest[..8], 16)
        .map_or(0.5, |number| f64::from(number) / (f64::from(u32::MAX) + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_is_jittered_bounded_and_respects_retry_after() {
        let (policy, now) = (Policy::azure(), Timestamp::UNIX_EPOCH);
        let mut seen = std::collections::BTreeSet::new();
        for failures in 0..30 {
            let at = policy.retry_at(failures, None, &format!("seed {failures}"), now);
            assert!(at <= saturating_add(now, policy.backoff_most));
            seen.insert(at);
        }
        assert!(seen.len() > 25, "no jitter");
        let asked = policy.retry_at(0, Some(Duration::from_secs(77)), "s", now);
        assert_eq!(asked, saturating_add(now, Duration::from_secs(77)));
    }

    #[test]
    fn tries_after_unknown_codes_are_spread_over_the_window() {
        let policy = Policy::azure();
        let mut now = Timestamp::UNIX_EPOCH;
        for before in 0..policy.unknown_tries - 1 {
            let next = policy.unknown_at(before, None, &format!("seed {before}"), now);
            assert!(next > now);
            now = next;
        }
        let took = Duration::try_from(now.duration_since(Timestamp::UNIX_EPOCH)).unwrap();
        assert!(took >= policy.unknown_window && took <= policy.unknown_window * 11 / 10, "{took:?}");
        let asked = policy.unknown_at(0, Some(Duration::from_secs(77)), "s", now);
        assert_eq!(asked, saturating_add(now, Duration::from_secs(77)));
        let odd = Policy { unknown_tries: 0, ..policy };
        assert!(odd.unknown_at(u32::MAX, None, "s", now) >= saturating_add(now, odd.unknown_window));
    }
}
