//! Performs acts: prepares what an act needs, saves the intent, then sends.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tenantry_core::{
    blueprint::{Guard, Kind, RenderError},
    engine::{Act, Change, Discrepancy, Event},
    ids::StepName,
    steps::{self, Comparison, Deletion, Failure, Request, Step},
    tenant::{Cause, FailureClass, Poll, StepState, Tenant},
};

use super::{
    answers::{Answer, Arrival},
    effects,
    guarded::{Guarded, refused},
    lease::LeaseGuard,
    pass::Pass,
    spans,
};
use crate::ports::{StoreError, Transport};

/// An act with what it needs.
enum Prepared {
    Read(Arc<dyn Step>),
    Write(Arc<dyn Step>),
    Search(Arc<dyn Deletion>),
    Delete(Arc<dyn Deletion>),
    Poll(Poll),
    /// The isolation check, with a copy of the tenant's document.
    Prove(Box<Tenant>),
}

impl Prepared {
    /// The act's name in spans.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "write",
            Self::Search(_) => "search",
            Self::Delete(_) => "delete",
            Self::Poll(_) => "poll",
            Self::Prove(_) => "prove",
        }
    }
}

impl Pass<'_> {
    /// Performs acts. Intents and poll URLs are saved first. If another writer saved before us, nothing is sent and the
    /// caller decides again. If another worker has taken over, returns until when it holds the lease.
    pub(super) async fn act(
        &mut self,
        acts: BTreeMap<StepName, Act>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        let findings: BTreeMap<StepName, Discrepancy> = acts
            .iter()
            .filter(|(_, act)| matches!(act, Act::Write | Act::Delete))
            .filter_map(|(name, _)| Some((name.clone(), self.discrepancies.get(name)?.clone())))
            .collect();
        let mut ready = BTreeMap::new();
        for (name, act) in acts {
            if let Some(prepared) = self.prepare(&name, act, now) {
                ready.insert(name, prepared);
            }
        }
        let effects =
            ready.values().any(|prepared| matches!(prepared, Prepared::Write(_) | Prepared::Delete(_)));
        let polls = ready.values().any(|prepared| matches!(prepared, Prepared::Poll(_)));
        if (effects || (polls && self.change == Change::Major)) && !self.save().await? {
            return self.overtaken().await;
        }
        if effects && !LeaseGuard::covers_a_request(&self.tenant, &self.reconciler.settings, self.now()) {
            // The save took so long that the lease is nearly over. Reading again is always safe.
            return Ok(None);
        }
        for (name, prepared) in ready {
            let finding = findings.get(&name).cloned();
            self.send(name, prepared, finding);
        }
        Ok(None)
    }

    /// Makes what an act needs, and records the intent of a write or delete. `None` if that fails; the failure is
    /// recorded.
    fn prepare(&mut self, name: &StepName, act: Act, now: Timestamp) -> Option<Prepared> {
        let generation = self.tenant.steps().get(name)?.generation;
        let prepared = match self.needed(name, act) {
            Ok(prepared) => prepared?,
            Err(failure) => {
                self.take_in(name, generation, Event::Failed(failure), now);
                return None;
            }
        };
        match &prepared {
            Prepared::Write(step) => {
                self.take_in(name, generation, Event::Began { target: Some(step.target()) }, now);
            }
            Prepared::Delete(_) => self.take_in(name, generation, Event::Began { target: None }, now),
            Prepared::Read(_) | Prepared::Search(_) | Prepared::Poll(_) | Prepared::Prove(_) => {}
        }
        Some(prepared)
    }

    fn needed(&mut self, name: &StepName, act: Act) -> Result<Option<Prepared>, Failure> {
        let Some(record) = self.tenant.steps().get(name) else { return Ok(None) };
        if let (Act::Poll, Some(operation)) = (act, record.state.operation()) {
            return Ok(Some(Prepared::Poll(operation.clone())));
        }
        if record.is_marked_for_deletion() {
            let target = record.target.clone().unwrap_or_default();
            let deletion = Arc::from(steps::deletion(record.kind, &target, &record.outputs)?);
            let deletes = act == Act::Delete;
            return Ok(Some(if deletes { Prepared::Delete(deletion) } else { Prepared::Search(deletion) }));
        }
        if record.kind == Kind::Isolation {
            return Ok(Some(Prepared::Prove(Box::new(self.tenant.clone()))));
        }
        let step = self.step(name)?;
        Ok(Some(if act == Act::Write { Prepared::Write(step) } else { Prepared::Read(step) }))
    }

    /// The rendered step. It is rendered once per pass and generation.
    fn step(&mut self, name: &StepName) -> Result<Arc<dyn Step>, Failure> {
        let record = self.tenant.steps().get(name);
        let key = (name.clone(), record.map(|record| record.generation).unwrap_or_default());
        if let Some(step) = self.rendered.get(&key) {
            return Ok(Arc::clone(step));
        }
        let plan = &self.tenant.plan;
        let planned = plan.steps.get(name).ok_or_else(|| invalid("the plan has no such step".to_owned()))?;
        let rendered = self.tenant.rendered(name).map_err(|error| match error {
            RenderError::Expression { .. } => invalid(error.to_string()),
            RenderError::Field(bad) => bad.into(),
        })?;
        // Values that were unknown when the plan was made are checked by the same rules now.
        if let Some(objection) = plan.at_hand().objections(&rendered).first() {
            return Err(refused(objection));
        }
        let recorded = record.map(|record| record.outputs.clone()).unwrap_or_default();
        let step: Arc<dyn Step> = Arc::from(steps::step(&rendered, &planned.outputs, &recorded)?);
        self.rendered.insert(key, Arc::clone(&step));
        Ok(step)
    }

    fn send(&mut self, name: StepName, prepared: Prepared, finding: Option<Discrepancy>) {
        let Some(record) = self.tenant.steps().get(&name) else { return };
        let generation = record.generation;
        let at_hand = Arc::clone(self.tenant.plan.at_hand());
        let guard = Guard::new(record.kind, record.is_marked_for_deletion(), at_hand);
        let transport: Arc<dyn Transport> =
            Arc::new(Guarded::new(Arc::clone(&self.reconciler.ports.transport), guard));
        let remedy = self.remedy(&name, &record.state);
        let (isolation_scanner, wait_budget) =
            (Arc::clone(&self.reconciler.isolation_scanner), self.reconciler.settings.lease * 4 / 5);
        let mutating = matches!(prepared, Prepared::Write(_) | Prepared::Delete(_));
        let mut span = spans::act(prepared.as_str(), &name, record);
        self.busy.insert(name.clone());
        let work = async move {
            match (prepared, finding) {
                (Prepared::Read(step), _) => effects::read(transport, step, remedy).await,
                (Prepared::Search(deletion), _) => effects::search(transport, deletion).await,
                (Prepared::Poll(operation), _) => effects::poll(transport, operation).await,
                (Prepared::Prove(tenant), _) => {
                    effects::prove(&isolation_scanner, &tenant, wait_budget).await
                }
                (Prepared::Write(step), Some(Discrepancy::Amiss(Comparison::SoftDeleted(id), _))) => {
                    effects::restore(transport, step, &id).await
                }
                (
                    Prepared::Write(step),
                    Some(Discrepancy::Amiss(_, resource) | Discrepancy::MayBeStale(resource)),
                ) => effects::write(transport, step, resource).await,
                (Prepared::Write(step), _) => effects::write(transport, step, None).await,
                (Prepared::Delete(deletion), Some(Discrepancy::StillThere(state))) => {
                    effects::delete(transport, deletion, state).await
                }
                (Prepared::Delete(deletion), _) => effects::search(transport, deletion).await,
            }
        };
        self.in_flight.push(Box::pin(async move {
            let event = span.around(work).await;
            spans::acted(&mut span, &event);
            Arrival::Answer(Answer { name, generation, event, mutating })
        }));
    }

    /// The request that has to be sent before a step is retried, if any: the registration of a resource provider.
    fn remedy(&self, name: &StepName, state: &StepState) -> Option<Request> {
        let cause = state.failing()?;
        let planned =
            self.tenant.plan.steps.get(name).filter(|_| cause.class == FailureClass::NeedsProvider)?;
        effects::register_provider(planned.desired.resource_id()?)
    }
}

fn invalid(why: String) -> Failure {
    Cause::ours(FailureClass::Permanent, "bad-expression", why).into()
}
