//! What all parts of a run share: the virtual time, the plan, Azure, the ledger and the workers with the product.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use tenantry::{app::App, ports::Ports};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    tenant::{Action, Conclusion, IsolationVerdict, Status, Tenant},
};

use super::{
    azure::{Azure, stamp},
    broker,
    disruptions::{long_outages, outages},
    exec::{Hub, MOST_POLLS, Millis, Owner},
    history::History,
    ledger::{Ledger, millis_of},
    ports::{SimClock, SimPublisher, SimScheduler},
    profile::{Plan, Profile},
    rng::Rng,
    store::SimStore,
    tables::Tables,
    transport::{Pauses, SimTransport},
    truth, versions, wait_budget,
};

/// The largest difference between two clocks, in milliseconds, that the product assumes.
const APART: Millis = 3_000;

/// A worker: the process that runs under one of the run's worker numbers, or the last one that did.
pub(crate) struct Worker {
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) app: Arc<App>,
    pub(crate) alive: bool,
    skew: Arc<AtomicI64>,
}

pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) plan: Plan,
    pub(crate) tables: Tables,
    azure: Mutex<Azure>,
    ledger: Mutex<Ledger>,
    faults: Mutex<Rng>,
    healed: AtomicBool,
    pub(crate) asleep: AtomicBool,
    hits: Mutex<BTreeMap<&'static str, u64>>,
    names: Mutex<BTreeMap<String, String>>,
    pauses: Mutex<Pauses>,
    /// Tenants that are not compared with Azure, because a request took effect after its guaranteed lifetime, or a
    /// worker's clock was too far ahead of the last writer's to detect that a replica lags.
    disturbed: Mutex<BTreeSet<String>>,
    /// By tenant: how far the clock of the last writer was ahead, in milliseconds.
    writers: Mutex<BTreeMap<String, Millis>>,
    tenants: Vec<String>,
    outages: Vec<(u8, Millis, Millis)>,
    pub(crate) workers: Mutex<Vec<Worker>>,
    starts: AtomicUsize,
    /// The number of requests that are sent and not completed.
    pub(crate) open: AtomicUsize,
    history: Mutex<History>,
    /// When each wake-up was last scheduled, by tenant and by the instant that the wake-up is for.
    woken: Mutex<BTreeMap<(String, Millis), Millis>>,
    pub(crate) sessions: Mutex<BTreeMap<usize, broker::Session>>,
    blueprints: Vec<Blueprint>,
}

impl Shared {
    #[expect(clippy::wildcard_enum_match_arm, reason = "most profiles are alike here")]
    pub(crate) fn new(seed: u64, plan: Plan, with_lines: bool) -> Arc<Self> {
        let most = match plan.profile {
            Profile::Crowd | Profile::Days => 40 * MOST_POLLS,
            _ => MOST_POLLS,
        };
        let hub = Hub::new(seed, with_lines, most);
        let mut rng = Rng::new(seed, 4);
        let outages = match plan.profile {
            Profile::Days => long_outages(&mut rng, plan.faults_until),
            _ if plan.outages => outages(&mut rng, plan.faults_until),
            _ => Vec::new(),
        };
        // The names have a long common prefix, so that names of objects collide if they are cut too short.
        let tenants: Vec<String> =
            (0..plan.tenants).map(|number| format!("northwind-traders-europe-{number}x")).collect();
        let ledger = Ledger::new(&plan, &tenants);
        let shared = Arc::new(Self {
            azure: Mutex::new(Azure::new(seed, plan.azure.clone())),
            ledger: Mutex::new(ledger),
            faults: Mutex::new(Rng::new(seed, 5)),
            healed: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            hits: Mutex::default(),
            names: Mutex::default(),
            pauses: Mutex::default(),
            disturbed: Mutex::default(),
            writers: Mutex::default(),
            tenants,
            outages,
            workers: Mutex::default(),
            starts: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            history: Mutex::default(),
            woken: Mutex::default(),
            sessions: Mutex::default(),
            blueprints: broker::blueprints(),
            tables: Tables::default(),
            hub,
            plan,
        });
        for number in 0..shared.plan.workers {
            let worker = shared.worker(number, &mut rng);
            shared.workers().push(worker);
        }
        shared
    }

    pub(crate) fn azure(&self) -> MutexGuard<'_, Azure> {
        self.azure.lock().unwrap()
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        let now = self.hub.now();
        let mut ledger = self.ledger.lock().unwrap();
        ledger.now = now;
        ledger
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Rng> {
        self.faults.lock().unwrap()
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.names.lock().unwrap()
    }

