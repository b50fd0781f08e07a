//! The table of transitions, written down a second time and apart from the engine: which state a step may be in after
//! an event, or that the event can't happen there. Where budgets decide, it names all that they may decide.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::{Kind, Outputs},
    engine::{self, Event, Observation, Policy, Sight, StepEvent},
    steps::{Comparison, Failure, Trace},
    tenant::{
        self, Cause, Effort, FailureClass, Goal, Poll, PollStyle, Proof, Proven, Removal, StepState, Tenant,
    },
};

use super::plans;
use crate::testkit::CLASSES;

/// What may follow; empty if the event can't happen.
pub(crate) fn after(state: &StepState, doomed: bool, event: &Event) -> &'static [&'static str] {
    const SAME: [&str; 7] = ["waiting", "writing", "settling", "backoff", "ready", "halted", "gone"];
    let word = state.word();
    let at = SAME.iter().position(|other| *other == word).unwrap();
    // An event that leaves the state as it is, or with one more failure.
    const SAME_OR_BEHIND: [&[&str]; 4] = [
        &["waiting", "backoff", "halted"],
        &["writing", "backoff", "halted"],
        &["settling", "backoff", "halted"],
        &["backoff", "halted"],
    ];
    if ["ready", "halted", "gone"].contains(&word) {
        return &[];
    }
    match event {
        Event::Written | Event::Answered(_) | Event::Unaskable | Event::Running { .. }
            if word == "waiting" =>
        {
            &[]
        }
        Event::Unanswered(_) if state.operation().is_none() => &[],
        Event::Unanswered(_) => &["settling"],
        Event::Observed(Observation::Wanted(..)) if doomed => &SAME[at..=at],
        Event::Observed(Observation::Unwanted(_)) if !doomed => &SAME[at..=at],
        Event::Observed(Observation::Wanted(verdict, _)) => match verdict {
            Comparison::Matches(_) => &["ready"],
            Comparison::Settling => &["settling", "halted"],
            Comparison::Foreign(_) => &["halted"],
            // What was never ready goes first, and begins anew; else it is written again.
            Comparison::Immutable(_) => &["waiting", "backoff", "halted", "gone"],
            Comparison::Broken(_) => &["waiting", "writing", "settling", "backoff", "halted", "gone"],
            Comparison::Absent | Comparison::Lingering(_) | Comparison::Differs(_) => SAME_OR_BEHIND[at],
        },
        Event::Observed(Observation::Unwanted(trace)) => match trace {
            Trace::Nothing => &["gone", "waiting", "backoff", "halted"],
            Trace::Foreign | Trace::Retained(_) => &["gone", "waiting"],
            Trace::Settling => &["settling", "halted"],
            Trace::Present(_) | Trace::Lingering(_) => SAME_OR_BEHIND[at],
        },
        Event::Proved(_) if doomed => &SAME[at..=at],
        Event::Proved(proven) if proven.proof.verdict == tenant::IsolationVerdict::Verified => &["ready"],
        // No step of these tenants takes a gap for granted.
        Event::Proved(_) => &["backoff", "halted"],
        Event::Answered(_) if !doomed => &["ready"],
        Event::Began { .. } | Event::Written | Event::Answered(_) | Event::Unaskable => &["writing"],
        Event::Found { .. } => &SAME[at..=at],
        Event::Running { .. } => &["settling", "halted"],
        Event::Failed(failure) if failure.cause.class.retryable() => &["backoff", "halted"],
        Event::Failed(_) => &["halted"],
    }
}

fn poll() -> Poll {
    Poll { url: "https://poll".into(), style: PollStyle::AsyncOperation, limit: None }
}

/// Nothing so far; [`tenants`] puts behind it what it draws.
fn effort() -> Effort {
    Effort::none(Timestamp::UNIX_EPOCH)
}

fn cause(class: FailureClass) -> Cause {
    Cause::ours(class, "drawn", "")
}

