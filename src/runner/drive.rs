//! One drive of one tenant: load, decide, save, act, take in, until it is settled or has to wait long.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;

use super::{Progress, Runner, announce, effects, lease::Claim};
use crate::{
    announce::Teller,
    blueprint::Kind,
    engine::{self, Act, Change, Decision, Event, Outcome, Seen, Sight},
    ids::{StepName, TenantId},
    ports::{ETag, StoreError, Stored},
    steps::{self, Failure, Remains, Request, Step, Verdict},
    tenant::{Cause, FailureClass, Poll, StepState, Tenant},
};

/// An answer: which step, in which turn it was asked, what happened, and whether it was a look.
struct Answer {
    name: StepName,
    turn: u32,
    event: Event,
    mutating: bool,
}

pub(super) struct Drive<'a> {
    runner: &'a Runner,
    claim: Claim,
    tenant: Tenant,
    etag: ETag,
    sight: Sight,
    in_flight: FuturesUnordered<BoxFuture<'static, Answer>>,
    busy: BTreeSet<StepName>,
    /// Steps rendered in this drive, so that looking and writing use the same.
    rendered: BTreeMap<StepName, Arc<dyn Step>>,
    /// Answers since the last save, to be taken in again if somebody else saved first.
    unsaved: Vec<(StepName, u32, Event)>,
    change: Change,
    /// The number of the last notice that is durable.
    durable_notices: u64,
    deadline: Timestamp,
}

impl<'a> Drive<'a> {
    pub(super) async fn run(runner: &'a Runner, id: &TenantId) -> Result<Progress, StoreError> {
        let Some(Stored { value: mut tenant, etag }) = runner.world.store.load(id).await? else {
            return Ok(Progress::Unknown);
        };
        let now = runner.world.clock.now();
        let deadline = later(now, runner.settings.budget);
        match tenant.due_at {
            None => return Ok(Progress::Settled(tenant.status)),
            // A wake-up that comes early changes nothing: whoever parked it has asked for the right one.
            Some(due) if due > deadline && tenant.lease.is_none() => return Ok(Progress::Parked(due)),
            Some(_) => {}
        }
        let number = runner.drives.fetch_add(1, Ordering::Relaxed);
        let holder = format!("{}/{number}", runner.name);
        let claim = match Claim::take(&mut tenant, holder, &runner.settings, now) {
            Ok(claim) => claim,
            Err(until) => return Ok(Progress::Held(until)),
        };
        let durable_notices = tenant.numbered;
        let mut drive = Self {
            runner,
            claim,
            tenant,
            etag,
            sight: Sight::new(),
            in_flight: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            rendered: BTreeMap::new(),
            unsaved: Vec::new(),
            change: Change::None,
            durable_notices,
            deadline,
        };
        engine::begin(&mut drive.tenant, now);
        drive.carry_on().await
    }

