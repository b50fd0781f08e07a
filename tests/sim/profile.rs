//! The faults of a run. Each seed draws a profile and then the rates of its faults (swarm testing), so that rare
//! combinations occur.

use super::{exec::Millis, rng::Rng, setup::Setup};

pub(crate) const HOUR: Millis = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Profile {
    /// There are no faults.
    Calm,
    /// Every fault occurs, within the guarantees of the dependencies.
    Bounded,
    /// Requests take effect after their guaranteed lifetime, and clocks differ by hours.
    Hostile,
    /// Workers crash and pause all the time.
    Crashy,
    /// Entra's replicas lag by minutes.
    SlowGraph,
    /// Answers with 429 and 5xx are frequent.
    Throttled,
    /// Tenants are signed up, deprovisioned and signed up again during the run.
    Churn,
    /// Workers restart with another version of the blueprint.
    VersionChange,
    /// One tenant gets most of the requests.
    Noisy,
    /// One dependency after the other is down for minutes.
    Correlated,
    /// Azure refuses requests and fails in undocumented ways.
    Rotten,
    /// Clients send several requests at once, and repeat them before they are answered.
    Impatient,
    /// Dozens of tenants are in one virtual network, in which one endpoint is changed at a time.
    Crowd,
    /// Outages last a day, and machines sleep for hours.
    Days,
}

/// The profiles that most seeds draw; a few draw one of the other two, whose runs take as long as a hundred of these.
pub(crate) const PROFILES: [Profile; 12] = [
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
    Profile::Rotten,
    Profile::Impatient,
];
/// Of a thousand seeds, how many draw [`Profile::Crowd`], and how many [`Profile::Days`]. More than one of a hundred has a
/// long sleep, as it has any other fault.
const CROWDS: u64 = 2;
const DAYS: u64 = 12;

