//! The table of transitions, written a second time and independently of the engine: the states that a step may have
//! after an event. Where budgets decide the state, it lists every possible one.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::{Kind, Outputs},
    engine::{self, Discrepancies, Event, Observation, Policy, StepEvent},
    steps::{Comparison, DeletionState, Failure},
    tenant::{
        self, Cause, Effort, FailureClass, Goal, Poll, PollStyle, Proof, Proven, Removal, StepState, Tenant,
    },
};

use super::plans;
use crate::testkit::CLASSES;

/// The states that a step may have after an event; empty if the event can't happen in this state.
pub(crate) fn after(state: &StepState, deleting: bool, event: &Event) -> &'static [&'static str] {
    const SAME: [&str; 7] = ["waiting", "writing", "in-progress", "backoff", "ready", "blocked", "deleted"];
    let name = state.as_str();
    let at = SAME.iter().position(|other| *other == name).unwrap();
    // The states after an event that changes nothing or adds a failure, by the state before it.
    const SAME_OR_BEHIND: [&[&str]; 4] = [
        &["waiting", "backoff", "blocked"],
        &["writing", "backoff", "blocked"],
        &["in-progress", "backoff", "blocked"],
        &["backoff", "blocked"],
    ];
    if ["ready", "blocked", "deleted"].contains(&name) {
        return &[];
    }
    match event {
        Event::Written | Event::Answered(_) | Event::Unaskable | Event::Running { .. }
            if name == "waiting" =>
        {
            &[]
        }
        Event::Unanswered(_) if state.operation().is_none() => &[],
        Event::Unanswered(_) => &["in-progress"],
        Event::Observed(Observation::Compared(..)) if deleting => &SAME[at..=at],
        Event::Observed(Observation::Searched(_)) if !deleting => &SAME[at..=at],
        Event::Observed(Observation::Compared(comparison, _)) => match comparison {
            Comparison::Matches(_) => &["ready"],
            Comparison::InProgress => &["in-progress", "blocked"],
            Comparison::Foreign(_) => &["blocked"],
            // A step that was never ready is deleted and restarted; any other is blocked until a person decides.
            Comparison::Immutable { .. } => &["waiting", "backoff", "blocked", "deleted"],
            // A step that was never ready is deleted and restarted; any other is written again.
            Comparison::Failed(_) => &["waiting", "writing", "in-progress", "backoff", "blocked", "deleted"],
            Comparison::Absent | Comparison::SoftDeleted(_) | Comparison::Drifted(_) => SAME_OR_BEHIND[at],
        },
        Event::Observed(Observation::Searched(state)) => match state {
            DeletionState::Nothing => &["deleted", "waiting", "backoff", "blocked"],
            DeletionState::Foreign | DeletionState::Retained(_) => &["deleted", "waiting"],
            DeletionState::InProgress => &["in-progress", "blocked"],
            DeletionState::Present(_) | DeletionState::SoftDeleted(_) => SAME_OR_BEHIND[at],
        },
        Event::Proved(_) if deleting => &SAME[at..=at],
        Event::Proved(proven) if proven.proof.verdict == tenant::IsolationVerdict::Verified => &["ready"],
        // The steps of these tenants do not accept gaps in the isolation check.
        Event::Proved(_) => &["backoff", "blocked"],
        Event::Answered(_) if !deleting => &["ready"],
        Event::Began { .. } | Event::Written | Event::Answered(_) | Event::Unaskable => &["writing"],
        Event::Found { .. } => &SAME[at..=at],
        Event::Running { .. } => &["in-progress", "blocked"],
        Event::Failed(failure) if failure.cause.class.retryable() => &["backoff", "blocked"],
        Event::Failed(_) => &["blocked"],
    }
}

fn poll() -> Poll {
    Poll { url: "https://poll".into(), style: PollStyle::AsyncOperation, limit: None }
}

/// The effort of a step on which nothing was tried yet; [`tenants`] adds the histories.
fn effort() -> Effort {
    Effort::none(Timestamp::UNIX_EPOCH)
}

fn cause(class: FailureClass) -> Cause {
    Cause::ours(class, "any", "")
}

/// Every state of a step; `InProgress` with and without an operation.
pub(crate) fn states() -> Vec<StepState> {
    let (check_at, until) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    vec![
        StepState::Waiting(effort()),
        StepState::Writing(effort()),
        StepState::InProgress { effort: effort(), operation: Some(poll()), check_at },
        StepState::InProgress { effort: effort(), operation: None, check_at },
        StepState::Backoff { effort: effort(), until, cause: cause(FailureClass::Transient) },
        StepState::Ready(effort()),
        StepState::Blocked { effort: effort(), cause: cause(FailureClass::Quota) },
        StepState::Deleted(effort()),
    ]
}

