//! How bad a run's world is. Each seed draws a profile and then the particulars (a swarm), so that rare combinations
//! come together.

use super::{exec::Millis, rng::Rng};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Profile {
    /// Nothing goes wrong but time.
    Calm,
    /// Every fault, within the bounds that the product is promised.
    Bounded,
    /// Requests that outlive their bound, clocks hours apart.
    Hostile,
    /// Workers die and stand still all the time.
    Crashy,
    /// Entra's replicas lag by minutes.
    SlowGraph,
    /// 429 and 5xx everywhere.
    Throttled,
    /// Sign-up, removal, sign-up again, in mid-run.
    Churn,
    /// Workers come back with another version of the blueprint.
    VersionChange,
    /// One tenant makes most of the noise.
    Noisy,
    /// One dependency after the other is down for minutes.
    Correlated,
}

pub(crate) const PROFILES: [Profile; 10] = [
    Profile::Calm,
    Profile::Bounded,
    Profile::Hostile,
    Profile::Crashy,
    Profile::SlowGraph,
    Profile::Throttled,
    Profile::Churn,
    Profile::VersionChange,
    Profile::Noisy,
    Profile::Correlated,
];

/// How the simulated Azure behaves; shares are in permille.
#[derive(Debug, Clone)]
pub(crate) struct AzureManners {
    pub(crate) throttled: u64,
    pub(crate) broken: u64,
    pub(crate) denied: u64,
    /// Writes that become long-running operations.
    pub(crate) operations: u64,
    pub(crate) longest: Millis,
    pub(crate) op_failed: u64,
    pub(crate) graph_lag: Millis,
    pub(crate) role_lag: Millis,
    pub(crate) strangers: u32,
}

impl AzureManners {
    pub(crate) fn healed(past: &Self) -> Self {
        Self {
            throttled: 0,
            broken: 0,
            denied: 0,
            op_failed: 0,
            strangers: 0,
            graph_lag: past.graph_lag.min(5_000),
            role_lag: past.role_lag.min(5_000),
            longest: past.longest.min(20_000),
            ..*past
        }
    }
}

