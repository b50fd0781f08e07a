//! What a drive waits for and takes in: the answers to its requests, and that what was sent is over.

use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tenantry_core::{
    blueprint::Kind,
    engine::{self, Event, Observation, StepEvent},
    ids::StepName,
    steps::Comparison,
    tenant::{FailureClass, StepRecord, StepState},
    time::later,
};

use super::drive::Drive;

/// An answer: which step, in which turn it was asked, what happened, and whether it was a look.
pub(super) struct Answer {
    pub(super) name: StepName,
    pub(super) turn: u32,
    pub(super) event: Event,
    pub(super) mutating: bool,
}

/// What a drive waits for.
pub(super) enum Arrival {
    /// A request was answered.
    Answer(Answer),
    /// What was sent about a step in an earlier turn can't take effect any more: the step is no longer busy.
    WaitedOut(StepName),
}

impl Drive<'_> {
    /// Takes in the next answer, and those that come right after it: one save then covers them all.
    pub(super) async fn gather(&mut self) {
        let Some(arrival) = self.in_flight.next().await else { return };
        self.arrived(arrival);
        let clock = Arc::clone(&self.reconciler.world.clock);
        let mut patience = clock.sleep_until(later(self.now(), self.reconciler.settings.gather));
        while !self.in_flight.is_empty() {
            tokio::select! {
                biased;
                Some(arrival) = self.in_flight.next() => self.arrived(arrival),
                () = &mut patience => return,
            }
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Answer(answer) => self.answered(answer),
            Arrival::WaitedOut(name) => _ = self.busy.remove(&name),
        }
    }

    fn answered(&mut self, Answer { name, turn, mut event, mutating }: Answer) {
        let now = self.now();
        if let Event::Failed(failure) = &mut event
            && failure.cause.class == FailureClass::Ambiguous
            && mutating
        {
            // It may still take effect; nothing else may be sent about this step until that is over.
            let life = self.reconciler.settings.request_life;
            failure.retry_after = Some(life);
            let until = later(now, life);
            self.tenant.stay_unsure_until(until);
            if self.wait_out(&name, turn, until) {
                return;
            }
        }
        self.busy.remove(&name);
        Self::count_unknown(&event);
        let shows_it = matches!(
            &event,
            Event::Observed(Observation::Wanted(Comparison::Matches(_) | Comparison::Immutable(_), _))
        );
        let before = if shows_it { self.found(&name) } else { None };
        for event in before.into_iter().chain([event]) {
            // A question that failed has told nothing but how long to wait. Everybody may ask, so if another one saved
            // first, its own failure is on record: those of ten who asked together are not ten in a row.
            let in_vain = matches!(&event, Event::Failed(failure) | Event::Unanswered(failure)
                if failure.retry_after.is_none());
            if mutating || !in_vain {
                self.unsaved.push((name.clone(), turn, event.clone()));
            }
            self.take_in(&name, turn, event, now);
        }
    }

    /// A step that has begun anew since something was sent about it stays busy until that can't take effect any more:
    /// a look before would not show it, and it could undo what the new wish asks for. `false` in the same turn, where
    /// the step itself waits.
    pub(super) fn wait_out(&mut self, name: &StepName, turn: u32, until: Timestamp) -> bool {
        let anew = self.tenant.steps().get(name).is_some_and(|record| record.turn != turn);
        if !anew {
            return false;
        }
        self.busy.insert(name.clone());
        let (name, clock) = (name.clone(), Arc::clone(&self.reconciler.world.clock));
        let mut told_to_leave = self.reconciler.winding_down.subscribe();
        self.in_flight.push(Box::pin(async move {
            // Whoever leaves keeps the lease until then, so that the next one waits in its place.
            tokio::select! {
                biased;
                () = clock.sleep_until(until) => {}
                _ = told_to_leave.wait_for(|told| *told) => {}
            }
            Arrival::WaitedOut(name)
        }));
        true
    }

    /// The steps about which something was sent that may still take effect, with their turns, and until when.
    pub(super) fn unsure(&self, now: Timestamp) -> Vec<(StepName, u32, Timestamp)> {
        let ambiguous = |(name, record): (&StepName, &StepRecord)| match &record.state {
            StepState::Backoff { until, cause, .. }
                if cause.class == FailureClass::Ambiguous && *until > now =>
            {
                Some((name.clone(), record.turn, *until))
            }
            StepState::Waiting(_)
            | StepState::Writing(_)
            | StepState::Settling { .. }
            | StepState::Backoff { .. }
            | StepState::Ready(_)
            | StepState::Halted { .. }
            | StepState::Gone(_) => None,
        };
        self.tenant.steps().iter().filter_map(ambiguous).collect()
    }

    /// What is there without a write on record is remembered all the same, so that it will be removed with the rest.
    fn found(&self, name: &StepName) -> Option<Event> {
        let record = self.tenant.steps().get(name).filter(|record| record.target.is_none())?;
        let target = self.rendered.get(&(name.clone(), record.turn))?.target();
        (record.kind != Kind::Check).then_some(Event::Found { target })
    }

    pub(super) fn take_in(&mut self, name: &StepName, turn: u32, event: Event, now: Timestamp) {
        let before = self.tenant.steps().get(name).map(|record| record.state.clone());
        let policy = &self.reconciler.settings.policy;
        let late = event.retry_after().map(|_| event.clone());
        match engine::apply(
            &mut self.tenant,
            &mut self.sight,
            StepEvent { step: name, turn, event },
            policy,
            now,
        ) {
            Ok(change) => {
                self.change = self.change.max(change);
                self.count_step(name, before, now);
            }
            // The wish has changed since the question was asked; the answer is about something else now.
            Err(error) => {
                tracing::debug!(tenant.id = %self.tenant.id, error = %error, "an answer came too late");
                if let Some(event) = late {
                    let change = engine::hold_off(&mut self.tenant, name, &event, policy, now);
                    self.change = self.change.max(change);
                }
            }
        }
    }
}
