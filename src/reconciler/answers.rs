//! Waits for answers: those to the pass's requests, and the time after which earlier requests can no longer take
//! effect.

use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tenantry_core::{
    blueprint::Kind,
    engine::{self, Event, Observation, StepEvent},
    ids::StepName,
    steps::Comparison,
    tenant::{FailureClass, StepRecord, StepState},
    time::saturating_add,
};

use super::pass::Pass;

/// An answer to a request about a step: the step's name, its generation when the request was sent, the event that the
/// answer means, and whether the request was a write or a delete.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) name: StepName,
    pub(super) generation: u32,
    pub(super) event: Event,
    pub(super) mutating: bool,
}

impl Answer {
    /// Whether the answer is that of a failed read, which shows only how long to wait. It must not be counted as a
    /// further failure after another worker saved first: ten workers that read at the same time are not ten failures in
    /// a row.
    pub(super) fn is_failed_read(&self) -> bool {
        !self.mutating && matches!(self.event, Event::Failed(_) | Event::Unanswered(_))
    }
}

/// What a pass waits for.
pub(super) enum Arrival {
    /// A request was answered.
    Answer(Answer),
    /// No request that was sent about this step in an earlier generation can take effect any more, so the step is no
    /// longer busy.
    WaitedOut(StepName),
}

impl Pass<'_> {
    /// Takes in the next answer, and those that arrive right after it, so that one save covers them all.
    pub(super) async fn gather(&mut self) {
        let Some(arrival) = self.in_flight.next().await else { return };
        self.arrived(arrival);
        let clock = Arc::clone(&self.reconciler.ports.clock);
        let mut gathered = clock.sleep_until(saturating_add(self.now(), self.reconciler.settings.gather));
        while !self.in_flight.is_empty() {
            tokio::select! {
                biased;
                Some(arrival) = self.in_flight.next() => self.arrived(arrival),
                () = &mut gathered => return,
            }
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Answer(answer) => self.answered(answer),
            Arrival::WaitedOut(name) => _ = self.busy.remove(&name),
        }
    }

    fn answered(&mut self, Answer { name, generation, mut event, mutating }: Answer) {
        let now = self.now();
        if let Event::Failed(failure) = &mut event
            && failure.cause.class == FailureClass::Ambiguous
            && mutating
        {
            // The request may still take effect, so nothing else may be sent about this step until it no longer can.
            let life = self.reconciler.settings.request_life;
            failure.retry_after = Some(life);
            let until = saturating_add(now, life);
            self.tenant.stay_unsure_until(until);
            if self.wait_out(&name, generation, until) {
                return;
            }
        }
        self.busy.remove(&name);
        Self::count_unknown(&event);
        let shows_it = matches!(
            &event,
            Event::Observed(Observation::Compared(Comparison::Matches(_) | Comparison::Immutable { .. }, _))
        );
        let before = if shows_it { self.found(&name) } else { None };
        for event in before.into_iter().chain([event]) {
            self.unsaved.push(Answer { name: name.clone(), generation, event: event.clone(), mutating });
            self.take_in(&name, generation, event, now);
        }
    }

    /// Keeps a restarted step busy until `until`, when requests of its earlier `generation` can't take effect any more.
    /// A read before that would not show their effect, which could undo what the new desired state requires. Returns
    /// `false` if the step was not restarted; then its own state waits.
    pub(super) fn wait_out(&mut self, name: &StepName, generation: u32, until: Timestamp) -> bool {
        let restarted = self.tenant.steps().get(name).is_some_and(|record| record.generation != generation);
        if !restarted {
            return false;
        }
        self.busy.insert(name.clone());
        let (name, clock) = (name.clone(), Arc::clone(&self.reconciler.ports.clock));
        let mut drain_requested = self.reconciler.draining.subscribe();
        self.in_flight.push(Box::pin(async move {
            // A draining worker keeps the lease until then, so that the next worker waits too.
            tokio::select! {
                biased;
                () = clock.sleep_until(until) => {}
                _ = drain_requested.wait_for(|draining| *draining) => {}
            }
            Arrival::WaitedOut(name)
        }));
        true
    }

    /// The steps with unanswered requests that may still take effect: name, generation, and until when.
    pub(super) fn unsure(&self, now: Timestamp) -> Vec<(StepName, u32, Timestamp)> {
        let ambiguous = |(name, record): (&StepName, &StepRecord)| match &record.state {
            StepState::Backoff { until, cause, .. }
                if cause.class == FailureClass::Ambiguous && *until > now =>
            {
                Some((name.clone(), record.generation, *until))
            }
            StepState::Waiting(_)
            | StepState::Writing(_)
            | StepState::InProgress { .. }
            | StepState::Backoff { .. }
            | StepState::Ready(_)
            | StepState::Blocked { .. }
            | StepState::Deleted(_) => None,
        };
        self.tenant.steps().iter().filter_map(ambiguous).collect()
    }

    /// The event that records an object of which no write is on record, so that removal deletes it too. `None` if the
    /// step's record already has a deletion record, and for checks.
    fn found(&self, name: &StepName) -> Option<Event> {
        let record = self.tenant.steps().get(name).filter(|record| record.target.is_none())?;
        let target = self.rendered.get(&(name.clone(), record.generation))?.target();
        (record.kind != Kind::Check).then_some(Event::Found { target })
    }

    pub(super) fn take_in(&mut self, name: &StepName, generation: u32, event: Event, now: Timestamp) {
        let before = self.tenant.steps().get(name).map(|record| record.state.clone());
        let policy = &self.reconciler.settings.policy;
        let late = event.retry_after().map(|_| event.clone());
        match engine::apply(
            &mut self.tenant,
            &mut self.discrepancies,
            StepEvent { step: name, generation, event },
            policy,
            now,
        ) {
            Ok(change) => {
                self.change = self.change.max(change);
                self.count_step(name, before, now);
            }
            // The desired state has changed since the request was sent; the answer is about another one.
            Err(error) => {
                tracing::debug!(tenant.id = %self.tenant.id, error = %error, "an answer arrived too late");
                if let Some(event) = late {
                    let change = engine::hold_off(&mut self.tenant, name, &event, policy, now);
                    self.change = self.change.max(change);
                }
            }
        }
    }
}
