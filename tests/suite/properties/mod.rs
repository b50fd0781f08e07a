//! Properties of the engine that hold for every order of events.
//!
//! A game is a small plan and a list of random moves. Some are the reconciler's (start a decided act, get an answer,
//! let time pass), others come from outside (another desired state, an answer that comes too late).

mod answers;
mod games;
mod records;
mod reference;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use tenantry_core::{
    blueprint::Outputs,
    engine::{self, Act, Discrepancies, Event, Observation, Outcome, Policy, StepEvent, desired},
    ids::StepName,
    steps::{Comparison, DeletionState, Failure},
    tenant::{Action, Goal, StepState, Tenant},
};

use crate::{engine::plans, testkit::same_cases};
use answers::answer;

/// The text of a plan with up to six steps. Each step depends on some of the steps before it. Values and ids differ
/// between plans.
fn plan() -> impl Strategy<Value = String> {
    prop::collection::vec((any::<u8>(), 0..3_u8, 0..2_u8, any::<bool>(), 0..8_u8), 1..6).prop_map(|steps| {
        let step_text = |(n, (needs, value, id, late, dropped)): (usize, &(u8, u8, u8, bool, u8))| {
            let needs: Vec<String> =
                (0..n).filter(|need| needs >> need & 1 == 1).map(|need| format!("s{need}")).collect();
            let kind = if *dropped == 1 { ":role-assignment" } else { "" };
            let late = if *late { "~" } else { "" };
            (*dropped != 0).then(|| format!("s{n}={value}#{id}{kind}{late}<{}", needs.join(",")))
        };
        let texts: Vec<String> = steps.iter().enumerate().filter_map(step_text).collect();
        // A step does not depend on a step that is left out, as if the condition of the omitted step did not hold.
        let names: Vec<&str> = texts.iter().map(|text| text.split('=').next().unwrap()).collect();
        let kept = texts.iter().map(|text| {
            let (head, needs) = text.split_once('<').unwrap();
            let needs: Vec<&str> = needs.split(',').filter(|need| names.contains(need)).collect();
            format!("{head}<{}", needs.join(","))
        });
        kept.collect::<Vec<_>>().join(" ")
    })
}

#[derive(Debug, Clone)]
enum Move {
    /// Starts one of the acts that the engine decides.
    Start(usize),
    /// Answers one of the requests in flight.
    Answer(usize, u8),
    /// Lets so many seconds pass.
    Wait(u32),
    /// Applies an event that nobody waits for, of this or of another step generation.
    Stray(usize, u32, u8),
    Update(String),
    Remove,
    Retry,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => any::<usize>().prop_map(Move::Start),
        8 => (any::<usize>(), any::<u8>()).prop_map(|(which, what)| Move::Answer(which, what)),
        3 => (0..4000_u32).prop_map(Move::Wait),
        2 => (any::<usize>(), 0..4_u32, any::<u8>()).prop_map(|(which, generation, what)| Move::Stray(which, generation, what)),
        1 => plan().prop_map(Move::Update),
        1 => Just(Move::Retry),
    ];
    (prop::collection::vec(one, 0..120), any::<bool>()).prop_map(|(mut moves, remove)| {
        if remove {
            let at = moves.len() / 2;
            moves.insert(at, Move::Remove);
        }
        moves
    })
}

struct Game {
    tenant: Tenant,
    discrepancies: Discrepancies,
    busy: BTreeMap<StepName, (u32, Act)>,
    now: Timestamp,
}

impl Game {
    fn new(plan: &str) -> Self {
        let now = Timestamp::default();
        Self {
            tenant: plans::tenant(plans::plan(plan), now),
            discrepancies: Discrepancies::new(),
            busy: BTreeMap::new(),
            now,
        }
    }

    fn decide(&self) -> engine::Decision {
        let busy: BTreeSet<StepName> = self.busy.keys().cloned().collect();
        let decision = engine::decide(&self.tenant, &self.discrepancies, &busy, self.now);
        assert_eq!(
            decision,
            engine::decide(&self.tenant, &self.discrepancies, &busy, self.now),
            "not deterministic"
        );
        for (name, act) in &decision.acts {
            self.may(name, *act);
        }
        assert!(decision.acts.keys().all(|name| !self.busy.contains_key(name)));
        if let Some(outcome) = &decision.outcome {
            assert!(decision.acts.is_empty() && decision.next.is_none() && self.busy.is_empty());
            self.over(outcome);
        }
        decision
    }

