//! What is held against the invariants, beside the product and without its code: every accepted save, every effect,
//! every event. A wrong is noted once, with the invariant's number.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use serde_json::Value;
use tenantry_core::tenant::{Goal, HistoryRow, Lease, Notice, Status, StepState, Story, Tenant};

use super::{azure::SECRET, consent::Consents, exec::Millis, profile::Plan};

#[path = "telling.rs"]
mod telling;

/// The beginning of every run.
pub(crate) const EPOCH_MS: i64 = 1_795_366_800_000;

pub(crate) fn stamp_of(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(EPOCH_MS + at).unwrap()
}

pub(crate) fn millis_of(at: Timestamp) -> Millis {
    at.as_millisecond() - EPOCH_MS
}

/// A violated invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) invariant: &'static str,
    pub(crate) at: Millis,
    pub(crate) what: String,
}

/// What was durable of an event before it may be told.
struct Durable {
    body: Value,
    told: BTreeSet<String>,
}

/// How often something is looked for at most that is not seen yet, in milliseconds.
const LOOKS_EVERY: Millis = 5_000;

#[derive(Default)]
pub(crate) struct Ledger {
    bounded: bool,
    /// By how much each worker's clock is ahead, in milliseconds.
    pub(crate) clocks: BTreeMap<String, Arc<AtomicI64>>,
    names: Vec<String>,
    pub(crate) tenants: BTreeMap<String, Arc<Tenant>>,
    events: BTreeMap<(String, u64), Durable>,
    refusals: BTreeMap<String, Value>,
    rows: BTreeMap<(String, u64), HistoryRow>,
    ids: BTreeMap<(String, String), Value>,
    /// The answer on record of each request.
    pub(crate) answers: BTreeMap<String, Value>,
    /// When somebody last asked for something about a tenant.
    pub(crate) asked: BTreeMap<String, Millis>,
    /// Refusals that are still to be told.
    pub(crate) untold: BTreeSet<String>,
    /// When each tenant was first heard of, and how long it took until it was active.
    first_seen: BTreeMap<String, Millis>,
    pub(crate) was_active: BTreeMap<String, Millis>,
    /// By operation and attempt: its outcomes.
    outcomes: BTreeMap<(String, u64), Vec<String>>,
    accepted: BTreeMap<String, String>,
    /// Who was asked to be suspended, and not yet to be resumed.
    suspended: BTreeSet<String>,
    /// What may be deleted.
    pub(crate) consents: Consents,
    pub(crate) wrongs: Vec<Wrong>,
    pub(crate) saves: u64,
    pub(crate) now: Millis,
}

fn fell<T: PartialOrd + Copy + std::fmt::Display>(name: &str, before: T, after: T) -> Option<String> {
    (after < before).then(|| format!("{name} fell from {before} to {after}"))
}

impl Ledger {
    /// Nothing has happened yet; `names` are those that are used.
    pub(crate) fn new(plan: &Plan, names: &[String]) -> Self {
        Self { bounded: plan.bounded(), names: names.to_vec(), ..Self::default() }
    }

    pub(crate) fn wrong(&mut self, invariant: &'static str, what: impl Into<String>) {
        let (at, what) = (self.now, what.into());
        if self.wrongs.len() < 20 && !self.wrongs.iter().any(|wrong| wrong.what == what) {
            self.wrongs.push(Wrong { invariant, at, what });
        }
    }

    /// A save of a tenant's document that the store has taken. `worker` is the process that made it.
    /// Returns the tenant as it was before.
    pub(crate) fn saved(&mut self, worker: &str, kept: Arc<Tenant>) -> Option<Arc<Tenant>> {
        self.saves += 1;
        let after = &*kept;
        let id = after.id.as_str().to_owned();
        let before = self.tenants.get(&id).cloned();
        if before.is_none() && !self.names.contains(&id) {
            self.wrong("I7", format!("{id} is nobody's name"));
        }
        for step in after.steps().values() {
            if let StepState::Backoff { cause, .. } | StepState::Halted { cause, .. } = &step.state {
                self.silent(&id, &cause.message);
            }
        }
        if before.as_ref().is_none_or(|before| before.requests != after.requests) {
            self.as_asked(after);
        }
        if let Some(before) = before.as_deref() {
            self.never_backwards(before, after);
            if before.requests == after.requests {
                self.by_the_holder(worker, before, after);
                self.pinned(before, after);
                self.steps_kept(before, after);
            } else {
                self.wish_only(before, after);
                self.asked.insert(id.clone(), self.now);
            }
            self.struck(before, after);
        }
        let known = before.as_ref().map_or(0, |before| before.numbered());
        for notice in after.notices().iter().filter(|notice| notice.number > known) {
            self.durable(&id, notice);
        }
        let seen = *self.first_seen.entry(id.clone()).or_insert(self.now);
        if after.status == Status::Active {
            self.was_active.entry(id.clone()).or_insert(self.now - seen);
        }
        self.bounded_document(after);
        self.consents.saved(before.as_deref(), after);
        self.tenants.insert(id, kept);
        before
    }

