//! Decides what to do next from the desired, the recorded and the observed state.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Discrepancies, Discrepancy, Outcome, removal};
use crate::{
    blueprint::Kind,
    ids::StepName,
    tenant::{Cause, FailureClass, Goal, StepRecord, Tenant},
};

/// What to do about one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Read the object.
    Read,
    /// Create or change the object. The intent is saved first.
    Write,
    /// Delete the object that was read. The intent is saved first.
    Delete,
    /// Poll the long-running operation on the object. The poll URL is saved first.
    Poll,
}

/// What to do next for one tenant.
#[must_use]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What can be done now, all of it in parallel.
    pub acts: BTreeMap<StepName, Act>,
    /// When the next step can act, unless an answer allows an act before; `None` if no step waits for a time.
    pub next: Option<Timestamp>,
    /// How the current work ended; `None` as long as there is something to do or to wait for.
    pub outcome: Option<Outcome>,
}

/// Decides what to do next. Steps in `busy` have a request in flight and are left alone.
///
/// # Guarantees
/// - Nothing is written that was not read in this pass: [`Act::Write`] and [`Act::Delete`] are returned only for what
///   `discrepancies` holds. Do not skip the read after a restart because the document says *writing*: that would repeat
///   the request of a crashed worker and overwrite any change made since.
/// - A step acts only if all its dependencies are ready, and is deleted only if nothing depends on it any more.
/// - There is an outcome if and only if nothing is to be done, awaited or in flight, so a tenant never stops without
///   one.
///
/// The result depends on the arguments alone: what was read from Azure is `discrepancies`, the time is `now`.
pub fn decide(
    tenant: &Tenant,
    discrepancies: &Discrepancies,
    busy: &BTreeSet<StepName>,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    for (name, record) in &tenant.steps {
        if busy.contains(name) || !may_act(tenant, name, record) {
            continue;
        }
        match next_for(record, discrepancies.get(name), now) {
            // An object that was in use is not deleted without a reason that allows it, even if its step is marked for
            // deletion.
            Next::Act(Act::Delete) if !removal::may_delete(tenant, name, record) => {}
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

/// Whether a step may act: its dependencies are ready or, for a step that is marked for deletion, its dependents are
/// deleted.
fn may_act(tenant: &Tenant, name: &StepName, record: &StepRecord) -> bool {
    if record.is_marked_for_deletion() {
        // A dependent whose object is deleted together with another step's object does not delay this deletion.
        let stands = |other: &StepRecord| {
            other.is_deleting() && other.needs.contains(name) && !removal::is_carried(tenant, other)
        };
        return !(removal::is_carried(tenant, record) || tenant.steps.values().any(stands));
    }
    // An isolation check covers the objects that stay, so it waits for pending deletions.
    let is_early = record.kind == Kind::Isolation && tenant.steps.values().any(StepRecord::is_deleting);
    tenant.goal == Goal::Present
        && !is_early
        && record.needs.iter().all(|need| tenant.steps.get(need).is_none_or(StepRecord::stands))
}

fn next_for(record: &StepRecord, finding: Option<&Discrepancy>, now: Timestamp) -> Next {
    if record.state.is_final() {
        return Next::Nothing;
    }
    // The pause that a service asked for is checked first, then the delay of the step's own state.
    let waits = [record.not_before, record.state.not_before()];
    if let Some(at) = waits.into_iter().flatten().find(|at| *at > now) {
        return Next::At(at);
    }
    match record.state.operation() {
        Some(_) => Next::Act(Act::Poll),
        None => Next::Act(upon(record, finding)),
    }
}

/// The act for a step that has no operation to poll: a write or delete if a discrepancy is known, otherwise a read.
fn upon(record: &StepRecord, finding: Option<&Discrepancy>) -> Act {
    match finding {
        Some(Discrepancy::Amiss(..) | Discrepancy::MayBeStale(_)) if !record.is_marked_for_deletion() => {
            Act::Write
        }
        Some(Discrepancy::StillThere(_)) if record.is_marked_for_deletion() => Act::Delete,
        Some(_) | None => Act::Read,
    }
}

/// The outcome when nothing more can be done: either everything matches, or a person has to act.
fn outcome(tenant: &Tenant) -> Outcome {
    let blocked = tenant.steps.iter().filter_map(|(name, record)| Some((name, record.state.blocked()?)));
    let causes: BTreeMap<StepName, Cause> =
        blocked.map(|(name, cause)| (name.clone(), cause.clone())).collect();
    if !causes.is_empty() {
        return Outcome::Blocked(causes);
    }
    let unfinished = tenant.steps.iter().find(|(_, record)| match tenant.goal {
        Goal::Present => !record.state.is_ready() && !record.state.is_deleted(),
        Goal::Absent => !record.state.is_deleted(),
    });
    match (unfinished, tenant.goal) {
        (Some((name, record)), _) => {
            let message = format!("it is {} and nothing can be done about it", record.state.as_str());
            let cause = Cause::ours(FailureClass::Permanent, "stalled", message);
            Outcome::Blocked(BTreeMap::from([(name.clone(), cause)]))
        }
        (None, Goal::Present) => Outcome::Ready,
        (None, Goal::Absent) => Outcome::Removed,
    }
}
