//! One drive of one tenant: load, decide, save, act, take in, until it is settled or has to wait long.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use futures_util::{future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use tenantry_core::{
    engine::{self, Change, Decision, Event, Outcome, Sight},
    ids::{StepName, TenantId},
    steps::{Failure, Step},
    tenant::{self, Cause, FailureClass, Notice, Proven, Teller, Tenant},
    time::later,
};

use super::{Progress, Reconciler, announce, answers::Arrival, lease::Claim, tell};
use crate::{
    ports::{ETag, StoreError, Stored},
    telemetry::Trace,
};

pub(super) struct Drive<'a> {
    pub(super) reconciler: &'a Reconciler,
    pub(super) claim: Claim,
    pub(super) tenant: Tenant,
    pub(super) etag: ETag,
    pub(super) sight: Sight,
    pub(super) in_flight: FuturesUnordered<BoxFuture<'static, Arrival>>,
    pub(super) busy: BTreeSet<StepName>,
    /// Steps rendered in this drive, by turn, so that looking and writing use the same.
    pub(super) rendered: BTreeMap<(StepName, u32), Arc<dyn Step>>,
    /// Answers since the last save, to be taken in again if somebody else saved first.
    pub(super) unsaved: Vec<(StepName, u32, Event)>,
    pub(super) change: Change,
    /// The number of the last notice that is durable.
    pub(super) durable_notices: u64,
    pub(super) deadline: Timestamp,
    /// From when on nothing more is begun.
    leave_at: Timestamp,
    /// Where in a trace the work belongs, as the request said it.
    home: Option<Trace>,
}

impl<'a> Drive<'a> {
    pub(super) async fn run(
        reconciler: &'a Reconciler,
        id: &TenantId,
        leave_at: Timestamp,
    ) -> Result<Progress, StoreError> {
        let Some(Stored { value: mut tenant, etag }) = reconciler.world.store.load(id).await? else {
            return Ok(Progress::Unknown);
        };
        let now = reconciler.world.clock.now();
        let deadline = later(now, reconciler.settings.budget).min(leave_at);
        match tenant.due_at {
            None => return Ok(Progress::Settled(tenant.status)),
            // A wake-up that comes early changes nothing: whoever parked it has asked for the right one.
            Some(due) if due > deadline && tenant.lease().is_none() => return Ok(Progress::Parked(due)),
            Some(_) => {}
        }
        let home = tell::home(&tenant);
        let mut span = tell::drive(&tenant, home);
        let number = reconciler.drives.fetch_add(1, Ordering::Relaxed);
        let holder = format!("{}/{number}", reconciler.name);
        let claim = match Claim::take(&mut tenant, holder, &reconciler.settings, now) {
            Ok(claim) => claim,
            Err(until) => return Ok(Progress::Held(until)),
        };
        let durable_notices = tenant.numbered();
        let mut drive = Self {
            reconciler,
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
            leave_at,
            home,
        };
        engine::begin(&mut drive.tenant, now);
        let ended = span.around(drive.carry_on()).await;
        tell::driven(&mut span, ended.as_ref());
        ended
    }

    async fn carry_on(&mut self) -> Result<Progress, StoreError> {
        loop {
            let now = self.now();
            let decision = engine::decide(&self.tenant, &self.sight, &self.busy, now);
            let Decision { acts, next, outcome } = decision;
            let leaving = self.reconciler.is_winding_down() || now >= self.leave_at;
            if !acts.is_empty() && !leaving {
                if let Some(until) = self.act(acts).await? {
                    return Ok(Progress::Held(until));
                }
            } else if !self.in_flight.is_empty() {
                self.gather().await;
            } else if let Some(outcome) = outcome {
                if let Some(progress) = self.finish(outcome).await? {
                    return Ok(progress);
                }
            } else if let Some(next) = if acts.is_empty() { next } else { Some(now) } {
                if next <= self.deadline && !leaving {
                    if !self.stays_ours(next) && !self.save().await? {
                        if let Some(until) = self.overtaken().await? {
                            return Ok(Progress::Held(until));
                        }
                        continue;
                    }
                    tokio::select! {
                        biased;
                        () = self.reconciler.world.clock.sleep_until(next) => {}
                        () = self.reconciler.told_to_wind_down() => {}
                    }
                } else if let Some(progress) = self.park(next).await? {
                    return Ok(progress);
                }
            }
        }
    }

    /// Whether something can still be done under the lease at that time. Who waits in place saves what it has learnt before
    /// that ends, or whoever comes next would have to learn all of it again, and would have to wait as long.
    fn stays_ours(&self, at: Timestamp) -> bool {
        Claim::covers_a_request(&self.tenant, &self.reconciler.settings, at)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.reconciler.world.clock.now()
    }

    /// Saves and goes on: the lease lasts its full length from now. `false` if somebody else saved first.
    pub(super) async fn save(&mut self) -> Result<bool, StoreError> {
        let now = self.now();
        if self.claim.is_in(&self.tenant) {
            Claim::extend(&mut self.tenant, &self.reconciler.settings, now);
        }
        self.put().await
    }