    /// I4.
    fn never_backwards(&mut self, before: &Tenant, after: &Tenant) {
        let fallen = [
            fell("the epoch", before.epoch(), after.epoch()),
            fell("the generation", before.generation, after.generation),
            fell("the version", before.version(), after.version()),
            fell("the sequence", before.sequence(), after.sequence()),
            fell("the notices' number", before.numbered(), after.numbered()),
            fell("the incarnation", before.incarnation, after.incarnation),
        ];
        for what in fallen.into_iter().flatten() {
            self.wrong("I4", format!("{}: {what}", after.id));
        }
        let same_wish = before.requests == after.requests;
        if before.status.settled() && before.status != after.status && same_wish {
            let fresh = before.operations.iter().any(|operation| !operation.started);
            let goes_on = before.status == Status::Waiting || before.status == Status::Failed;
            if !fresh && !goes_on {
                let what =
                    format!("{} was {:?} and became {:?} by itself", after.id, before.status, after.status);
                self.wrong("I4", what);
            }
        }
    }

    /// I2a: only the holder of the lease saves the work, and a lease is taken only when it is free, or over by its holder's
    /// own clock, whatever the taker's says.
    fn by_the_holder(&mut self, worker: &str, before: &Tenant, after: &Tenant) {
        let now = self.now;
        let ahead = |worker: &str| self.clocks.get(worker).map_or(0, |clock| clock.load(Ordering::Relaxed));
        let is_over = |lease: &Lease| {
            let holder = lease.holder.split('/').next().unwrap_or_default();
            millis_of(lease.until) <= now + ahead(holder)
        };
        let ours = |lease: &Lease| lease.holder.starts_with(&format!("{worker}/"));
        let what = match (before.lease(), after.epoch() > before.epoch()) {
            (Some(held), true) if self.bounded && !is_over(held) && !Self::same_holder(held, after) => {
                format!("{}: {worker} took the lease of {} before its end", after.id, held.holder)
            }
            (Some(held), false) if !ours(held) => {
                format!("{}: {worker} saved under the lease of {}", after.id, held.holder)
            }
            // A timer adds what it saw; whoever changes more has to be alone.
            (None, false) if Self::only_adds(before, after) => return,
            (None, false) => format!("{}: {worker} saved without a lease", after.id),
            _ => return,
        };
        self.wrong("I2a", what);
    }

    fn only_adds(before: &Tenant, after: &Tenant) -> bool {
        before.proof != after.proof
            && before.status == after.status
            && before.steps() == after.steps()
            && before.operations == after.operations
            && before.notices().iter().all(|notice| after.notices().contains(notice))
    }

    fn same_holder(held: &Lease, after: &Tenant) -> bool {
        after.lease().is_some_and(|lease| lease.holder == held.holder)
    }

    /// I13: work never changes what is wanted.
    fn pinned(&mut self, before: &Tenant, after: &Tenant) {
        let same = before.plan == after.plan
            && before.spec == after.spec
            && before.generation == after.generation
            && before.goal == after.goal
            && before.incarnation == after.incarnation
            && before.placement == after.placement;
        if !same {
            self.wrong("I13", format!("{}: a worker changed the wish", after.id));
        }
    }