/// Everything about a run that its seed draws before it begins.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) tenants: usize,
    pub(crate) workers: usize,
    pub(crate) faults_until: Millis,
    pub(crate) azure: AzureManners,
    // The wire.
    pub(crate) not_sent: u64,
    pub(crate) lost: u64,
    pub(crate) answer_lost: u64,
    pub(crate) late: u64,
    /// How much longer than promised a late request may live.
    pub(crate) overdue: Millis,
    // The store.
    pub(crate) conflicts: u64,
    pub(crate) unavailable: u64,
    pub(crate) ambiguous: u64,
    pub(crate) slow_saves: u64,
    // Broker and announcer.
    pub(crate) duplicates: u64,
    pub(crate) lock_lost: u64,
    pub(crate) wakes_lost: u64,
    pub(crate) publish_fails: u64,
    // Workers.
    /// Mean time between kills and between pauses; 0 for none.
    pub(crate) kills_every: Millis,
    pub(crate) pauses_every: Millis,
    pub(crate) skew: Millis,
    // The workload, in permille per occasion.
    pub(crate) updates: u64,
    pub(crate) removals: u64,
    /// Messages that may not be taken in.
    pub(crate) poison: u64,
    pub(crate) suspensions: u64,
    /// A tenant is active only after a proof of its isolation, and the timer looks again.
    pub(crate) proved: bool,
    /// Those who give themselves access to a tenant's things while the proof is under way, or later.
    pub(crate) intruders: u64,
    pub(crate) versions: bool,
    pub(crate) outages: bool,
    pub(crate) removed_in_the_end: bool,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 3);
        let profile = rng.pick(&PROFILES);
        let mut plan = Self::of(profile, &mut rng);
        plan.swarm(&mut rng);
        // A proof costs as much as all the rest of a sign-up.
        plan.proved = rng.permille(250);
        plan.intruders = if plan.proved { rng.below(4) } else { 0 };
        plan
    }

    /// No faults; as noisy, its first tenant is asked for something every few seconds.
    pub(crate) fn without_faults(seed: u64, profile: Profile) -> Self {
        Self { profile, ..Self::of(Profile::Calm, &mut Rng::new(seed, 3)) }
    }

    fn of(profile: Profile, rng: &mut Rng) -> Self {
        use Profile::{
            Bounded, Calm, Churn, Correlated, Crashy, Hostile, Noisy, SlowGraph, Throttled, VersionChange,
        };
        let calm = profile == Calm;
        let some = |share: u64| if calm { 0 } else { share };
        let lag = if profile == SlowGraph { 120_000 } else { 4_000 };
        Self {
            profile,
            tenants: usize::try_from(rng.within(2, 4)).unwrap_or(2),
            workers: 3,
            faults_until: rng.within(12, 20) * 60_000,
            azure: AzureManners {
                throttled: if profile == Throttled { 150 } else { some(5) },
                broken: if profile == Throttled { 100 } else { some(8) },
                denied: some(2),
                operations: 300,
                longest: rng.pick(&[2_000, 15_000, 60_000, 200_000]),
                op_failed: some(15),
                graph_lag: if calm { 0 } else { lag },
                role_lag: if calm { 0 } else { lag },
                strangers: u32::from(!calm && rng.permille(150)),
            },
            not_sent: some(10),
            lost: some(10),
            answer_lost: some(15),
            late: some(20),
            overdue: if profile == Hostile { 600_000 } else { 0 },
            conflicts: some(15),
            unavailable: some(15),
            ambiguous: some(20),
            slow_saves: some(8),
            poison: 60,
            duplicates: if calm { 100 } else { 300 },
            lock_lost: some(80),
            wakes_lost: some(150),
            publish_fails: some(100),
            kills_every: match profile {
                Calm => 0,
                Crashy => 25_000,
                Bounded | Hostile | SlowGraph | Throttled | Churn | VersionChange | Noisy | Correlated => {
                    150_000
                }
            },
            pauses_every: match profile {
                Calm => 0,
                Crashy => 60_000,
                Bounded | Hostile | SlowGraph | Throttled | Churn | VersionChange | Noisy | Correlated => {
                    180_000
                }
            },
            skew: match profile {
                Calm => 0,
                Hostile => 3_600_000,
                Bounded | Crashy | SlowGraph | Throttled | Churn | VersionChange | Noisy | Correlated => {
                    1_500
                }
            },
            updates: if profile == Churn || profile == VersionChange { 800 } else { 400 },
            removals: if profile == Churn { 900 } else { 250 },
            suspensions: 250,
            proved: false,
            intruders: 0,
            versions: profile == VersionChange,
            outages: profile == Correlated,
            removed_in_the_end: rng.permille(400),
        }
    }

    /// Each kind of trouble is left out, as it is, or threefold.
    fn swarm(&mut self, rng: &mut Rng) {
        let knobs = [
            &mut self.azure.throttled,
            &mut self.azure.broken,
            &mut self.azure.op_failed,
            &mut self.not_sent,
            &mut self.lost,
            &mut self.answer_lost,
            &mut self.late,
            &mut self.conflicts,
            &mut self.unavailable,
            &mut self.ambiguous,
            &mut self.slow_saves,
            &mut self.lock_lost,
            &mut self.wakes_lost,
            &mut self.publish_fails,
        ];
        for knob in knobs {
            *knob = (*knob * rng.pick(&[0, 1, 1, 3])).min(600);
        }
        for every in [&mut self.kills_every, &mut self.pauses_every] {
            *every *= rng.pick(&[0, 1, 1]);
        }
        self.skew *= rng.pick(&[0, 1, 1]);
    }

    /// Whether the promises of D and E hold, and so the fence.
    pub(crate) fn bounded(&self) -> bool {
        self.profile != Profile::Hostile
    }
}

impl Plan {
    /// How many kinds of trouble [`Self::cut`] knows.
    pub(crate) const KINDS: usize = 19;

    /// Leaves kinds of trouble out, and ends them earlier, to find what a failure needs.
    pub(crate) fn cut(&mut self, without: &[usize], until: Option<Millis>) {
        for kind in without {
            match kind {
                0 => self.azure.throttled = 0,
                1 => self.azure.broken = 0,
                2 => self.azure.denied = 0,
                3 => self.azure.op_failed = 0,
                4 => self.azure.strangers = 0,
                5 => (self.azure.graph_lag, self.azure.role_lag) = (0, 0),
                6 => self.not_sent = 0,
                7 => (self.lost, self.answer_lost) = (0, 0),
                8 => self.late = 0,
                9 => (self.conflicts, self.ambiguous) = (0, 0),
                10 => self.unavailable = 0,
                11 => self.slow_saves = 0,
                12 => (self.lock_lost, self.duplicates) = (0, 0),
                13 => self.wakes_lost = 0,
                14 => self.publish_fails = 0,
                15 => self.kills_every = 0,
                16 => self.pauses_every = 0,
                17 => (self.skew, self.outages) = (0, false),
                _ => self.intruders = 0,
            }
        }
        if let Some(until) = until {
            self.faults_until = self.faults_until.min(until);
        }
    }
}