    /// Asserts that the step may perform the act now.
    fn may(&self, name: &StepName, act: Act) {
        assert!(self.may_go_first(name), "{name} must wait for other steps");
        if self.tenant.steps()[name].is_marked_for_deletion() {
            assert_ne!(act, Act::Write);
        } else {
            assert_eq!(self.tenant.goal, Goal::Present);
            assert_ne!(act, Act::Delete);
        }
    }

    /// Whether a step may act: a step marked for deletion waits for the deletion of the steps that depend on it; any
    /// other step waits until the steps that it depends on are ready.
    fn may_go_first(&self, name: &StepName) -> bool {
        let record = &self.tenant.steps()[name];
        if record.is_marked_for_deletion() {
            let above = |other: &tenantry_core::tenant::StepRecord| {
                other.is_marked_for_deletion() && other.needs.contains(name)
            };
            self.tenant.steps().values().all(|other| !above(other) || other.state.is_deleted())
        } else {
            let needs = record.needs.iter().filter_map(|need| self.tenant.steps().get(need));
            needs.into_iter().all(|need| need.state.is_ready() && !need.is_marked_for_deletion())
        }
    }

    /// Asserts that no work is in progress when there is an outcome, and that the outcome is right.
    fn over(&self, outcome: &Outcome) {
        for (name, record) in self.tenant.steps() {
            let resting = match record.state {
                StepState::Waiting(_) => matches!(outcome, Outcome::Blocked(_)),
                StepState::Ready(_) => *outcome != Outcome::Removed || !record.is_marked_for_deletion(),
                StepState::Deleted(_) | StepState::Blocked { .. } => true,
                // The step's work has begun, but can continue only after a step that is blocked.
                StepState::Writing(_) | StepState::InProgress { .. } | StepState::Backoff { .. } => {
                    matches!(outcome, Outcome::Blocked(_)) && !self.may_go_first(name)
                }
            };
            assert!(resting, "{outcome:?}, while {name} is {record:?}");
        }
        match outcome {
            Outcome::Ready => {
                assert!(self.tenant.plan.steps.keys().all(|name| self.tenant.steps()[name].state.is_ready()));
            }
            Outcome::Removed => {
                assert!(self.tenant.steps().values().all(|record| record.state.is_deleted()));
            }
            Outcome::Blocked(causes) => assert!(
                causes.values().all(|cause| cause.code != "stalled"),
                "{causes:?}\n{:#?}",
                self.tenant.steps()
            ),
        }
    }

    fn apply(&mut self, name: &StepName, generation: u32, event: Event) -> bool {
        let before = (self.tenant.clone(), self.discrepancies.clone());
        let applied = engine::apply(
            &mut self.tenant,
            &mut self.discrepancies,
            StepEvent { step: name, generation, event },
            &Policy::azure(),
            self.now,
        );
        if applied.is_err() {
            assert_eq!(
                (&self.tenant, &self.discrepancies),
                (&before.0, &before.1),
                "a refused event changed something"
            );
        }
        for (name, record) in self.tenant.steps() {
            let Some(was) = before.0.steps().get(name) else { panic!("{name} is a new step") };
            assert!(record.generation >= was.generation, "{name} went back to an earlier step generation");
            let final_before =
                matches!(was.state, StepState::Ready(_) | StepState::Blocked { .. } | StepState::Deleted(_));
            assert!(
                record.generation > was.generation || !final_before || record.state == was.state,
                "{name} left {was:?} within its step generation"
            );
        }
        assert_eq!(self.tenant.generation, before.0.generation);
        applied.is_ok()
    }

