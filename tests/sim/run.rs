//! Runs one seed: the scenario with faults, then without, until everything is at rest.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use tenantry::host::Function;
use tenantry_core::tenant::{Goal, Status};

use super::{
    azure::mark,
    broker, disruptions,
    exec::Millis,
    history::{End, Finding},
    ledger::Wrong,
    profile::{Plan, Profile},
    scenario::Shared,
    script, truth,
};

/// After the end of the faults, everything has to be at rest within this many milliseconds per round of retries.
const TIMEOUT: Millis = 4 * 3_600_000;
/// How often a person retries blocked and failed tenants.
const ROUNDS: u32 = 4;

/// What is left out of a run to reduce it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The numbers of the tenants that get requests; all tenants do if this is empty.
    pub(crate) tenants: Vec<usize>,
    /// The numbers of the kinds of faults that are left out.
    pub(crate) without: Vec<usize>,
    /// When faults end; `None` to keep the plan's instant.
    pub(crate) until: Option<Millis>,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) profile: Profile,
    pub(crate) wrongs: Vec<Wrong>,
    pub(crate) hash: u64,
    pub(crate) notes: u64,
    pub(crate) saves: u64,
    pub(crate) lines: Vec<String>,
    pub(crate) tenants: usize,
    pub(crate) were_active: usize,
    /// By tenant number: how long the tenant took to become active.
    pub(crate) waits: Vec<(usize, Millis)>,
    pub(crate) disturbed: usize,
    pub(crate) hits: BTreeMap<&'static str, u64>,
    pub(crate) virtual_ms: Millis,
}

pub(crate) fn run(seed: u64, cut: &Cut, with_lines: bool) -> Report {
    run_plan(seed, Plan::draw(seed), cut, with_lines)
}

pub(crate) fn run_plan(seed: u64, mut plan: Plan, cut: &Cut, with_lines: bool) -> Report {
    // The isolation check's time limit uses tokio's timers. Their clock stands still, so the limit is never reached
    // here.
    let timers =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _within = timers.enter();
    plan.cut(&cut.without, cut.until);
    let shared = Shared::new(seed, plan, with_lines);
    let letters = script::draw(seed, &shared.plan, shared.tenants());
    let asked: Vec<Millis> = letters.iter().map(|letter| letter.at).collect();
    let chosen = |tenant: usize| cut.tenants.is_empty() || cut.tenants.contains(&tenant);
    for letter in letters.into_iter().filter(|letter| chosen(letter.tenant)) {
        let scenario = Arc::clone(&shared);
        shared.hub.spawn(0, None, async move {
            scenario.hub.sleep_until(letter.at).await;
            broker::send(&scenario, &letter);
            if let Some(again) = letter.again {
                scenario.hit("duplicate");
                scenario.hub.sleep(again).await;
                broker::send(&scenario, &letter);
            }
        });
    }
    broker::tick(&shared, Function::Sweep, shared.plan.setup.sweeps_every);
    if shared.plan.proved {
        broker::tick(&shared, Function::Audit, 900_000);
        disruptions::intruders(&shared, seed);
    }
    disruptions::crashes(&shared, seed);
    if shared.plan.unreadable {
        disruptions::unreadable(&shared, seed);
    }
    if shared.plan.robbers {
        disruptions::rob(&shared, seed);
    }
    if shared.plan.profile == Profile::Days {
        disruptions::sleep(&shared, seed, &asked);
    }
    shared.hub.run(shared.plan.faults_until, || false);
    shared.heal();
    heal(&shared, seed);
    let (hash, notes, lines) = shared.hub.trace();
    shared.end();
    let mut ledger = shared.ledger();
    Report {
        seed,
        profile: shared.plan.profile,
        wrongs: std::mem::take(&mut ledger.wrongs),
        hash,
        notes,
        saves: ledger.saves,
        lines,
        tenants: ledger.tenants.len(),
        were_active: ledger.was_active.len(),
        waits: {
            let waits = ledger.was_active.iter();
            waits.filter_map(|(name, wait)| Some((shared.number_of(name)?, *wait))).collect()
        },
        disturbed: shared.disturbed().len(),
        hits: {
            drop(ledger);
            shared.hits()
        },
        virtual_ms: shared.hub.now(),
    }
}