    /// Saves the document as it is; `false` if somebody else saved first.
    ///
    /// This is not `StateStore::update`: what a save was for may be void once somebody else has saved, so it must not be made
    /// again on what is there then. Whether the lease is still ours is looked at first, and what to do is decided anew.
    async fn put(&mut self) -> Result<bool, StoreError> {
        self.tenant.updated_at = self.now();
        match self.reconciler.world.store.save(&self.tenant, Some(&self.etag)).await {
            Ok(etag) => {
                self.etag = etag;
                self.unsaved.clear();
                self.change = Change::None;
                self.durable_notices = self.tenant.numbered();
                Ok(true)
            }
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Somebody else saved first: a request changed the wish, or another worker took over. In the first case what we
    /// have learnt since our last save is taken in again; in the second we leave.
    pub(super) async fn overtaken(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        let Some(Stored { value, etag }) = self.reconciler.world.store.load(&self.tenant.id).await? else {
            return Ok(Some(now));
        };
        let ours = self.claim.is_in(&value);
        let (unsure, unsure_steps) = (self.tenant.unsure_until(), self.unsure(now));
        let past = std::mem::replace(&mut self.tenant, value);
        self.etag = etag;
        engine::outrun(&mut self.tenant, &past);
        self.durable_notices = self.tenant.numbered();
        self.sight.clear();
        self.rendered.clear();
        self.change = Change::None;
        if !ours {
            match Claim::take(&mut self.tenant, self.claim.holder.clone(), &self.reconciler.settings, now) {
                Ok(claim) => self.claim = claim,
                Err(until) => return Ok(Some(until)),
            }
        }
        engine::begin(&mut self.tenant, now);
        unsure.into_iter().for_each(|until| self.tenant.stay_unsure_until(until));
        for (name, turn, event) in self.unsaved.clone() {
            if let Event::Proved(_) = &event {
                engine::hold_off(&mut self.tenant, &name, &event, &self.reconciler.settings.policy, now);
            }
            // A proof speaks of the wish that it was made for, and another may have the same turn by now.
            let event = if let Event::Proved(proven) = event { unproved(*proven) } else { Some(event) };
            if let Some(event) = event {
                self.take_in(&name, turn, event, now);
            }
        }
        for (name, turn, until) in unsure_steps {
            self.wait_out(&name, turn, until);
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
        let version = self.tenant.version();
        let ended: Vec<_> =
            self.tenant.operations.iter().map(|operation| (operation.action, operation.started_at)).collect();
        if !ended.is_empty() {
            engine::conclude(&mut self.tenant, &outcome, exports, now);
        }
        let news = self.tenant.version() > version;
        if !self.save().await? {
            return Ok(self.overtaken().await?.map(Progress::Held));
        }
        if let (true, Outcome::Halted(causes)) = (news, &outcome) {
            self.log_halt(causes);
        }
        self.count_operations(&ended, &outcome, now);
        self.tell_and_leave(None).await
    }

    /// An alert asks for this line (infra/modules/alerts.bicep).
    fn log_halt(&self, causes: &BTreeMap<StepName, Cause>) {
        let why: Vec<String> = causes.iter().map(|(step, cause)| format!("{step}: {}", cause.code)).collect();
        let outcome = self.tenant.status.word();
        tracing::warn!(tenant.id = %self.tenant.id, outcome, why = why.join(", "), "an operation came to a halt");
    }

    /// Nothing can be done for a while: the state is saved, what is durable is told, and a wake-up is asked for.
    async fn park(&mut self, next: Timestamp) -> Result<Option<Progress>, StoreError> {
        self.tell_and_leave(Some(next)).await
    }

    async fn tell_and_leave(&mut self, next: Option<Timestamp>) -> Result<Option<Progress>, StoreError> {
        let durable = self.durable_notices;
        let is_durable = |notice: &Notice| notice.number <= durable;
        let told: Vec<_> =
            self.tenant.notices().iter().filter(|notice| is_durable(notice)).cloned().collect();
        let deployment = &self.reconciler.settings.deployment;
        let mut due = next;
        if announce(&self.reconciler.world, deployment, Teller::Tenant(&self.tenant.id), &told).await {
            self.tenant.strike(is_durable);
        }
        let now = self.now();
        if due.is_none()
            && let Some(oldest) = self.tenant.notices().iter().map(|notice| notice.at).min()
        {
            due = Some(later(now, self.reconciler.tell_again_after(oldest, now)));
        }
        self.tenant.due_at = due;
        Claim::release(&mut self.tenant, &self.reconciler.settings, now);
        if !self.put().await? {
            return Ok(self.overtaken().await?.map(Progress::Held));
        }
        let Some(at) = self.tenant.due_at else { return Ok(Some(Progress::Settled(self.tenant.status))) };
        // Whoever is woken goes on where the request was accepted, beside this drive and not below it.
        let wake = self.reconciler.world.alarm.wake(&self.tenant.id, at);
        let woken = match self.home {
            Some(home) => home.scope(wake).await,
            None => wake.await,
        };
        if let Err(failure) = woken {
            tracing::warn!(tenant.id = %self.tenant.id, error = %failure, "no wake-up was scheduled; the sweep will do");
        }
        Ok(Some(Progress::Parked(at)))
    }
}

/// What a proof of an earlier wish still says: not that anybody is proved, but that it did not come about and has to wait.
fn unproved(proven: Proven) -> Option<Event> {
    match proven.proof.verdict {
        tenant::IsolationVerdict::Verified => None,
        tenant::IsolationVerdict::Violated => Some(Event::Proved(Box::new(proven))),
        tenant::IsolationVerdict::Inconclusive => {
            let cause =
                Cause::ours(FailureClass::Wait, "isolation-inconclusive", proven.proof.reasons.join("; "));
            Some(Event::Failed(Failure { retry_after: proven.retry_after, ..cause.into() }))
        }
    }
}