/// How often the simulator's Azure misbehaves in which way. Rates are in permille.
#[derive(Debug, Clone)]
pub(crate) struct AzureManners {
    pub(crate) throttled: u64,
    pub(crate) errors: u64,
    pub(crate) denied: u64,
    /// Writes, deletions and purges that become long-running operations.
    pub(crate) operations: u64,
    pub(crate) longest: Millis,
    pub(crate) op_failed: u64,
    pub(crate) graph_lag: Millis,
    pub(crate) role_lag: Millis,
    pub(crate) strangers: u32,
    /// Requests that are refused with undocumented codes for some minutes.
    pub(crate) unknown_codes: u64,
    /// Reads at which a ready object starts to show as failed although nobody changed it.
    pub(crate) rots: u64,
    /// Updates from which on every update of the object fails.
    pub(crate) curses: u64,
    /// Updates that fail and leave the object as it was.
    pub(crate) halves: u64,
    /// Operations that end in an undocumented state.
    pub(crate) odd: u64,
    /// The instant from which no more objects of a kind can be created, with that kind; `None` for no limit.
    pub(crate) wall: Option<(Millis, &'static str)>,
    /// Whether lists come in pages and in any order.
    pub(crate) pages: bool,
    /// Whether the stamp lists role ids without the subscription, with which Azure shows them.
    pub(crate) short_roles: bool,
    /// Answers that show ids in upper or lower case.
    pub(crate) other_case: u64,
    /// Answers that show sets in another order.
    pub(crate) reordered: u64,
    /// Answers of Graph that report a lag as a missing permission.
    pub(crate) gated: u64,
    /// Vaults that can't be purged.
    pub(crate) protected: u64,
    /// Objects that can't be changed back.
    pub(crate) stubborn: u64,
    /// Answers with `Retry-After` as a date or with a fraction.
    pub(crate) fancy_waits: u64,
    /// Refusals that report a running operation only in their message.
    pub(crate) wordy: u64,
}

impl AzureManners {
    pub(crate) fn healed(past: &Self) -> Self {
        Self {
            throttled: 0,
            errors: 0,
            denied: 0,
            op_failed: 0,
            strangers: 0,
            unknown_codes: 0,
            rots: 0,
            curses: 0,
            halves: 0,
            odd: 0,
            stubborn: 0,
            wall: None,
            graph_lag: past.graph_lag.min(5_000),
            role_lag: past.role_lag.min(5_000),
            longest: past.longest.min(20_000),
            ..*past
        }
    }
}

/// Everything that a seed determines before its run. Rates are in permille.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) tenants: usize,
    pub(crate) workers: usize,
    pub(crate) faults_until: Millis,
    pub(crate) azure: AzureManners,
    // Faults of the transport.
    pub(crate) not_sent: u64,
    pub(crate) lost: u64,
    pub(crate) answer_lost: u64,
    pub(crate) late: u64,
    /// How many milliseconds after its guaranteed lifetime a late request may still take effect.
    pub(crate) overdue: Millis,
    // Faults of the store.
    pub(crate) conflicts: u64,
    pub(crate) unavailable: u64,
    pub(crate) ambiguous: u64,
    pub(crate) slow_saves: u64,
    // Faults of the broker and the publisher.
    pub(crate) duplicates: u64,
    pub(crate) lock_lost: u64,
    pub(crate) wakes_lost: u64,
    pub(crate) publish_fails: u64,
    // Workers.
    /// Mean time in milliseconds between kills of a worker (`pauses_every`: between its pauses); 0 for none.
    pub(crate) kills_every: Millis,
    pub(crate) pauses_every: Millis,
    pub(crate) skew: Millis,
    // The requests: rates per occasion, in permille.
    pub(crate) updates: u64,
    pub(crate) removals: u64,
    /// Messages that intake must reject.
    pub(crate) poison: u64,
    pub(crate) suspensions: u64,
    /// Whether a tenant becomes active only after an isolation check, which a timer repeats.
    pub(crate) proved: bool,
    /// The number of intruders that give themselves access during the run.
    pub(crate) intruders: u64,
    pub(crate) versions: bool,
    pub(crate) outages: bool,
    pub(crate) removed_in_the_end: bool,
    /// Whether rows of the store become unreadable.
    pub(crate) unreadable: bool,
    /// Whether some workers write members that the others do not know.
    pub(crate) mixed: bool,
    /// Requests that change a property which can't be changed in place.
    pub(crate) moves: u64,
    /// Requests that are sent together with their opposite.
    pub(crate) twins: u64,
    /// Reads of a tenant by clients.
    pub(crate) reads: u64,
    /// Whether objects are deleted by hand.
    pub(crate) robbers: bool,
    /// The settings of the workers.
    pub(crate) setup: Setup,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 3);
        let profile = match rng.below(1000) {
            draw if draw < CROWDS => Profile::Crowd,
            draw if draw < CROWDS + DAYS => Profile::Days,
            _ => rng.pick(&PROFILES),
        };
        let mut plan = Self::of(profile, &mut rng);
        plan.swarm(&mut rng);
        // Only a quarter of the seeds: an isolation check costs as much as the rest of a sign-up.
        plan.proved = rng.permille(250);
        plan.intruders = if plan.proved { rng.below(4) } else { 0 };
        plan.setup = Setup::draw(&mut Rng::new(seed, 8), &plan);
        plan.robbers = profile != Profile::Calm && !plan.proved && Rng::new(seed, 12).permille(200);
        plan.unreadable = profile != Profile::Calm && Rng::new(seed, 10).permille(150);
        plan.of_size();
        plan
    }

    /// A plan without faults. With the profile `Noisy`, the first tenant gets a request every few seconds.
    pub(crate) fn without_faults(seed: u64, profile: Profile) -> Self {
        Self { profile, ..Self::of(Profile::Calm, &mut Rng::new(seed, 3)) }
    }

    /// Leaves out what would make a scenario of days, or of dozens of tenants, take longer than a second.
    #[expect(clippy::wildcard_enum_match_arm, reason = "most profiles are alike here")]
    fn of_size(&mut self) {
        match self.profile {
            Profile::Crowd => {
                self.proved = false;
                self.intruders = 0;
                self.versions = false;
            }
            Profile::Days => {
                self.tenants = 2;
                self.proved = false;
                self.intruders = 0;
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "most profiles are alike here")]
    fn of(profile: Profile, rng: &mut Rng) -> Self {
        use Profile::{
            Calm, Churn, Correlated, Crashy, Crowd, Days, Hostile, Impatient, Rotten, VersionChange,
        };
        let calm = profile == Calm;
        let some = |share: u64| if calm { 0 } else { share };
        let crowd = rng.within(30, 60);
        Self {
            profile,
            tenants: usize::try_from(if profile == Crowd { crowd } else { rng.within(2, 4) }).unwrap_or(2),
            workers: 3,
            faults_until: match profile {
                Crowd => 3 * HOUR + HOUR / 2,
                Days => rng.within(40, 56) * HOUR,
                _ => rng.within(12, 20) * 60_000,
            },
            azure: manners(profile, rng, crowd),
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
                Calm | Crowd => 0,
                Crashy => 25_000,
                Days => 6 * HOUR,
                _ => 150_000,
            },
            pauses_every: match profile {
                Calm | Crowd | Days => 0,
                Crashy => 60_000,
                _ => 180_000,
            },
            skew: match profile {
                Calm => 0,
                Hostile => 3_600_000,
                _ => 1_500,
            },
            updates: if matches!(profile, Churn | VersionChange | Rotten) { 800 } else { 400 },
            removals: if profile == Churn { 900 } else { 250 },
            suspensions: 250,
            proved: false,
            intruders: 0,
            versions: profile == VersionChange,
            outages: profile == Correlated,
            removed_in_the_end: rng.permille(400),
            mixed: !calm && rng.permille(80),
            unreadable: false,
            moves: some(120),
            twins: if profile == Impatient { 500 } else { some(60) },
            reads: if profile == Impatient { 700 } else { some(100) },
            robbers: false,
            setup: Setup::usual(),
        }
    }

    /// Leaves out, keeps or triples each kind of fault.
    fn swarm(&mut self, rng: &mut Rng) {
        let knobs = [
            &mut self.azure.throttled,
            &mut self.azure.errors,
            &mut self.azure.op_failed,
            &mut self.azure.unknown_codes,
            &mut self.azure.rots,
            &mut self.azure.curses,
            &mut self.azure.halves,
            &mut self.azure.odd,
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

    /// Whether the assumptions about late requests and clocks hold (docs/trust.md), on which the lease's fence
    /// depends.
    pub(crate) fn bounded(&self) -> bool {
        self.profile != Profile::Hostile
    }
}

/// How Azure behaves in a scenario of this profile. `crowd` is the number of tenants of a crowd.
fn manners(profile: Profile, rng: &mut Rng, crowd: i64) -> AzureManners {
    use Profile::{Calm, Crowd, Rotten, SlowGraph, Throttled};
    let calm = profile == Calm;
    let some = |share: u64| if calm { 0 } else { share };
    let rotten = |share: u64| if profile == Rotten { 6 * share } else { some(share) };
    let lag = if profile == SlowGraph { 120_000 } else { 4_000 };
    AzureManners {
        throttled: if profile == Throttled { 150 } else { some(5) },
        errors: if profile == Throttled { 100 } else { some(8) },
        denied: some(2),
        operations: 300,
        // In a crowd the endpoints are changed one after the other, so a tenant waits longer than any other operation
        // may take.
        longest: if profile == Crowd {
            5 * HOUR / crowd
        } else {
            rng.pick(&[2_000, 15_000, 60_000, 200_000])
        },
        op_failed: some(15),
        graph_lag: if calm { 0 } else { lag },
        role_lag: if calm { 0 } else { lag },
        strangers: u32::from(!calm && rng.permille(150)),
        unknown_codes: rotten(2),
        rots: rotten(3),
        curses: rotten(8),
        halves: rotten(25),
        odd: rotten(10),
        wall: (!calm && profile != Crowd && rng.permille(if profile == Rotten { 300 } else { 60 })).then(
            || {
                (
                    rng.within(120_000, 900_000),
                    rng.pick(&["vaults", "privateendpoints", "userassignedidentities"]),
                )
            },
        ),
        pages: rng.permille(700),
        short_roles: rng.permille(300),
        other_case: rng.pick(&[0, 0, 300]),
        reordered: rng.pick(&[0, 0, 500]),
        gated: some(300),
        protected: rng.pick(&[0, 0, 300]),
        stubborn: some(300),
        fancy_waits: rng.pick(&[0, 400]),
        wordy: rng.pick(&[0, 500]),
    }
}