    fn play(&mut self, game: &Move) {
        match game {
            Move::Start(which) => {
                let decision = self.decide();
                if decision.acts.is_empty() {
                    return;
                }
                let (name, act) = decision.acts.iter().nth(which % decision.acts.len()).unwrap();
                self.start(name, *act);
            }
            Move::Answer(which, what) => {
                if self.busy.is_empty() {
                    return;
                }
                let name = self.busy.keys().nth(which % self.busy.len()).unwrap().clone();
                let (generation, act) = self.busy.remove(&name).unwrap();
                let deleting =
                    self.tenant.steps().get(&name).is_some_and(|record| record.is_marked_for_deletion());
                self.apply(&name, generation, answer(act, deleting, *what));
            }
            Move::Wait(seconds) => {
                self.now = self.now.checked_add(Duration::from_secs((*seconds).into())).unwrap();
            }
            Move::Stray(which, generation, what) => {
                let Some(name) =
                    self.tenant.steps().keys().nth(which % self.tenant.steps().len().max(1)).cloned()
                else {
                    return;
                };
                let record = &self.tenant.steps()[&name];
                // A worker has one request per step in flight, so only an answer to another step generation is
                // unexpected.
                if record.generation != *generation {
                    let event = answer(
                        [Act::Read, Act::Write, Act::Poll][usize::from(*what) % 3],
                        what % 2 == 0,
                        *what,
                    );
                    assert!(
                        !self.apply(&name, *generation, event),
                        "an answer to step generation {generation} was accepted"
                    );
                }
            }
            Move::Update(text) if self.tenant.goal == Goal::Present => {
                plans::update(&mut self.tenant, text, self.now);
                self.desired(Action::Update);
            }
            Move::Update(_) => {}
            Move::Remove => {
                let by = plans::operation(&self.tenant, Action::Deprovision, self.now);
                desired::remove(&mut self.tenant, &by, self.now);
                self.desired(Action::Deprovision);
            }
            Move::Retry => desired::retry(&mut self.tenant, self.now),
        }
        let _ = self.decide();
    }

    /// Does what the reconciler does after a change of the desired state: it reads the document again, drops the
    /// discrepancies and keeps the requests in flight.
    fn desired(&mut self, action: Action) {
        self.discrepancies.clear();
        plans::take_on(&mut self.tenant, action, self.now);
    }

    fn start(&mut self, name: &StepName, act: Act) {
        let generation = self.tenant.steps()[name].generation;
        match act {
            Act::Write => {
                _ = self.apply(name, generation, Event::Began { target: Some(json!({"id": name})) });
            }
            Act::Delete => _ = self.apply(name, generation, Event::Began { target: None }),
            Act::Read | Act::Poll => {}
        }
        self.busy.insert(name.clone(), (generation, act));
    }

    /// Lets all requests succeed from now on until there is an outcome, and returns the outcome.
    fn heal(&mut self) -> Outcome {
        let mut there: BTreeSet<StepName> = self
            .tenant
            .steps()
            .iter()
            .filter(|(_, record)| record.target.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        for name in std::mem::take(&mut self.busy).into_keys() {
            let generation = self.tenant.steps().get(&name).map_or(0, |record| record.generation);
            self.apply(&name, generation, Event::Failed(Failure::ambiguous("cut off")));
        }
        let mut retried = false;
        for _ in 0..500 {
            let decision = self.decide();
            match decision.outcome {
                // An exhausted budget may block a step once; after a retry it must not.
                Some(Outcome::Blocked(_)) if !std::mem::replace(&mut retried, true) => {
                    desired::retry(&mut self.tenant, self.now);
                    continue;
                }
                Some(outcome) => return outcome,
                None => {}
            }
            if decision.acts.is_empty() {
                self.now = decision.next.unwrap();
            }
            for (name, act) in decision.acts {
                let (generation, deleting) = (
                    self.tenant.steps()[&name].generation,
                    self.tenant.steps()[&name].is_marked_for_deletion(),
                );
                self.start(&name, act);
                self.busy.clear();
                let event = match (act, deleting, there.contains(&name)) {
                    (Act::Read, false, true) => {
                        Event::Observed(Observation::Compared(Comparison::Matches(Outputs::new()), None))
                    }
                    (Act::Read, false, false) => {
                        Event::Observed(Observation::Compared(Comparison::Absent, None))
                    }
                    (Act::Read, true, true) => {
                        Event::Observed(Observation::Searched(DeletionState::Present(Outputs::new())))
                    }
                    (Act::Read, true, false) => {
                        Event::Observed(Observation::Searched(DeletionState::Nothing))
                    }
                    (Act::Write, ..) => {
                        there.insert(name.clone());
                        Event::Written
                    }
                    (Act::Delete, ..) => {
                        there.remove(&name);
                        Event::Written
                    }
                    (Act::Poll, ..) => Event::Written,
                };
                self.apply(&name, generation, event);
            }
        }
        panic!("no outcome: {:#?}", self.tenant.steps());
    }
}
