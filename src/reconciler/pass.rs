//! One reconcile pass over one tenant: load, decide, save, act, apply, until it is settled or has to wait long.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use futures_util::{future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use tenantry_core::{
    engine::{self, Change, Decision, Discrepancies, Event, Outcome},
    ids::{StepName, TenantId},
    steps::{Failure, Step},
    tenant::{self, Cause, EventOrigin, FailureClass, OutboxEntry, Proven, Tenant},
    time::saturating_add,
};

use super::{
    Progress, Reconciler,
    answers::{Answer, Arrival},
    lease::LeaseGuard,
    publish, spans,
};
use crate::{
    ports::{ETag, StoreError, Stored},
    telemetry::Trace,
};

pub(super) struct Pass<'a> {
    pub(super) reconciler: &'a Reconciler,
    pub(super) lease_guard: LeaseGuard,
    pub(super) tenant: Tenant,
    pub(super) etag: ETag,
    pub(super) discrepancies: Discrepancies,
    pub(super) in_flight: FuturesUnordered<BoxFuture<'static, Arrival>>,
    pub(super) busy: BTreeSet<StepName>,
    /// The steps that this pass has rendered, by name and generation, so that a read and a write use the same
    /// rendering.
    pub(super) rendered: BTreeMap<(StepName, u32), Arc<dyn Step>>,
    /// Answers since the last save, to be applied again if another writer saved first.
    pub(super) unsaved: Vec<Answer>,
    pub(super) change: Change,
    /// The number of the last durable outbox entry.
    pub(super) durable_outbox: u64,
    pub(super) deadline: Timestamp,
    /// From this instant on nothing more is started.
    leave_at: Timestamp,
    /// The trace of the request that the work is done for, as recorded with it; `None` if there is none.
    home: Option<Trace>,
}

impl<'a> Pass<'a> {
    pub(super) async fn run(
        reconciler: &'a Reconciler,
        id: &TenantId,
        leave_at: Timestamp,
    ) -> Result<Progress, StoreError> {
        let Some(Stored { value: mut tenant, etag }) = reconciler.ports.store.load(id).await? else {
            return Ok(Progress::Unknown);
        };
        let now = reconciler.ports.clock.now();
        let deadline = saturating_add(now, reconciler.settings.budget).min(leave_at);
        match tenant.due_at {
            None => return Ok(Progress::Settled(tenant.status)),
            // A wake-up that comes early changes nothing: the right one was scheduled when the tenant was requeued.
            Some(due) if due > deadline && tenant.lease().is_none() => return Ok(Progress::Requeued(due)),
            Some(_) => {}
        }
        let home = spans::home(&tenant);
        let mut span = spans::pass(&tenant, home);
        let number = reconciler.passes.fetch_add(1, Ordering::Relaxed);
        let holder = format!("{}/{number}", reconciler.name);
        let lease_guard = match LeaseGuard::take(&mut tenant, holder, &reconciler.settings, now) {
            Ok(lease_guard) => lease_guard,
            Err(until) => return Ok(Progress::Held(until)),
        };
        let durable_outbox = tenant.numbered();
        let mut pass = Self {
            reconciler,
            lease_guard,
            tenant,
            etag,
            discrepancies: Discrepancies::new(),
            in_flight: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            rendered: BTreeMap::new(),
            unsaved: Vec::new(),
            change: Change::None,
            durable_outbox,
            deadline,
            leave_at,
            home,
        };
        engine::begin(&mut pass.tenant, now);
        let ended = span.around(pass.carry_on()).await;
        spans::reconciled(&mut span, ended.as_ref());
        ended
    }