/// Runs the timer that checks the isolation of all tenants once more. The findings that it publishes have to be true.
fn check_again(shared: &Arc<Shared>, round: u32) {
    // By then, all writes from before the end of the faults are visible at every replica.
    shared.hub.run(shared.hub.now() + 200_000, || false);
    broker::once(shared, Function::Audit);
    rest(shared, round);
    if !shared.plan.bounded() {
        return;
    }
    let mut wrongs = Vec::new();
    {
        let (ledger, azure) = (shared.ledger(), shared.azure());
        let at_rest = |tenant: &&Arc<tenantry_core::tenant::Tenant>| {
            matches!(tenant.status, Status::Active | Status::Suspended)
        };
        for tenant in ledger.tenants.values().filter(at_rest) {
            let id = tenant.id.as_str();
            let expected = if azure.intruded(id) { "violated" } else { "verified" };
            let reported = ledger.last_published(id, "tenant.isolation.");
            if reported.as_deref() != Some(expected) {
                wrongs.push(format!("{id} is {expected}, and was last reported as {reported:?}"));
            }
        }
    }
    for wrong in wrongs {
        shared.wrong("I22", wrong);
    }
}

/// Whether no work is left: no open message, no unpublished event, no tenant that is due.
fn at_rest(shared: &Shared) -> bool {
    let idle = |tenant: &tenantry_core::tenant::Tenant| {
        tenant.due_at.is_none() && tenant.outbox().is_empty() && tenant.status.settled()
    };
    let ledger = shared.ledger();
    shared.open.load(Ordering::Relaxed) == 0
        && ledger.unpublished.is_empty()
        && ledger.tenants.values().all(|tenant| idle(tenant))
}

/// Sends a request about each tenant for which `whom` returns true; returns how many.
fn ask(
    shared: &Arc<Shared>,
    action: &'static str,
    round: u32,
    whom: impl Fn(&tenantry_core::tenant::Tenant) -> bool,
) -> usize {
    let whom: Vec<(usize, String)> = {
        let ledger = shared.ledger();
        let all = ledger.tenants.values().filter(|tenant| whom(tenant));
        all.filter_map(|tenant| Some((shared.number_of(tenant.id.as_str())?, tenant.id.to_string())))
            .collect()
    };
    for (number, name) in &whom {
        let id = format!("{action}-{number}-last-{round}");
        broker::send(shared, &script::letter(shared.hub.now(), (*number, name), action, &id, round % 2 == 1));
    }
    whom.len()
}

fn rest(shared: &Arc<Shared>, round: u32) {
    let end = shared.hub.now() + TIMEOUT;
    shared.hub.run(end, || at_rest(shared));
    if shared.hub.is_endless() {
        shared.wrong("I11", "there is no end of it");
    } else if !at_rest(shared) {
        let busy: Vec<String> = {
            let ledger = shared.ledger();
            let busy =
                ledger.tenants.values().filter(|tenant| tenant.due_at.is_some() || !tenant.status.settled());
            busy.map(|tenant| {
                let steps =
                    tenant.steps().iter().map(|(name, step)| format!("{name} {}", step.state.as_str()));
                format!("{} {:?} {}", tenant.id, tenant.status, steps.collect::<Vec<_>>().join(", "))
            })
            .collect()
        };
        let open = shared.open.load(Ordering::Relaxed);
        shared.wrong(
            "I10",
            format!("round {round} never came to rest: {open} messages open; {}", busy.join("; ")),
        );
    }
}

fn heal(shared: &Arc<Shared>, seed: u64) {
    rest(shared, 0);
    if shared.plan.proved {
        check_again(shared, 20);
        shared.azure().evict();
    }
    settle(shared, 0);
    if shared.plan.proved && shared.plan.intruders > 0 {
        check_again(shared, 21);
    }
    if shared.plan.removed_in_the_end {
        ask(shared, "deprovision", 9, |tenant| tenant.status != Status::Deleted);
        rest(shared, 9);
        settle(shared, 10);
    }
    shared.ledger().at_rest();
    explained(shared);
    if seed == CANARY {
        shared.wrong("canary", "this seed is to fail, to show that failures are reported");
    }
}

