//! Properties of the engine: whatever happens, in whatever order, these hold.
//!
//! A game is a small plan and a list of moves. The moves are those of a reconciler (start what was decided, hear an answer,
//! let time pass) and of the world (another wish, an answer that comes too late); which answer comes is drawn.

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
    engine::{self, Act, Event, Observation, Outcome, Policy, Sight, StepEvent, wish},
    ids::StepName,
    steps::{Comparison, Failure, Trace},
    tenant::{Action, Goal, StepState, Tenant},
};

use crate::{engine::plans, testkit::same_cases};
use answers::answer;

/// A plan of up to six steps, each standing on some of those before it, with values and ids that later plans change.
fn plan() -> impl Strategy<Value = String> {
    prop::collection::vec((any::<u8>(), 0..3_u8, 0..2_u8, any::<bool>(), 0..8_u8), 1..6).prop_map(|steps| {
        let word = |(n, (needs, value, id, late, dropped)): (usize, &(u8, u8, u8, bool, u8))| {
            let needs: Vec<String> =
                (0..n).filter(|need| needs >> need & 1 == 1).map(|need| format!("s{need}")).collect();
            let kind = if *dropped == 1 { ":role-assignment" } else { "" };
            let late = if *late { "~" } else { "" };
            (*dropped != 0).then(|| format!("s{n}={value}#{id}{kind}{late}<{}", needs.join(",")))
        };
        let words: Vec<String> = steps.iter().enumerate().filter_map(word).collect();
        // A step may need one that is not in the plan: then that one's condition does not hold.
        let names: Vec<&str> = words.iter().map(|word| word.split('=').next().unwrap()).collect();
        let kept = words.iter().map(|word| {
            let (head, needs) = word.split_once('<').unwrap();
            let needs: Vec<&str> = needs.split(',').filter(|need| names.contains(need)).collect();
            format!("{head}<{}", needs.join(","))
        });
        kept.collect::<Vec<_>>().join(" ")
    })
}

#[derive(Debug, Clone)]
enum Move {
    /// Start one of the decided acts.
    Start(usize),
    /// One of the requests in flight is answered.
    Answer(usize, u8),
    /// Let time pass.
    Wait(u32),
    /// An event that nobody asked for, of this or another turn.
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
        2 => (any::<usize>(), 0..4_u32, any::<u8>()).prop_map(|(which, turn, what)| Move::Stray(which, turn, what)),
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
    sight: Sight,
    busy: BTreeMap<StepName, (u32, Act)>,
    now: Timestamp,
}

impl Game {
    fn new(plan: &str) -> Self {
        let now = Timestamp::default();
        Self {
            tenant: plans::tenant(plans::plan(plan), now),
            sight: Sight::new(),
            busy: BTreeMap::new(),
            now,
        }
    }