    async fn carry_on(&mut self) -> Result<Progress, StoreError> {
        loop {
            let now = self.now();
            let decision = engine::decide(&self.tenant, &self.sight, &self.busy, now);
            let Decision { acts, next, outcome } = decision;
            if !acts.is_empty() {
                if let Some(until) = self.act(acts).await? {
                    return Ok(Progress::Held(until));
                }
            } else if !self.in_flight.is_empty() {
                self.gather().await;
            } else if let Some(outcome) = outcome {
                if let Some(progress) = self.finish(outcome).await? {
                    return Ok(progress);
                }
            } else if let Some(next) = next {
                if next <= self.deadline {
                    self.runner.world.clock.sleep_until(next).await;
                } else if let Some(progress) = self.park(next).await? {
                    return Ok(progress);
                }
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.runner.world.clock.now()
    }

    /// Performs acts. Intents and poll URLs are saved first; if somebody else saved before us, nothing is sent and
    /// the caller decides anew. `Some` if another worker has taken over.
    async fn act(&mut self, acts: BTreeMap<StepName, Act>) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        let seen: BTreeMap<StepName, Seen> = acts
            .iter()
            .filter(|(_, act)| matches!(act, Act::Write | Act::Erase))
            .filter_map(|(name, _)| Some((name.clone(), self.sight.get(name)?.clone())))
            .collect();
        let mut ready = BTreeMap::new();
        for (name, act) in acts {
            if let Some(prepared) = self.prepare(&name, act, now) {
                ready.insert(name, prepared);
            }
        }
        let effects =
            ready.values().any(|prepared| matches!(prepared, Prepared::Write(_) | Prepared::Erase(_)));
        let polls = ready.values().any(|prepared| matches!(prepared, Prepared::Poll(_)));
        if (effects || (polls && self.change == Change::Major)) && !self.save().await? {
            return self.overtaken().await;
        }
        if effects && !Claim::covers_a_request(&self.tenant, &self.runner.settings, self.now()) {
            // The save took so long that the lease is nearly over. Looking again is always safe.
            return Ok(None);
        }
        for (name, prepared) in ready {
            let seen = seen.get(&name).cloned();
            self.send(name, prepared, seen);
        }
        Ok(None)
    }

    /// What an act needs, with its intent recorded; `None` if the step's texts can't be rendered.
    fn prepare(&mut self, name: &StepName, act: Act, now: Timestamp) -> Option<Prepared> {
        let record = self.tenant.steps.get(name)?;
        let prepared = if record.doomed {
            let target = record.target.clone().unwrap_or_default();
            match steps::remains(record.kind, &target, &record.outputs) {
                Ok(remains) => match (act, record.state.operation().cloned()) {
                    (Act::Poll, Some(operation)) => Prepared::Poll(operation),
                    (Act::Erase, _) => Prepared::Erase(Arc::from(remains)),
                    (Act::Look | Act::Write | Act::Poll, _) => Prepared::Search(Arc::from(remains)),
                },
                Err(failure) => return self.fail(name, failure, now),
            }
        } else {
            match (act, record.state.operation().cloned()) {
                (Act::Poll, Some(operation)) => Prepared::Poll(operation),
                (Act::Write, _) => match self.step(name) {
                    Ok(step) => Prepared::Write(step),
                    Err(failure) => return self.fail(name, failure, now),
                },
                (Act::Look | Act::Erase | Act::Poll, _) => match self.step(name) {
                    Ok(step) => Prepared::Look(step),
                    Err(failure) => return self.fail(name, failure, now),
                },
            }
        };
        let target = match &prepared {
            Prepared::Write(step) => Some(step.target()),
            Prepared::Erase(_) => None,
            Prepared::Look(_) | Prepared::Search(_) | Prepared::Poll(_) => return Some(prepared),
        };
        let turn = self.tenant.steps.get(name)?.turn;
        self.take_in(name, turn, Event::Began { target }, now);
        Some(prepared)
    }

    fn fail(&mut self, name: &StepName, failure: Failure, now: Timestamp) -> Option<Prepared> {
        let turn = self.tenant.steps.get(name)?.turn;
        self.take_in(name, turn, Event::Failed(failure), now);
        None
    }

    /// The step as it is to be, rendered once per drive and plan.
    fn step(&mut self, name: &StepName) -> Result<Arc<dyn Step>, Failure> {
        if let Some(step) = self.rendered.get(name) {
            return Ok(Arc::clone(step));
        }
        let broken = |why: String| Cause::ours(FailureClass::Permanent, "bad-expression", why);
        let planned = self.tenant.plan.steps.get(name);
        let planned = planned.ok_or_else(|| broken("the plan has no such step".to_owned()))?;
        let fields = self
            .tenant
            .plan
            .render(name, &self.tenant.outputs())
            .map_err(|error| broken(error.to_string()))?;
        let step: Arc<dyn Step> = Arc::from(steps::step(planned, &fields)?);
        self.rendered.insert(name.clone(), Arc::clone(&step));
        Ok(step)
    }

    fn send(&mut self, name: StepName, prepared: Prepared, seen: Option<Seen>) {
        let Some(record) = self.tenant.steps.get(&name) else { return };
        let (turn, wire) = (record.turn, Arc::clone(&self.runner.world.wire));
        let remedy = self.remedy(&name, &record.state);
        let mutating = matches!(prepared, Prepared::Write(_) | Prepared::Erase(_));
        self.busy.insert(name.clone());
        self.in_flight.push(Box::pin(async move {
            let event = match (prepared, seen) {
                (Prepared::Look(step), _) => effects::look(wire, step, remedy).await,
                (Prepared::Search(remains), _) => effects::search(wire, remains).await,
                (Prepared::Poll(operation), _) => effects::poll(wire, operation).await,
                (Prepared::Write(step), Some(Seen::Wanted(_, resource))) => {
                    effects::write(wire, step, resource).await
                }
                (Prepared::Write(step), _) => effects::write(wire, step, None).await,
                (Prepared::Erase(remains), Some(Seen::Unwanted(trace))) => {
                    effects::erase(wire, remains, trace).await
                }
                (Prepared::Erase(remains), _) => effects::search(wire, remains).await,
            };
            Answer { name, turn, event, mutating }
        }));
    }

    /// What has to be done before a step is tried again; so far only registering a resource provider.
    fn remedy(&self, name: &StepName, state: &StepState) -> Option<Request> {
        let StepState::Backoff { cause, .. } = state else { return None };
        let planned =
            self.tenant.plan.steps.get(name).filter(|_| cause.class == FailureClass::NeedsProvider)?;
        effects::register_provider(planned.fields.get("id")?.as_str()?)
    }

    /// Takes in the next answer, and those that come right after it: one save then covers them all.
    async fn gather(&mut self) {
        let Some(answer) = self.in_flight.next().await else { return };
        self.answered(answer);
        let clock = Arc::clone(&self.runner.world.clock);
        let mut patience = clock.sleep_until(later(self.now(), self.runner.settings.gather));
        while !self.in_flight.is_empty() {
            tokio::select! {
                biased;
                Some(answer) = self.in_flight.next() => self.answered(answer),
                () = &mut patience => return,
            }
        }
    }

    fn answered(&mut self, Answer { name, turn, mut event, mutating }: Answer) {
        let now = self.now();
        self.busy.remove(&name);
        if let Event::Failed(failure) = &mut event
            && failure.cause.class == FailureClass::Ambiguous
            && mutating
        {
            // It may still take effect; nothing else may be sent about this step until that is over.
            let life = self.runner.settings.request_life;
            failure.retry_after = Some(life);
            let until = later(now, life);
            self.tenant.unsure_until = self.tenant.unsure_until.max(Some(until));
        }
        let found = match &event {
            Event::Seen(Seen::Wanted(Verdict::Matches(_), _)) => self.found(&name),
            Event::Seen(_)
            | Event::Began { .. }
            | Event::Found { .. }
            | Event::Written
            | Event::Running { .. }
            | Event::Failed(_) => None,
        };
        for event in found.into_iter().chain([event]) {
            self.unsaved.push((name.clone(), turn, event.clone()));
            self.take_in(&name, turn, event, now);
        }
    }

    /// What is there without a write on record is remembered all the same, so that it will be removed with the rest.
    fn found(&self, name: &StepName) -> Option<Event> {
        let record = self.tenant.steps.get(name).filter(|record| record.target.is_none())?;
        let target = self.rendered.get(name)?.target();
        (record.kind != Kind::Check).then_some(Event::Found { target })
    }

    fn take_in(&mut self, name: &StepName, turn: u32, event: Event, now: Timestamp) {
        let policy = &self.runner.settings.policy;
        match engine::apply(&mut self.tenant, &mut self.sight, name, turn, event, policy, now) {
            Ok(change) => self.change = self.change.max(change),
            // The wish has changed since the question was asked; the answer is about something else now.
            Err(error) => {
                tracing::debug!(tenant.id = %self.tenant.id, error = %error, "an answer came too late");
            }
        }
    }

    /// Saves and goes on: the lease lasts its full length from now. `false` if somebody else saved first.
    async fn save(&mut self) -> Result<bool, StoreError> {
        let now = self.now();
        if self.tenant.lease.is_some() && self.claim.is_in(&self.tenant) {
            self.claim.extend(&mut self.tenant, &self.runner.settings, now);
        }
        self.put().await
    }

    /// Saves the document as it is; `false` if somebody else saved first.
    async fn put(&mut self) -> Result<bool, StoreError> {
        self.tenant.updated_at = self.now();
        match self.runner.world.store.save(&self.tenant, Some(&self.etag)).await {
            Ok(etag) => {
                self.etag = etag;
                self.unsaved.clear();
                self.change = Change::None;
                self.durable_notices = self.tenant.numbered;
                Ok(true)
            }
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Somebody else saved first: a request changed the wish, or another worker took over. In the first case what we
    /// have learnt since our last save is taken in again; in the second we leave.
    async fn overtaken(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        let Some(Stored { value, etag }) = self.runner.world.store.load(&self.tenant.id).await? else {
            return Ok(Some(now));
        };
        let ours = self.claim.is_in(&value);
        let unsure = self.tenant.unsure_until;
        (self.tenant, self.etag) = (value, etag);
        self.durable_notices = self.tenant.numbered;
        self.sight.clear();
        self.rendered.clear();
        self.change = Change::None;
        if !ours {
            match Claim::take(&mut self.tenant, self.claim.holder.clone(), &self.runner.settings, now) {
                Ok(claim) => self.claim = claim,
                Err(until) => return Ok(Some(until)),
            }
        }
        engine::begin(&mut self.tenant, now);
        self.tenant.unsure_until = self.tenant.unsure_until.max(unsure);
        for (name, turn, event) in self.unsaved.clone() {
            self.take_in(&name, turn, event, now);
        }
        Ok(None)
    }

    /// The work is done or halted: the outcome is saved, then told, then struck from the outbox.
    async fn finish(&mut self, outcome: Outcome) -> Result<Option<Progress>, StoreError> {
        let now = self.now();
        let exports = match &outcome {
            Outcome::Ready => match self.tenant.plan.exports(&self.tenant.outputs()) {
                Ok(exports) => exports,
                Err(error) => {
                    tracing::error!(tenant.id = %self.tenant.id, error = %error, "exports can't be evaluated");
                    BTreeMap::new()
                }
            },
            Outcome::Removed | Outcome::Halted(_) => BTreeMap::new(),
        };
        if !self.tenant.operations.is_empty() {
            engine::conclude(&mut self.tenant, &outcome, exports, now);
        }
        if !self.save().await? {
            return Ok(self.overtaken().await?.map(Progress::Held));
        }
        self.tell_and_leave(None).await
    }

    /// Nothing can be done for a while: the state is saved, what is durable is told, and a wake-up is asked for.
    async fn park(&mut self, next: Timestamp) -> Result<Option<Progress>, StoreError> {
        self.tell_and_leave(Some(next)).await
    }

    async fn tell_and_leave(&mut self, next: Option<Timestamp>) -> Result<Option<Progress>, StoreError> {
        let durable = self.durable_notices;
        let (told, kept): (Vec<_>, Vec<_>) =
            self.tenant.notices.iter().cloned().partition(|notice| notice.number <= durable);
        let deployment = &self.runner.settings.deployment;
        let mut due = next;
        if announce(&self.runner.world, deployment, Teller::Tenant(&self.tenant.id), &told).await {
            self.tenant.notices = kept;
        }
        let now = self.now();
        if due.is_none() && !self.tenant.notices.is_empty() {
            due = Some(later(now, self.runner.tell_again_after()));
        }
        self.tenant.due_at = due;
        Claim::release(&mut self.tenant, &self.runner.settings, now);
        if !self.put().await? {
            return Ok(self.overtaken().await?.map(Progress::Held));
        }
        let Some(at) = self.tenant.due_at else { return Ok(Some(Progress::Settled(self.tenant.status))) };
        if let Err(failure) = self.runner.world.alarm.wake(&self.tenant.id, at).await {
            tracing::warn!(tenant.id = %self.tenant.id, error = %failure, "no wake-up was scheduled; the sweep will do");
        }
        Ok(Some(Progress::Parked(at)))
    }
}

/// What an act needs.
enum Prepared {
    Look(Arc<dyn Step>),
    Write(Arc<dyn Step>),
    Search(Arc<dyn Remains>),
    Erase(Arc<dyn Remains>),
    Poll(Poll),
}

fn later(now: Timestamp, span: std::time::Duration) -> Timestamp {
    now.saturating_add(span).unwrap_or(Timestamp::MAX)
}