/// Invariant I25: one order of the clients' requests explains all their responses.
fn explained(shared: &Arc<Shared>) {
    for number in 0..shared.tenants().len() {
        let end = shared.name_of(number).and_then(|name| shared.ledger().tenants.get(&name).cloned());
        let end = end.as_deref().map(End::of);
        let finding = shared.history().explain(number, end.as_ref());
        match finding {
            Finding::Explained => shared.hit("history explained"),
            Finding::Undecided => shared.hit("history undecided"),
            Finding::Unexplained(call) => {
                shared.wrong(
                    "I25",
                    format!("no order of requests explains the responses to clients of {number}: {call}"),
                );
            }
        }
    }
}

/// The seed that always fails, to prove that failures are reported.
pub(crate) const CANARY: u64 = 0xCA_4A21;

/// Ends the purge protection of soft-deleted vaults whose name their tenant needs again, as if their purge date had
/// come.
fn release_vaults(shared: &Arc<Shared>) {
    let is_needed = |vault: &str| {
        let ledger = shared.ledger();
        ledger.tenants.values().any(|tenant| tenant.goal == Goal::Present && vault == tenant.id.as_str())
    };
    let held: Vec<(String, Option<String>)> = {
        let azure = shared.azure();
        azure.deleted_vaults.iter().map(|(id, vault)| (id.clone(), mark(&vault.body))).collect()
    };
    for (id, owner) in held {
        if owner.is_some_and(|owner| is_needed(&owner)) && shared.azure().deleted_vaults[&id].protected {
            shared.azure().deleted_vaults.remove(&id);
        }
    }
    // Without the guarantees, a late request may have deleted a vault. A person then purges the vaults that hold
    // names.
    if !shared.plan.bounded() {
        shared.azure().deleted_vaults.clear();
    }
}

/// Retries blocked and failed tenants as a person does; then every tenant must have its desired state.
fn settle(shared: &Arc<Shared>, first: u32) {
    for round in first..first + ROUNDS {
        release_vaults(shared);
        let stopped = |tenant: &tenantry_core::tenant::Tenant| {
            matches!(tenant.status, Status::Waiting | Status::Failed)
        };
        if ask(shared, "retry", round, stopped) == 0 {
            break;
        }
        shared.hit("retry of what stopped");
        rest(shared, round + 1);
    }
    let mut wrongs = Vec::new();
    for (id, tenant) in &shared.ledger().tenants {
        let expected = match (tenant.goal, tenant.spec.suspended) {
            (Goal::Present, None) => Status::Active,
            (Goal::Present, Some(_)) => Status::Suspended,
            (Goal::Absent, _) => Status::Deleted,
        };
        if tenant.status != expected {
            let blocked =
                tenant.steps().iter().filter_map(|(name, step)| Some((name, step.state.blocked()?)));
            let why: Vec<String> = blocked.map(|(name, cause)| format!("{name}: {cause}")).collect();
            wrongs.push(("I10", format!("{id} is {:?} in the end: {}", tenant.status, why.join("; "))));
        }
        // Azure has no leases: if a request took effect after its guaranteed lifetime, only the tenant's next request
        // repairs that.
        if shared.disturbed().contains(id) {
            continue;
        }
        let azure = shared.azure();
        match tenant.status {
            Status::Active | Status::Suspended => {
                wrongs.extend(
                    truth::lacks(&azure, tenant).map(|lack| ("I2c", format!("{id} is active, but {lack}"))),
                );
            }
            Status::Deleted => {
                let left = azure.belongings(id);
                wrongs
                    .extend(left.first().map(|left| ("I14", format!("{id} is deleted, but {left} is left"))));
            }
            Status::Requested
            | Status::Provisioning
            | Status::Updating
            | Status::Waiting
            | Status::Failed
            | Status::Deprovisioning => {}
        }
    }
    for (invariant, what) in wrongs {
        shared.wrong(invariant, what);
    }
}