    fn decide(&self) -> engine::Decision {
        let busy: BTreeSet<StepName> = self.busy.keys().cloned().collect();
        let decision = engine::decide(&self.tenant, &self.sight, &busy, self.now);
        assert_eq!(decision, engine::decide(&self.tenant, &self.sight, &busy, self.now), "not deterministic");
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

    /// An act is for a step whose turn it is.
    fn may(&self, name: &StepName, act: Act) {
        assert!(self.is_its_turn(name), "{name} is early");
        if self.tenant.steps()[name].is_doomed() {
            assert_ne!(act, Act::Write);
        } else {
            assert_eq!(self.tenant.goal, Goal::Present);
            assert_ne!(act, Act::Erase);
        }
    }

    /// What has to go waits for what stands on it, what has to come for what it stands on.
    fn is_its_turn(&self, name: &StepName) -> bool {
        let record = &self.tenant.steps()[name];
        if record.is_doomed() {
            let above =
                |other: &tenantry_core::tenant::StepRecord| other.is_doomed() && other.needs.contains(name);
            self.tenant.steps().values().all(|other| !above(other) || other.state.is_gone())
        } else {
            let needs = record.needs.iter().filter_map(|need| self.tenant.steps().get(need));
            needs.into_iter().all(|need| need.state.is_ready() && !need.is_doomed())
        }
    }

    /// An outcome comes when nothing is in progress, and says what is so.
    fn over(&self, outcome: &Outcome) {
        for (name, record) in self.tenant.steps() {
            let resting = match record.state {
                StepState::Waiting(_) => matches!(outcome, Outcome::Halted(_)),
                StepState::Ready(_) => *outcome != Outcome::Removed || !record.is_doomed(),
                StepState::Gone(_) | StepState::Halted { .. } => true,
                // In progress, but its turn comes only after a step that has stopped.
                StepState::Writing(_) | StepState::Settling { .. } | StepState::Backoff { .. } => {
                    matches!(outcome, Outcome::Halted(_)) && !self.is_its_turn(name)
                }
            };
            assert!(resting, "{outcome:?}, while {name} is {record:?}");
        }
        match outcome {
            Outcome::Ready => {
                assert!(self.tenant.plan.steps.keys().all(|name| self.tenant.steps()[name].state.is_ready()));
            }
            Outcome::Removed => {
                assert!(self.tenant.steps().values().all(|record| record.state.is_gone()));
            }
            Outcome::Halted(causes) => assert!(
                causes.values().all(|cause| cause.code != "stalled"),
                "{causes:?}\n{:#?}",
                self.tenant.steps()
            ),
        }
    }

    fn apply(&mut self, name: &StepName, turn: u32, event: Event) -> bool {
        let before = (self.tenant.clone(), self.sight.clone());
        let applied = engine::apply(
            &mut self.tenant,
            &mut self.sight,
            StepEvent { step: name, turn, event },
            &Policy::azure(),
            self.now,
        );
        if applied.is_err() {
            assert_eq!(
                (&self.tenant, &self.sight),
                (&before.0, &before.1),
                "a refused event changed something"
            );
        }
        for (name, record) in self.tenant.steps() {
            let Some(was) = before.0.steps().get(name) else { panic!("{name} came from nowhere") };
            assert!(record.turn >= was.turn, "{name} went back to an earlier turn");
            let final_before =
                matches!(was.state, StepState::Ready(_) | StepState::Halted { .. } | StepState::Gone(_));
            assert!(
                record.turn > was.turn || !final_before || record.state == was.state,
                "{name} left {was:?} within its turn"
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
                let (turn, act) = self.busy.remove(&name).unwrap();
                let doomed = self.tenant.steps().get(&name).is_some_and(|record| record.is_doomed());
                self.apply(&name, turn, answer(act, doomed, *what));
            }
            Move::Wait(seconds) => {
                self.now = self.now.checked_add(Duration::from_secs((*seconds).into())).unwrap();
            }
            Move::Stray(which, turn, what) => {
                let Some(name) =
                    self.tenant.steps().keys().nth(which % self.tenant.steps().len().max(1)).cloned()
                else {
                    return;
                };
                let record = &self.tenant.steps()[&name];
                // A worker asks about one thing at a time, so only another turn's answers can come unasked.
                if record.turn != *turn {
                    let event = answer(
                        [Act::Look, Act::Write, Act::Poll][usize::from(*what) % 3],
                        what % 2 == 0,
                        *what,
                    );
                    assert!(!self.apply(&name, *turn, event), "an answer of turn {turn} was taken");
                }
            }
            Move::Update(text) if self.tenant.goal == Goal::Present => {
                plans::update(&mut self.tenant, text, self.now);
                self.wished(Action::Update);
            }
            Move::Update(_) => {}
            Move::Remove => {
                let by = plans::operation(&self.tenant, Action::Deprovision, self.now);
                wish::remove(&mut self.tenant, &by, self.now);
                self.wished(Action::Deprovision);
            }
            Move::Retry => wish::retry(&mut self.tenant, self.now),
        }
        let _ = self.decide();
    }

    /// A changed wish makes the reconciler read the document anew: what it has seen is forgotten, what is in flight is not.
    fn wished(&mut self, action: Action) {
        self.sight.clear();
        plans::take_on(&mut self.tenant, action, self.now);
    }

    fn start(&mut self, name: &StepName, act: Act) {
        let turn = self.tenant.steps()[name].turn;
        match act {
            Act::Write => _ = self.apply(name, turn, Event::Began { target: Some(json!({"id": name})) }),
            Act::Erase => _ = self.apply(name, turn, Event::Began { target: None }),
            Act::Look | Act::Poll => {}
        }
        self.busy.insert(name.clone(), (turn, act));
    }

    /// From here on everything works: returns the outcome, which has to come.
    fn heal(&mut self) -> Outcome {
        let mut there: BTreeSet<StepName> = self
            .tenant
            .steps()
            .iter()
            .filter(|(_, record)| record.target.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        for name in std::mem::take(&mut self.busy).into_keys() {
            let turn = self.tenant.steps().get(&name).map_or(0, |record| record.turn);
            self.apply(&name, turn, Event::Failed(Failure::ambiguous("cut off")));
        }
        let mut retried = false;
        for _ in 0..500 {
            let decision = self.decide();
            match decision.outcome {
                // What was spent of its budgets before may end it once more; then a person's retry has to help.
                Some(Outcome::Halted(_)) if !std::mem::replace(&mut retried, true) => {
                    wish::retry(&mut self.tenant, self.now);
                    continue;
                }
                Some(outcome) => return outcome,
                None => {}
            }
            if decision.acts.is_empty() {
                self.now = decision.next.unwrap();
            }
            for (name, act) in decision.acts {
                let (turn, doomed) =
                    (self.tenant.steps()[&name].turn, self.tenant.steps()[&name].is_doomed());
                self.start(&name, act);
                self.busy.clear();
                let event = match (act, doomed, there.contains(&name)) {
                    (Act::Look, false, true) => {
                        Event::Observed(Observation::Wanted(Comparison::Matches(Outputs::new()), None))
                    }
                    (Act::Look, false, false) => {
                        Event::Observed(Observation::Wanted(Comparison::Absent, None))
                    }
                    (Act::Look, true, true) => {
                        Event::Observed(Observation::Unwanted(Trace::Present(Outputs::new())))
                    }
                    (Act::Look, true, false) => Event::Observed(Observation::Unwanted(Trace::Nothing)),
                    (Act::Write, ..) => {
                        there.insert(name.clone());
                        Event::Written
                    }
                    (Act::Erase, ..) => {
                        there.remove(&name);
                        Event::Written
                    }
                    (Act::Poll, ..) => Event::Written,
                };
                self.apply(&name, turn, event);
            }
        }
        panic!("no outcome: {:#?}", self.tenant.steps());
    }
}
