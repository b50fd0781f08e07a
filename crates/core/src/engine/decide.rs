//! From what is wanted, recorded and seen to what to do next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Discrepancy, Outcome, Sight, removal};
use crate::{
    blueprint::Kind,
    ids::StepName,
    tenant::{Cause, FailureClass, Goal, StepRecord, Tenant},
};

/// What to do about one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Look at it.
    Look,
    /// Make it so; the intent has to be saved first.
    Write,
    /// Remove what was seen; the intent has to be saved first.
    Erase,
    /// Ask about its operation; the operation has to be saved first.
    Poll,
}

/// What to do next.
#[must_use]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What can be done at once, all of it in parallel.
    pub acts: BTreeMap<StepName, Act>,
    /// When something else can be done, if not before.
    pub next: Option<Timestamp>,
    /// The end of the present work, when nothing is to be done or awaited.
    pub outcome: Option<Outcome>,
}

/// Decides what to do next. Steps in `busy` have a request in flight and are left alone.
///
/// # Guarantees
/// - Nothing is written that was not looked at in this pass: [`Act::Write`] and [`Act::Erase`] are given only for what
///   `sight` holds. Whoever would like to save a look after a restart, because the document says *writing*, would send
///   the request of a dead worker a second time over whatever has happened since.
/// - A step acts only when all that it needs is ready, and is erased only when nothing stands on it any more.
/// - There is an outcome if and only if nothing is to be done, awaited or in flight; so a tenant never stops without one.
///
/// The answer depends on the arguments alone. What is read from Azure comes in by `sight`, time by `now`.
pub fn decide(tenant: &Tenant, sight: &Sight, busy: &BTreeSet<StepName>, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    for (name, record) in &tenant.steps {
        if busy.contains(name) || !may_act(tenant, name, record) {
            continue;
        }
        match next_for(record, sight.get(name), now) {
            // Nothing that was in use goes without a reason, whoever has marked it.
            Next::Act(Act::Erase) if !removal::may_erase(tenant, name, record) => {}
            Next::Act(act) => _ = decision.acts.insert(name.clone(), act),
            Next::At(at) => decision.next = Some(decision.next.map_or(at, |next| next.min(at))),
            Next::Nothing => {}
        }
    }
    if decision.acts.is_empty() && decision.next.is_none() && busy.is_empty() {
        decision.outcome = Some(outcome(tenant));
    }
    decision
}

enum Next {
    Act(Act),
    At(Timestamp),
    Nothing,
}

/// Whether it is this step's turn: what it stands on is ready, or what stands on it is gone.
fn may_act(tenant: &Tenant, name: &StepName, record: &StepRecord) -> bool {
    if record.is_doomed() {
        // What is left to the deletion of another does not keep that one waiting.
        let stands = |other: &StepRecord| {
            other.is_going() && other.needs.contains(name) && !removal::is_carried(tenant, other)
        };
        return !(removal::is_carried(tenant, record) || tenant.steps.values().any(stands));
    }
    // A proof speaks of what is left, so it waits for what still goes.
    let is_early = record.kind == Kind::Isolation && tenant.steps.values().any(StepRecord::is_going);
    tenant.goal == Goal::Present
        && !is_early
        && record.needs.iter().all(|need| tenant.steps.get(need).is_none_or(StepRecord::stands))
}

fn next_for(record: &StepRecord, finding: Option<&Discrepancy>, now: Timestamp) -> Next {
    if record.state.is_final() {
        return Next::Nothing;
    }
    // What a service has asked for is waited for first, then what the state itself waits for.
    let waits = [record.not_before, record.state.not_before()];
    if let Some(at) = waits.into_iter().flatten().find(|at| *at > now) {
        return Next::At(at);
    }
    match record.state.operation() {
        Some(_) => Next::Act(Act::Poll),
        None => Next::Act(upon(record, finding)),
    }
}

/// A finding calls for its effect; without one, look first.
fn upon(record: &StepRecord, finding: Option<&Discrepancy>) -> Act {
    match finding {
        Some(Discrepancy::Amiss(..) | Discrepancy::MayBeStale(_)) if !record.is_doomed() => Act::Write,
        Some(Discrepancy::Remains(_)) if record.is_doomed() => Act::Erase,
        Some(_) | None => Act::Look,
    }
}

/// Nothing more can be done: either all is as wanted, or somebody has to help.
fn outcome(tenant: &Tenant) -> Outcome {
    let halted = tenant.steps.iter().filter_map(|(name, record)| Some((name, record.state.halted()?)));
    let causes: BTreeMap<StepName, Cause> =
        halted.map(|(name, cause)| (name.clone(), cause.clone())).collect();
    if !causes.is_empty() {
        return Outcome::Halted(causes);
    }
    let unfinished = tenant.steps.iter().find(|(_, record)| match tenant.goal {
        Goal::Present => !record.state.is_ready() && !record.state.is_gone(),
        Goal::Absent => !record.state.is_gone(),
    });
    match (unfinished, tenant.goal) {
        (Some((name, record)), _) => {
            let message = format!("it is {} and nothing can be done about it", record.state.word());
            let cause = Cause::ours(FailureClass::Permanent, "stalled", message);
            Outcome::Halted(BTreeMap::from([(name.clone(), cause)]))
        }
        (None, Goal::Present) => Outcome::Ready,
        (None, Goal::Absent) => Outcome::Removed,
    }
}
