//! From what is wanted, recorded and seen to what to do next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Outcome, Seen, Sight, removal};
use crate::{
    blueprint::Kind,
    ids::StepName,
    steps::{Trace, Verdict},
    tenant::{Cause, FailureClass, Goal, StepRecord, StepState, Tenant},
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

/// Decides. Steps in `busy` have a request in flight and are left alone.
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
    if record.doomed {
        // What is left to the deletion of another does not keep that one waiting.
        let stands = |other: &StepRecord| {
            other.doomed
                && other.state != StepState::Gone
                && other.needs.contains(name)
                && !removal::is_carried(tenant, other)
        };
        return !(removal::is_carried(tenant, record) || tenant.steps.values().any(stands));
    }
    // A proof speaks of what is left, so it waits for what still goes.
    let early = record.kind == Kind::Isolation
        && tenant.steps.values().any(|other| other.doomed && other.state != StepState::Gone);
    tenant.goal == Goal::Present
        && !early
        && record.needs.iter().all(|need| {
            tenant.steps.get(need).is_none_or(|needed| !needed.doomed && needed.state == StepState::Ready)
        })
}

fn next_for(record: &StepRecord, seen: Option<&Seen>, now: Timestamp) -> Next {
    match &record.state {
        StepState::Ready | StepState::Halted { .. } | StepState::Gone => Next::Nothing,
        StepState::Waiting | StepState::Writing | StepState::Settling { .. } | StepState::Backoff { .. }
            if record.not_before.is_some_and(|at| at > now) =>
        {
            Next::At(record.not_before.unwrap_or(now))
        }
        StepState::Backoff { until, .. } if *until > now => Next::At(*until),
        StepState::Settling { check_at, .. } if *check_at > now => Next::At(*check_at),
        StepState::Settling { operation: Some(_), .. } => Next::Act(Act::Poll),
        StepState::Waiting | StepState::Writing | StepState::Backoff { .. } | StepState::Settling { .. } => {
            Next::Act(upon(record, seen))
        }
    }
}

/// A sight that calls for an effect leads to it; without one, look first.
fn upon(record: &StepRecord, seen: Option<&Seen>) -> Act {
    match seen {
        Some(Seen::Wanted(
            Verdict::Absent | Verdict::Lingering(_) | Verdict::Differs(_) | Verdict::Broken(_),
            _,
        )) if !record.doomed => Act::Write,
        Some(Seen::Unwanted(Trace::Present(_) | Trace::Lingering(_))) if record.doomed => Act::Erase,
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
        Goal::Present => record.state != StepState::Ready && record.state != StepState::Gone,
        Goal::Absent => record.state != StepState::Gone,
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
