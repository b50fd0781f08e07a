//! Checks the invariants of docs/trust.md without the product's code: at every accepted save, every effect and every
//! event. A violation is recorded once, with the invariant's number.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use serde_json::Value;
use tenantry_core::tenant::{EntryContent, Goal, HistoryRow, Lease, OutboxEntry, Status, StepState, Tenant};

use super::{azure::SECRET, consent::Consents, exec::Millis, profile::Plan};

#[path = "publishing.rs"]
mod publishing;

/// The wall-clock time at which every run starts, in milliseconds since 1970.
pub(crate) const EPOCH_MS: i64 = 1_795_366_800_000;

pub(crate) fn stamp_of(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(EPOCH_MS + at).unwrap()
}

pub(crate) fn millis_of(at: Timestamp) -> Millis {
    at.as_millisecond() - EPOCH_MS
}

/// A violation: the invariant's number, the instant, and a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) invariant: &'static str,
    pub(crate) at: Millis,
    pub(crate) what: String,
}

/// The durable content of an event, and the event ids under which the content was published.
struct Durable {
    body: Value,
    published: BTreeSet<String>,
}

/// The shortest interval, in milliseconds, between reads of an object whose write does not show yet.
const READS_EVERY: Millis = 5_000;

#[derive(Default)]
pub(crate) struct Ledger {
    bounded: bool,
    /// By worker: how far its clock is ahead, in milliseconds.
    pub(crate) clocks: BTreeMap<String, Arc<AtomicI64>>,
    names: Vec<String>,
    pub(crate) tenants: BTreeMap<String, Arc<Tenant>>,
    events: BTreeMap<(String, u64), Durable>,
    refusals: BTreeMap<String, Value>,
    rows: BTreeMap<(String, u64), HistoryRow>,
    ids: BTreeMap<(String, String), Value>,
    /// The answer on record of each request, by request id.
    pub(crate) answers: BTreeMap<String, Value>,
    /// By tenant: when a request last changed it.
    pub(crate) asked: BTreeMap<String, Millis>,
    /// The ids of rejections that have yet to be published.
    pub(crate) unpublished: BTreeSet<String>,
    /// By tenant: when it was first saved, and how long it took after that to become active.
    first_seen: BTreeMap<String, Millis>,
    pub(crate) was_active: BTreeMap<String, Millis>,
    /// The outcomes of each operation and attempt, of which there must be at most one.
    outcomes: BTreeMap<(String, u64), Vec<String>>,
    accepted: BTreeMap<String, String>,
    /// Tenants with an accepted suspension that no resume has undone.
    suspended: BTreeSet<String>,
    /// The objects that may be deleted.
    pub(crate) consents: Consents,
    pub(crate) wrongs: Vec<Wrong>,
    pub(crate) saves: u64,
    pub(crate) now: Millis,
}

fn fell<T: PartialOrd + Copy + std::fmt::Display>(name: &str, before: T, after: T) -> Option<String> {
    (after < before).then(|| format!("{name} fell from {before} to {after}"))
}

impl Ledger {
    /// A ledger without entries; `names` are the ids of all tenants of the run.
    pub(crate) fn new(plan: &Plan, names: &[String]) -> Self {
        Self { bounded: plan.bounded(), names: names.to_vec(), ..Self::default() }
    }

    pub(crate) fn wrong(&mut self, invariant: &'static str, what: impl Into<String>) {
        let (at, what) = (self.now, what.into());
        if self.wrongs.len() < 20 && !self.wrongs.iter().any(|wrong| wrong.what == what) {
            self.wrongs.push(Wrong { invariant, at, what });
        }
    }