    /// I4: what is done stays done within a turn, and turns only rise. I20: what becomes done is on record.
    fn steps_kept(&mut self, before: &Tenant, after: &Tenant) {
        let mut wrongs = Vec::new();
        for (name, now) in after.steps() {
            let Some(past) = before.steps().get(name) else { continue };
            if now.turn < past.turn {
                wrongs.push(("I4", format!("{}: the turn of {name} fell", after.id)));
            }
            if now.turn == past.turn && past.state.is_ready() && !now.state.is_ready() {
                wrongs.push(("I4", format!("{}: {name} was ready and is {}", after.id, now.state.word())));
            }
            let done = |state: &StepState| matches!(state, StepState::Ready(_) | StepState::Gone(_));
            if done(&now.state) && !done(&past.state) {
                let told = after.notices().iter().filter(|notice| notice.number > before.numbered());
                let tells = |notice: &Notice| matches!(&notice.story, Story::Step { step, state, .. } if step == name && state == now.state.word());
                if !told.into_iter().any(tells) {
                    let what = format!("{}: that {name} is {} is not on record", after.id, now.state.word());
                    wrongs.push(("I20", what));
                }
            }
        }
        for (invariant, what) in wrongs {
            self.wrong(invariant, what);
        }
    }

    /// I5: what Azure should not have said is in no cause and on no record.
    fn silent(&mut self, tenant: &str, text: &str) {
        if text.contains(SECRET) {
            self.wrong("I5", format!("{tenant}: a secret is repeated"));
        }
    }

    /// A request changes the wish and leaves the worker's things alone.
    fn wish_only(&mut self, before: &Tenant, after: &Tenant) {
        if before.lease() != after.lease()
            || before.epoch() != after.epoch()
            || before.unsure_until() != after.unsure_until()
        {
            self.wrong("I2a", format!("{}: a request touched the lease", after.id));
        }
        if before.generation == after.generation && before.plan != after.plan {
            self.wrong("I13", format!("{}: another plan under the same generation", after.id));
        }
        let asked = after.requests.back().map(|past| past.request_id.as_str()).unwrap_or_default();
        let keeps = ["suspend", "resume", "retry", "update"].iter().any(|action| asked.starts_with(action));
        if keeps && before.plan.blueprint != after.plan.blueprint {
            let what = format!("{}: {asked} took it to another version of its blueprint", after.id);
            self.wrong("I13", what);
        }
        if before.status == Status::Deleted
            && after.incarnation == before.incarnation
            && after.goal == Goal::Present
        {
            self.wrong("I4", format!("{}: a removed incarnation came back", after.id));
        }
    }

    /// I13: whether a tenant is suspended is as it was last asked for.
    fn as_asked(&mut self, after: &Tenant) {
        let id = after.id.as_str();
        let asked = after.requests.back().map(|past| past.request_id.as_str()).unwrap_or_default();
        match asked.split('-').next() {
            Some("suspend") => _ = self.suspended.insert(id.to_owned()),
            Some("resume" | "signup") => _ = self.suspended.remove(id),
            Some(_) | None => {}
        }
        let suspended = self.suspended.contains(id);
        if suspended != after.spec.suspended.is_some() {
            let what =
                format!("{id}: {asked} was taken in, and its suspension is {:?}", after.spec.suspended);
            self.wrong("I13", what);
        }
    }

    /// The last word of what was told of a tenant under a kind that begins so.
    pub(crate) fn last_told(&self, id: &str, kind: &str) -> Option<String> {
        let own = self.events.range((id.to_owned(), 0)..=(id.to_owned(), u64::MAX));
        let told = own.filter(|(_, event)| !event.told.is_empty()).rev();
        let mut kinds = told.filter_map(|(_, event)| event.body["kind"].as_str());
        kinds.find_map(|other| other.strip_prefix(kind)).map(str::to_owned)
    }

    /// I11. A noisy neighbour asks for something sixty times in an outage, and each is an operation until there is an
    /// outcome.
    fn bounded_document(&mut self, tenant: &Tenant) {
        let writes = tenant.steps().values().map(|step| step.effort().attempts).max().unwrap_or(0);
        let failures = tenant.steps().values().map(|step| step.effort().failures).max().unwrap_or(0);
        // What a worker has written whose clock is ahead, another looks for until its own clock has come there, also when the
        // first is long dead.
        let clocks = self.clocks.values().map(|ahead| ahead.load(Ordering::Relaxed));
        let apart = clocks.clone().max().unwrap_or_default() - clocks.min().unwrap_or_default();
        let looks = 400 + u32::try_from(apart / LOOKS_EVERY).unwrap_or_default();
        if tenant.notices().len() > 400 || tenant.operations.len() > 80 || writes > 120 || failures > looks {
            let what = format!(
                "{}: {} notices, {} operations, {writes} writes, {failures} failures",
                tenant.id,
                tenant.notices().len(),
                tenant.operations.len(),
            );
            self.wrong("I11", what);
        }
    }
}