/// Every event in every variant.
pub(crate) fn events() -> Vec<Event> {
    let comparisons = [
        Comparison::Absent,
        Comparison::Matches(Outputs::new()),
        Comparison::Drifted(vec!["/a".into()]),
        Comparison::InProgress,
        Comparison::Foreign("tenant other".into()),
        Comparison::SoftDeleted("id".into()),
        Comparison::Failed(cause(FailureClass::Permanent)),
        Comparison::Immutable { fixed: vec!["/location".into()], differences: vec!["/location".into()] },
    ];
    let deletion_states = [
        DeletionState::Nothing,
        DeletionState::Present(Outputs::new()),
        DeletionState::SoftDeleted(Outputs::new()),
        DeletionState::InProgress,
        DeletionState::Retained(None),
        DeletionState::Foreign,
    ];
    let soon = Some(Duration::from_secs(7));
    let mut events: Vec<Event> = comparisons
        .into_iter()
        .map(|comparison| Event::Observed(Observation::Compared(comparison, None)))
        .collect();
    events.extend(deletion_states.map(|state| Event::Observed(Observation::Searched(state))));
    let proofs = [
        tenant::IsolationVerdict::Verified,
        tenant::IsolationVerdict::Violated,
        tenant::IsolationVerdict::Inconclusive,
    ];
    events.extend(proofs.map(|verdict| {
        let at = Timestamp::UNIX_EPOCH;
        let proof = Proof { verdict, reasons: vec!["drawn".into()], digest: "sha256:0".into(), at };
        Event::Proved(Box::new(Proven { proof, reported: json!({}), retry_after: None }))
    }));
    events.extend(CLASSES.map(|class| Event::Failed(cause(class).into())));
    events.extend([
        Event::Began { target: Some(json!({})) },
        Event::Began { target: None },
        Event::Found { target: json!({}) },
        Event::Written,
        Event::Answered(Outputs::new()),
        Event::Unaskable,
        Event::Running { operation: Some(poll()), after: None },
        Event::Running { operation: None, after: soon },
        // Longer than the range of timestamps.
        Event::Running { operation: None, after: Some(Duration::MAX) },
        Event::Unanswered(Failure { retry_after: Some(Duration::MAX), ..Failure::nonsense("drawn") }),
    ]);
    events
}

/// Tenants whose single step has this state, one for each history that makes a difference to budgets.
pub(crate) fn tenants(state: &StepState, deleting: bool) -> Vec<Tenant> {
    let now = Timestamp::UNIX_EPOCH;
    let mut all = Vec::new();
    for kind in [Kind::Arm, Kind::RoleAssignment] {
        for (attempts, written, failures) in [(0, false, 0), (1, true, 4), (u32::MAX - 1, true, u32::MAX - 1)]
        {
            for goal in [Goal::Present, Goal::Absent] {
                let mut tenant = plans::tenant(plans::plan("only"), now);
                tenant.goal = goal;
                let behind = |effort: &mut Effort| {
                    (effort.attempts, effort.written, effort.failures) = (attempts, written, failures);
                };
                tenant.change_step(&plans::name("only"), |record| {
                    (record.state, record.kind) = (state.clone(), kind);
                    record.removal = deleting.then(Removal::default);
                    behind(record.state.effort_mut());
                    (record.generation, record.recreated) = (3, attempts.min(9));
                    record.wrote_at = written.then_some(now);
                });
                all.push(tenant);
            }
        }
    }
    all
}

/// Applies an event, asserts that the result is in the table, and returns the changed tenant.
pub(crate) fn holds(tenant: &Tenant, event: &Event, now: Timestamp) -> Tenant {
    let name = plans::name("only");
    let before = &tenant.steps()[&name];
    let allowed = after(&before.state, before.is_marked_for_deletion(), event);
    let (mut changed, mut discrepancies) = (tenant.clone(), Discrepancies::new());
    let applied = engine::apply(
        &mut changed,
        &mut discrepancies,
        StepEvent { step: &name, generation: before.generation, event: event.clone() },
        &Policy::azure(),
        now,
    );
    let case = format!("{event:?} in {before:?}");
    let record = &changed.steps()[&name];
    match applied {
        Err(error) => {
            assert!(allowed.is_empty(), "{case}: {error}");
            assert_eq!(&changed, tenant, "{case}");
        }
        Ok(_) => {
            let state = record.state.as_str();
            assert!(allowed.contains(&state), "{case}: it is {state}, and may be {allowed:?}");
        }
    }
    assert!(record.generation >= before.generation, "{case}: its step generation falls");
    assert_eq!((changed.generation, changed.incarnation), (tenant.generation, tenant.incarnation), "{case}");
    assert!(changed.numbered() >= tenant.numbered() && changed.sequence() >= tenant.sequence(), "{case}");
    // A step marked for deletion is never written; any other step is never deleted.
    let decision = engine::decide(&changed, &discrepancies, &BTreeSet::new(), now);
    for act in decision.acts.values() {
        let wrong = if record.is_marked_for_deletion() { engine::Act::Write } else { engine::Act::Delete };
        assert_ne!(*act, wrong, "{case}");
    }
    changed
}