/// Every state, those with an operation and without.
pub(crate) fn states() -> Vec<StepState> {
    let (check_at, until) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    vec![
        StepState::Waiting(effort()),
        StepState::Writing(effort()),
        StepState::Settling { effort: effort(), operation: Some(poll()), check_at },
        StepState::Settling { effort: effort(), operation: None, check_at },
        StepState::Backoff { effort: effort(), until, cause: cause(FailureClass::Transient) },
        StepState::Ready(effort()),
        StepState::Halted { effort: effort(), cause: cause(FailureClass::Quota) },
        StepState::Gone(effort()),
    ]
}

/// Every event, with everything that it may say.
pub(crate) fn events() -> Vec<Event> {
    let verdicts = [
        Comparison::Absent,
        Comparison::Matches(Outputs::new()),
        Comparison::Differs(vec!["/a".into()]),
        Comparison::Settling,
        Comparison::Foreign("tenant other".into()),
        Comparison::Lingering("id".into()),
        Comparison::Broken(cause(FailureClass::Permanent)),
        Comparison::Immutable(vec!["/location".into()]),
    ];
    let traces = [
        Trace::Nothing,
        Trace::Present(Outputs::new()),
        Trace::Lingering(Outputs::new()),
        Trace::Settling,
        Trace::Retained(None),
        Trace::Foreign,
    ];
    let soon = Some(Duration::from_secs(7));
    let mut events: Vec<Event> =
        verdicts.into_iter().map(|verdict| Event::Observed(Observation::Wanted(verdict, None))).collect();
    events.extend(traces.map(|trace| Event::Observed(Observation::Unwanted(trace))));
    let proofs = [
        tenant::IsolationVerdict::Verified,
        tenant::IsolationVerdict::Violated,
        tenant::IsolationVerdict::Inconclusive,
    ];
    events.extend(proofs.map(|verdict| {
        let at = Timestamp::UNIX_EPOCH;
        let proof = Proof { verdict, reasons: vec!["drawn".into()], digest: "sha256:0".into(), at };
        Event::Proved(Box::new(Proven { proof, told: json!({}), retry_after: None }))
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
        // More than there is time.
        Event::Running { operation: None, after: Some(Duration::MAX) },
        Event::Unanswered(Failure { retry_after: Some(Duration::MAX), ..Failure::nonsense("drawn") }),
    ]);
    events
}

/// The histories that a step can have behind it, as far as budgets look at them.
pub(crate) fn tenants(state: &StepState, doomed: bool) -> Vec<Tenant> {
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
                    record.removal = doomed.then(Removal::default);
                    behind(record.state.effort_mut());
                    (record.turn, record.recreated) = (3, attempts.min(9));
                    record.wrote_at = written.then_some(now);
                });
                all.push(tenant);
            }
        }
    }
    all
}

/// Gives the event to the engine and holds what comes of it against the table.
pub(crate) fn holds(tenant: &Tenant, event: &Event, now: Timestamp) -> Tenant {
    let name = plans::name("only");
    let before = &tenant.steps()[&name];
    let allowed = after(&before.state, before.is_doomed(), event);
    let (mut changed, mut sight) = (tenant.clone(), Sight::new());
    let applied = engine::apply(
        &mut changed,
        &mut sight,
        StepEvent { step: &name, turn: before.turn, event: event.clone() },
        &Policy::azure(),
        now,
    );
    let place = format!("{event:?} in {before:?}");
    let record = &changed.steps()[&name];
    match applied {
        Err(error) => {
            assert!(allowed.is_empty(), "{place}: {error}");
            assert_eq!(&changed, tenant, "{place}");
        }
        Ok(_) => {
            let word = record.state.word();
            assert!(allowed.contains(&word), "{place}: it is {word}, and may be {allowed:?}");
        }
    }
    assert!(record.turn >= before.turn, "{place}: its turn falls");
    assert_eq!((changed.generation, changed.incarnation), (tenant.generation, tenant.incarnation), "{place}");
    assert!(changed.numbered() >= tenant.numbered() && changed.sequence() >= tenant.sequence(), "{place}");
    // A doomed step is never written, a wanted one never erased.
    let decision = engine::decide(&changed, &sight, &BTreeSet::new(), now);
    for act in decision.acts.values() {
        let wrong = if record.is_doomed() { engine::Act::Write } else { engine::Act::Erase };
        assert_ne!(*act, wrong, "{place}");
    }
    changed
}
