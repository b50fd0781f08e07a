//! The settings of a run's workers: an operator may choose them; the seed draws them within the supported range.

use std::time::Duration;

use tenantry::reconciler::Settings;

use super::{
    exec::Millis,
    profile::{HOUR, Plan, Profile},
    rng::Rng,
    transport::{LIFE, TIMEOUT},
};

/// How requeued tenants are woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WakeUps {
    /// By a message at the right time.
    Queue,
    /// Only by the sweep, as with `TENANTRY_WAKEUPS=sweep`.
    Sweep,
    /// By messages, all of which are lost from the first instant to the second.
    Lost(Millis, Millis),
}

/// The settings of the workers and timers that differ from the shipped ones in some runs. Times are in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) wake_ups: WakeUps,
    lease: Millis,
    budget: Millis,
    overdue: Millis,
    gather: Millis,
    max_writes: u32,
    max_failures: u32,
    /// Whether the queue drops a wake-up that was already sent.
    pub(crate) deduplicates: bool,
    /// The interval of the sweep timer in milliseconds.
    pub(crate) sweeps_every: Millis,
}

fn millis(span: Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}

fn span(millis: Millis) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl Setup {
    /// The shipped settings.
    pub(crate) fn usual() -> Self {
        let shipped = Settings::azure("sim");
        Self {
            wake_ups: WakeUps::Queue,
            lease: millis(shipped.lease),
            budget: millis(shipped.budget),
            overdue: millis(shipped.overdue),
            gather: millis(shipped.gather),
            max_writes: shipped.policy.max_writes,
            max_failures: shipped.policy.max_failures,
            deduplicates: true,
            sweeps_every: 60_000,
        }
    }

    /// Draws settings. About half of all scenarios have the shipped ones.
    pub(crate) fn draw(rng: &mut Rng, plan: &Plan) -> Self {
        let usual = Self::usual();
        let wake_ups = match rng.below(100) {
            0..10 => WakeUps::Sweep,
            10..20 => {
                let from = rng.within(60_000, plan.faults_until / 2);
                WakeUps::Lost(from, from + rng.within(1, 4) * HOUR)
            }
            _ => WakeUps::Queue,
        };
        let overdue = if wake_ups == WakeUps::Sweep { 0 } else { usual.overdue };
        let sweeps_every = if plan.profile == Profile::Days { 300_000 } else { usual.sweeps_every };
        let shipped = Self { wake_ups, overdue, sweeps_every, ..usual };
        if rng.permille(500) {
            return shipped;
        }
        // A lease has to cover two requests with their latest effects, and the difference of two clocks.
        let least = 2 * (TIMEOUT + LIFE + 6_000);
        Self {
            lease: rng.pick(&[least, shipped.lease, 2 * shipped.lease, 600_000]),
            budget: rng.pick(&[0, 1_000, 5_000, shipped.budget, 60_000, 200_000]),
            gather: rng.pick(&[0, 50, shipped.gather, 5_000]),
            overdue: if overdue == 0 { 0 } else { rng.pick(&[0, shipped.overdue, 60_000]) },
            max_writes: rng.pick(&[3, shipped.max_writes, 8]),
            max_failures: rng.pick(&[8, shipped.max_failures, 30]),
            deduplicates: rng.permille(500),
            ..shipped
        }
    }

    /// The settings of a worker.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::azure("sim");
        settings.lease = span(self.lease);
        settings.budget = span(self.budget);
        settings.overdue = span(self.overdue);
        settings.gather = span(self.gather);
        settings.policy.max_writes = self.max_writes;
        settings.policy.max_failures = self.max_failures;
        settings
    }

    /// Whether a wake-up that is sent at `now` is lost.
    pub(crate) fn loses(&self, now: Millis) -> bool {
        matches!(self.wake_ups, WakeUps::Lost(from, to) if (from..to).contains(&now))
    }
}