    pub(crate) fn pauses(&self) -> MutexGuard<'_, Pauses> {
        self.pauses.lock().unwrap()
    }

    pub(crate) fn disturbed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.disturbed.lock().unwrap()
    }

    pub(crate) fn writers(&self) -> MutexGuard<'_, BTreeMap<String, Millis>> {
        self.writers.lock().unwrap()
    }

    /// Whether a worker whose clock is `ahead` overestimates the age of a tenant's last write by more than [`APART`].
    pub(crate) fn is_misled(&self, tenant: &str, ahead: Millis) -> bool {
        let writer = self.writers().get(tenant).copied();
        writer.is_some_and(|writer| ahead - writer > APART)
    }

    pub(crate) fn workers(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.workers.lock().unwrap()
    }

    pub(crate) fn wrong(&self, invariant: &'static str, what: impl Into<String>) {
        let what = what.into();
        self.hub.note("WRONG", &format_args!("{invariant}: {what}"));
        self.ledger().wrong(invariant, what);
    }

    /// The plan of the run while there are faults; `None` after that.
    pub(crate) fn faulty(&self) -> Option<&Plan> {
        (!self.healed.load(Ordering::Relaxed)).then_some(&self.plan)
    }

    pub(crate) fn hit(&self, what: &'static str) {
        *self.hits.lock().unwrap().entry(what).or_default() += 1;
    }

    pub(crate) fn hits(&self) -> BTreeMap<&'static str, u64> {
        let mut hits = self.hits.lock().unwrap().clone();
        hits.extend(self.azure().hits.clone());
        hits
    }

    pub(crate) fn name_of(&self, tenant: usize) -> Option<String> {
        self.tenants.get(tenant).cloned()
    }

    pub(crate) fn number_of(&self, tenant: &str) -> Option<usize> {
        self.tenants.iter().position(|name| name == tenant)
    }

    pub(crate) fn tenants(&self) -> &[String] {
        &self.tenants
    }

    /// Whether a dependency is down: 1 is the store, 2 ARM, 3 Graph, 4 the subscribers.
    pub(crate) fn is_out(&self, dependency: u8) -> bool {
        let now = self.hub.now();
        let out =
            self.outages.iter().any(|(which, from, to)| *which == dependency && (*from..*to).contains(&now));
        if out {
            self.hit("outage");
        }
        out
    }

    /// Whether the queue already got this wake-up within the window of duplicate detection, delivered or not.
    pub(crate) fn is_repeat(&self, tenant: &TenantId, at: Timestamp) -> bool {
        let now = self.hub.now();
        let past = self.woken.lock().unwrap().insert((tenant.to_string(), millis_of(at)), now);
        past.is_some_and(|past| now - past < 600_000)
    }

    /// Starts a process for the worker with this number.
    fn worker(self: &Arc<Self>, number: usize, rng: &mut Rng) -> Worker {
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let owner = self.hub.next_owner();
        let name = format!("w{number}-{start}");
        let span = if self.healed.load(Ordering::Relaxed) { 0 } else { self.plan.skew };
        let skew = Arc::new(AtomicI64::new(rng.within(-span, span)));
        self.ledger().clocks.insert(name.clone(), Arc::clone(&skew));
        let clock = Arc::new(SimClock { hub: Arc::clone(&self.hub), skew: Arc::clone(&skew) });
        let shared = || Arc::clone(self);
        let ports = Ports {
            store: Arc::new(SimStore { shared: shared(), owner, worker: name.clone() }),
            transport: Arc::new(SimTransport {
                shared: shared(),
                owner,
                worker: name.clone(),
                skew: Arc::clone(&skew),
            }),
            prober: None,
            publisher: Arc::new(SimPublisher { shared: shared(), owner }),
            scheduler: Arc::new(SimScheduler { shared: shared(), owner }),
            clock,
        };
        let version = usize::from(self.plan.versions && rng.permille(500));
        let blueprint = self.blueprints[2 * usize::from(self.plan.proved) + version].clone();
        let app = App::new(
            ports,
            self.plan.setup.settings(),
            vec![blueprint],
            vec![stamp(self.plan.azure.short_roles)],
            name.clone(),
        );
        Worker { owner, name, app: Arc::new(app), alive: true, skew }
    }

    /// May kill the process at this point; then the future never completes.
    pub(crate) async fn perhaps_die(self: &Arc<Self>, owner: Owner, point: &'static str) {
        let crashy = self.faulty().is_some_and(|plan| plan.kills_every > 0);
        // Both points are reached rarely, so a crash there is more likely.
        let seldom = if point.starts_with("C6 ") || point.starts_with("C12 ") { 12 } else { 1 };
        let share = seldom * if self.plan.kills_every < 60_000 { 12 } else { 2 };
        if owner != 0 && crashy && self.faults().permille(share) {
            self.hit(point);
            self.kill(owner);
            std::future::pending::<()>().await;
        }
    }

    /// Kills a process. A new process replaces it within 40 seconds.
    pub(crate) fn kill(self: &Arc<Self>, owner: Owner) {
        let number = {
            let mut workers = self.workers();
            let Some(number) = workers.iter().position(|worker| worker.owner == owner && worker.alive) else {
                return;
            };
            workers[number].alive = false;
            number
        };
        self.hub.note("kill", &owner);
        self.hit("kill");
        self.hub.kill(owner);
        let shared = Arc::clone(self);
        let span = self.faults().within(500, 40_000);
        self.hub.spawn(0, None, async move {
            shared.hub.sleep(span).await;
            shared.revive(number);
        });
    }

    fn revive(self: &Arc<Self>, number: usize) {
        let mut rng = self.faults().clone();
        let _ = self.faults().next();
        let worker = self.worker(number, &mut rng);
        self.hub.note("start", &worker.name);
        if self.asleep.load(Ordering::Relaxed) {
            self.hub.pause(worker.owner);
        }
        self.workers()[number] = worker;
    }

    /// Ends all faults: paused workers continue, and all clocks are correct.
    pub(crate) fn heal(self: &Arc<Self>) {
        self.healed.store(true, Ordering::Relaxed);
        self.azure().heal(self.hub.now());
        let owners: Vec<Owner> = self
            .workers()
            .iter()
            .map(|worker| {
                worker.skew.store(0, Ordering::Relaxed);
                worker.owner
            })
            .collect();
        for owner in owners {
            self.hub.resume(owner);
        }
        self.hub.note("heal", &"");
    }

    /// Ends the run: breaks the reference cycles, so that everything is freed.
    pub(crate) fn end(&self) {
        self.hub.end();
        let workers = std::mem::take(&mut *self.workers());
        drop(workers);
    }

    /// Checks a saved document, also against the real state of Azure.
    pub(crate) fn after_save(&self, before: Option<&Tenant>, tenant: &Tenant) {
        if self.plan.mixed
            && let Some(before) = before
        {
            self.hit("two versions at one store");
            if let Some(lost) = versions::lost(before, tenant) {
                self.wrong("I4", format!("{}: what a later version wrote in {lost} is lost", tenant.id));
            }
        }
        for (name, record, cause) in wait_budget::blocks(before, tenant) {
            self.hub.note("block", &format_args!("{} {name}: {cause}", tenant.id));
            let why = wait_budget::why_not(&self.azure(), &self.plan, record, cause);
            if let Some(why) = why {
                self.wrong(
                    "I26",
                    format!("{}: {name} was given up because of {cause}, but {why}", tenant.id),
                );
            }
        }
        let reported = before.as_ref().map(|before| (before.status, &before.concluded));
        if reported == Some((tenant.status, &tenant.concluded)) {
            return;
        }
        let resumed = |done: &Conclusion| done.action == Action::Resume && tenant.status == Status::Active;
        if tenant.status == Status::Suspended {
            self.hit("suspended");
        } else if tenant.concluded.as_ref().is_some_and(resumed) {
            self.hit("resumed");
        }
        if !self.plan.bounded() {
            return;
        }
        self.proved(tenant);
        let reported = match tenant.status {
            Status::Active | Status::Suspended => {
                let azure = self.azure();
                let way = truth::way_in(&azure, tenant).map(|way| ("I24", way));
                way.or_else(|| truth::lacks(&azure, tenant).map(|lack| ("I2c", lack)))
            }
            Status::Deleted => {
                let left = self.azure().belongings(tenant.id.as_str());
                left.into_iter().next().map(|left| ("I14", format!("{left} is left")))
            }
            Status::Requested
            | Status::Provisioning
            | Status::Updating
            | Status::Waiting
            | Status::Failed
            | Status::Deprovisioning => None,
        };
        if let Some((invariant, what)) = reported {
            self.wrong(invariant, format!("{} is called {:?}, but {what}", tenant.id, tenant.status));
        }
    }

    /// Invariant I22: a tenant is reported as active only after the isolation check has read everything that could
    /// hide an intruder, since the tenant's last change.
    fn proved(&self, tenant: &Tenant) {
        if !self.plan.proved || !matches!(tenant.status, Status::Active | Status::Suspended) {
            return;
        }
        self.hit("proved");
        let id = tenant.id.as_str();
        let unproved = self.azure().unproved(id, tenant.spec.tier == "full");
        if let Some(what) = unproved {
            self.wrong("I22", format!("{id} is called {:?}, but {what}", tenant.status));
        }
        if tenant.proof.as_ref().is_none_or(|proof| proof.verdict != IsolationVerdict::Verified) {
            let (status, proof) = (tenant.status, &tenant.proof);
            self.wrong("I22", format!("{id} is called {status:?} after the proof {proof:?}"));
        }
    }
}