    async fn carry_on(&mut self) -> Result<Progress, StoreError> {
        loop {
            let now = self.now();
            let decision = engine::decide(&self.tenant, &self.discrepancies, &self.busy, now);
            let Decision { acts, next, outcome } = decision;
            let leaving = self.reconciler.is_draining() || now >= self.leave_at;
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
                        () = self.reconciler.ports.clock.sleep_until(next) => {}
                        () = self.reconciler.drain_requested() => {}
                    }
                } else if let Some(progress) = self.requeue(next).await? {
                    return Ok(progress);
                }
            }
        }
    }

    /// Whether the lease still covers a request at the time `at`. If not, a worker that waits in place first saves its
    /// results with a renewed lease; otherwise the next worker would have to repeat all of the work, and wait as long.
    fn stays_ours(&self, at: Timestamp) -> bool {
        LeaseGuard::covers_a_request(&self.tenant, &self.reconciler.settings, at)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.reconciler.ports.clock.now()
    }

    /// Saves the document with the lease renewed for its full length; `false` if another writer saved first.
    pub(super) async fn save(&mut self) -> Result<bool, StoreError> {
        let now = self.now();
        if self.lease_guard.is_in(&self.tenant) {
            LeaseGuard::extend(&mut self.tenant, &self.reconciler.settings, now);
        }
        self.put().await
    }

    /// Saves the document as it is; `false` if another writer saved first.
    ///
    /// This is not `StateStore::update`: after another writer's save the reason for this save may no longer exist, so
    /// it must not be repeated on the newer document. It is checked whether the lease is still ours; then everything is
    /// decided again.
    async fn put(&mut self) -> Result<bool, StoreError> {
        self.tenant.updated_at = self.now();
        match self.reconciler.ports.store.save(&self.tenant, Some(&self.etag)).await {
            Ok(etag) => {
                self.etag = etag;
                self.unsaved.clear();
                self.change = Change::None;
                self.durable_outbox = self.tenant.numbered();
                Ok(true)
            }
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Loads the document again after another writer saved first. If a request has changed the desired state, the
    /// answers since our last save are applied again. If another worker has taken over, returns until when it holds the
    /// lease, and the pass ends.
    pub(super) async fn overtaken(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        let Some(Stored { value, etag }) = self.reconciler.ports.store.load(&self.tenant.id).await? else {
            return Ok(Some(now));
        };
        let ours = self.lease_guard.is_in(&value);
        let (unsure, unsure_steps) = (self.tenant.unsure_until(), self.unsure(now));
        let past = std::mem::replace(&mut self.tenant, value);
        self.etag = etag;
        engine::outrun(&mut self.tenant, &past);
        self.durable_outbox = self.tenant.numbered();
        self.discrepancies.clear();
        self.rendered.clear();
        self.change = Change::None;
        if !ours {
            match LeaseGuard::take(
                &mut self.tenant,
                self.lease_guard.holder.clone(),
                &self.reconciler.settings,
                now,
            ) {
                Ok(lease_guard) => self.lease_guard = lease_guard,
                Err(until) => return Ok(Some(until)),
            }
        }
        engine::begin(&mut self.tenant, now);
        unsure.into_iter().for_each(|until| self.tenant.stay_unsure_until(until));
        for answer in self.unsaved.clone() {
            let is_failed_read = answer.is_failed_read();
            let Answer { name, generation, event, .. } = answer;
            if is_failed_read || matches!(event, Event::Proved(_)) {
                engine::hold_off(&mut self.tenant, &name, &event, &self.reconciler.settings.policy, now);
            }
            // A proof is only about the desired state for which it was made. That may have changed without a new
            // generation of the step.
            let event = if let Event::Proved(proven) = event { unproved(*proven) } else { Some(event) };
            if let Some(event) = event.filter(|_| !is_failed_read) {
                self.take_in(&name, generation, event, now);
            }
        }
        for (name, generation, until) in unsure_steps {
            self.wait_out(&name, generation, until);
        }
        Ok(None)
    }

    /// Ends the work, which is done or blocked: saves the outcome, publishes it, and removes it from the outbox. `None`
    /// if another writer saved first and the pass has to decide again.
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
            Outcome::Removed | Outcome::Blocked(_) => BTreeMap::new(),
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
        if let (true, Outcome::Blocked(causes)) = (news, &outcome) {
            self.log_block(causes);
        }
        self.count_operations(&ended, &outcome, now);
        self.publish_and_end(None).await
    }

    /// Logs the causes of a block. An alert queries this line (infra/modules/alerts.bicep).
    fn log_block(&self, causes: &BTreeMap<StepName, Cause>) {
        let why: Vec<String> = causes.iter().map(|(step, cause)| format!("{step}: {}", cause.code)).collect();
        let outcome = self.tenant.status.as_str();
        tracing::warn!(tenant.id = %self.tenant.id, outcome, why = why.join(", "), "an operation is blocked");
    }

    /// Ends the pass because nothing can be done until `next`: publishes durable events, saves the state, and schedules
    /// a wake-up.
    async fn requeue(&mut self, next: Timestamp) -> Result<Option<Progress>, StoreError> {
        self.publish_and_end(Some(next)).await
    }

    async fn publish_and_end(&mut self, next: Option<Timestamp>) -> Result<Option<Progress>, StoreError> {
        let durable = self.durable_outbox;
        let is_durable = |entry: &OutboxEntry| entry.number <= durable;
        let entries: Vec<_> =
            self.tenant.outbox().iter().filter(|entry| is_durable(entry)).cloned().collect();
        let deployment = &self.reconciler.settings.deployment;
        let mut due = next;
        if publish(&self.reconciler.ports, deployment, EventOrigin::Tenant(&self.tenant.id), &entries).await {
            self.tenant.strike(is_durable);
        }
        let now = self.now();
        if due.is_none()
            && let Some(oldest) = self.tenant.outbox().iter().map(|entry| entry.at).min()
        {
            due = Some(saturating_add(now, self.reconciler.retry_publish_after(oldest, now)));
        }
        self.tenant.due_at = due;
        LeaseGuard::release(&mut self.tenant, &self.reconciler.settings, now);
        if !self.put().await? {
            return Ok(self.overtaken().await?.map(Progress::Held));
        }
        let Some(at) = self.tenant.due_at else { return Ok(Some(Progress::Settled(self.tenant.status))) };
        // The next pass belongs to the request's trace, beside this pass and not below it.
        let wake_up = self.reconciler.ports.scheduler.schedule(&self.tenant.id, at);
        let scheduled = match self.home {
            Some(home) => home.scope(wake_up).await,
            None => wake_up.await,
        };
        if let Err(failure) = scheduled {
            tracing::warn!(tenant.id = %self.tenant.id, error = %failure, "no wake-up was scheduled; the sweep will reconcile the tenant");
        }
        Ok(Some(Progress::Requeued(at)))
    }
}

/// The event that a proof becomes after the desired state has changed: none if it is verified, the proof itself if it
/// is violated, and a failure that waits if it is inconclusive.
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