    /// Checks a save of a tenant's document that the store has accepted. `worker` is the process that made the save.
    /// Returns the previous document.
    pub(crate) fn saved(&mut self, worker: &str, kept: Arc<Tenant>) -> Option<Arc<Tenant>> {
        self.saves += 1;
        let after = &*kept;
        let id = after.id.as_str().to_owned();
        let before = self.tenants.get(&id).cloned();
        if before.is_none() && !self.names.contains(&id) {
            self.wrong("I7", format!("{id} is not a tenant of the run"));
        }
        for step in after.steps().values() {
            if let StepState::Backoff { cause, .. } | StepState::Blocked { cause, .. } = &step.state {
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
                self.command_only(before, after);
                self.asked.insert(id.clone(), self.now);
            }
            self.struck(before, after);
        }
        let known = before.as_ref().map_or(0, |before| before.numbered());
        for entry in after.outbox().iter().filter(|entry| entry.number > known) {
            self.durable(&id, entry);
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

    /// Invariant I4: counters never fall, and a settled tenant changes only by a request.
    fn never_backwards(&mut self, before: &Tenant, after: &Tenant) {
        let fallen = [
            fell("the epoch", before.epoch(), after.epoch()),
            fell("the generation", before.generation, after.generation),
            fell("the version", before.version(), after.version()),
            fell("the sequence", before.sequence(), after.sequence()),
            fell("the outbox's number", before.numbered(), after.numbered()),
            fell("the incarnation", before.incarnation, after.incarnation),
        ];
        for what in fallen.into_iter().flatten() {
            self.wrong("I4", format!("{}: {what}", after.id));
        }
        let same_request = before.requests == after.requests;
        if before.status.settled() && before.status != after.status && same_request {
            let fresh = before.operations.iter().any(|operation| !operation.started);
            let goes_on = before.status == Status::Waiting || before.status == Status::Failed;
            if !fresh && !goes_on {
                let what =
                    format!("{} was {:?} and became {:?} by itself", after.id, before.status, after.status);
                self.wrong("I4", what);
            }
        }
    }

    /// Invariant I2a: only the lease holder saves its work. A worker takes a lease only when nobody holds it or when
    /// it has expired by the holder's own clock, whatever the taker's clock says.
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
            // A timer function may add its findings without the lease; other changes need it.
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
            && before.outbox().iter().all(|entry| after.outbox().contains(entry))
    }

    fn same_holder(held: &Lease, after: &Tenant) -> bool {
        after.lease().is_some_and(|lease| lease.holder == held.holder)
    }

    /// Invariant I13: a worker never changes the desired state.
    fn pinned(&mut self, before: &Tenant, after: &Tenant) {
        let same = before.plan == after.plan
            && before.spec == after.spec
            && before.generation == after.generation
            && before.goal == after.goal
            && before.incarnation == after.incarnation
            && before.placement == after.placement;
        if !same {
            self.wrong("I13", format!("{}: a worker changed the desired state", after.id));
        }
    }

    /// Invariant I4: a completed step stays completed within its generation, and generations never fall. Invariant
    /// I20: the completion of a step is recorded in the outbox.
    fn steps_kept(&mut self, before: &Tenant, after: &Tenant) {
        let mut wrongs = Vec::new();
        for (name, now) in after.steps() {
            let Some(past) = before.steps().get(name) else { continue };
            if now.generation < past.generation {
                wrongs.push(("I4", format!("{}: the generation of {name} fell", after.id)));
            }
            if now.generation == past.generation && past.state.is_ready() && !now.state.is_ready() {
                wrongs.push(("I4", format!("{}: {name} was ready and is {}", after.id, now.state.as_str())));
            }
            let done = |state: &StepState| matches!(state, StepState::Ready(_) | StepState::Deleted(_));
            if done(&now.state) && !done(&past.state) {
                let added = after.outbox().iter().filter(|entry| entry.number > before.numbered());
                let reports = |entry: &OutboxEntry| matches!(&entry.content, EntryContent::Step { step, state, .. } if step == name && state == now.state.as_str());
                if !added.into_iter().any(reports) {
                    let what =
                        format!("{}: that {name} is {} is not on record", after.id, now.state.as_str());
                    wrongs.push(("I20", what));
                }
            }
        }
        for (invariant, what) in wrongs {
            self.wrong(invariant, what);
        }
    }

    /// Invariant I5: the secret in Azure's messages appears in no cause and in no recorded text.
    fn silent(&mut self, tenant: &str, text: &str) {
        if text.contains(SECRET) {
            self.wrong("I5", format!("{tenant}: a secret is repeated"));
        }
    }

    /// A request changes the desired state, but neither the lease nor the version of the blueprint.
    fn command_only(&mut self, before: &Tenant, after: &Tenant) {
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

    /// Invariant I13: a tenant is suspended if and only if the last suspend, resume or sign-up request says so.
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

    /// Finds the last published event of a tenant whose kind starts with `kind`, and returns the rest of that event's
    /// kind.
    pub(crate) fn last_published(&self, id: &str, kind: &str) -> Option<String> {
        let own = self.events.range((id.to_owned(), 0)..=(id.to_owned(), u64::MAX));
        let published = own.filter(|(_, event)| !event.published.is_empty()).rev();
        let mut kinds = published.filter_map(|(_, event)| event.body["kind"].as_str());
        kinds.find_map(|other| other.strip_prefix(kind)).map(str::to_owned)
    }

    /// Invariant I11: a document is bounded. The limits allow for a noisy neighbour that makes sixty requests during
    /// an outage, each of which is an operation until it has an outcome.
    fn bounded_document(&mut self, tenant: &Tenant) {
        let writes = tenant.steps().values().map(|step| step.effort().attempts).max().unwrap_or(0);
        let failures = tenant.steps().values().map(|step| step.effort().failures).max().unwrap_or(0);
        // If the clock of the last writer was ahead, another worker reads an object again and again until its own
        // clock reaches the time of the write, even if the writer has crashed long before.
        let clocks = self.clocks.values().map(|ahead| ahead.load(Ordering::Relaxed));
        let apart = clocks.clone().max().unwrap_or_default() - clocks.min().unwrap_or_default();
        let most_failures = 400 + u32::try_from(apart / READS_EVERY).unwrap_or_default();
        if tenant.outbox().len() > 400
            || tenant.operations.len() > 80
            || writes > 120
            || failures > most_failures
        {
            let what = format!(
                "{}: {} outbox entries, {} operations, {writes} writes, {failures} failures",
                tenant.id,
                tenant.outbox().len(),
                tenant.operations.len(),
            );
            self.wrong("I11", what);
        }
    }
}
