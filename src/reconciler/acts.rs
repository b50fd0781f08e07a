//! From an act that was decided to a request under way: what it needs is prepared, its intent saved, then it is sent.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tenantry_core::{
    blueprint::{Kind, RenderError},
    engine::{Act, Change, Discrepancy, Event},
    ids::StepName,
    steps::{self, Comparison, Failure, Remains, Request, Step},
    tenant::{Cause, FailureClass, Poll, StepState, Tenant},
};

use super::{
    answers::{Answer, Arrival},
    drive::Drive,
    effects,
    guarded::{Guarded, refused},
    lease::Claim,
    tell,
};
use crate::ports::{StoreError, Wire};

/// What an act needs.
enum Prepared {
    Look(Arc<dyn Step>),
    Write(Arc<dyn Step>),
    Search(Arc<dyn Remains>),
    Erase(Arc<dyn Remains>),
    Poll(Poll),
    /// The proof looks at the whole tenant as it stands now.
    Prove(Box<Tenant>),
}

impl Prepared {
    /// The word in spans.
    fn word(&self) -> &'static str {
        match self {
            Self::Look(_) => "look",
            Self::Write(_) => "write",
            Self::Search(_) => "search",
            Self::Erase(_) => "erase",
            Self::Poll(_) => "poll",
            Self::Prove(_) => "prove",
        }
    }
}

impl Drive<'_> {
    /// Performs acts. Intents and poll URLs are saved first; if somebody else saved before us, nothing is sent and
    /// the caller decides anew. `Some` if another worker has taken over.
    pub(super) async fn act(
        &mut self,
        acts: BTreeMap<StepName, Act>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        let findings: BTreeMap<StepName, Discrepancy> = acts
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
        if effects && !Claim::covers_a_request(&self.tenant, &self.reconciler.settings, self.now()) {
            // The save took so long that the lease is nearly over. Looking again is always safe.
            return Ok(None);
        }
        for (name, prepared) in ready {
            let finding = findings.get(&name).cloned();
            self.send(name, prepared, finding);
        }
        Ok(None)
    }

    /// What an act needs, with its intent recorded; `None` if the step's texts can't be rendered.
    fn prepare(&mut self, name: &StepName, act: Act, now: Timestamp) -> Option<Prepared> {
        let turn = self.tenant.steps().get(name)?.turn;
        let prepared = match self.needed(name, act) {
            Ok(prepared) => prepared?,
            Err(failure) => {
                self.take_in(name, turn, Event::Failed(failure), now);
                return None;
            }
        };
        match &prepared {
            Prepared::Write(step) => {
                self.take_in(name, turn, Event::Began { target: Some(step.target()) }, now);
            }
            Prepared::Erase(_) => self.take_in(name, turn, Event::Began { target: None }, now),
            Prepared::Look(_) | Prepared::Search(_) | Prepared::Poll(_) | Prepared::Prove(_) => {}
        }
        Some(prepared)
    }

    fn needed(&mut self, name: &StepName, act: Act) -> Result<Option<Prepared>, Failure> {
        let Some(record) = self.tenant.steps().get(name) else { return Ok(None) };
        if let (Act::Poll, Some(operation)) = (act, record.state.operation()) {
            return Ok(Some(Prepared::Poll(operation.clone())));
        }
        if record.is_doomed() {
            let target = record.target.clone().unwrap_or_default();
            let remains = Arc::from(steps::remains(record.kind, &target, &record.outputs)?);
            let erases = act == Act::Erase;
            return Ok(Some(if erases { Prepared::Erase(remains) } else { Prepared::Search(remains) }));
        }
        if record.kind == Kind::Isolation {
            return Ok(Some(Prepared::Prove(Box::new(self.tenant.clone()))));
        }
        let step = self.step(name)?;
        Ok(Some(if act == Act::Write { Prepared::Write(step) } else { Prepared::Look(step) }))
    }

    /// The step as it is to be, rendered once per drive and plan.
    fn step(&mut self, name: &StepName) -> Result<Arc<dyn Step>, Failure> {
        let record = self.tenant.steps().get(name);
        let key = (name.clone(), record.map(|record| record.turn).unwrap_or_default());
        if let Some(step) = self.rendered.get(&key) {
            return Ok(Arc::clone(step));
        }
        let plan = &self.tenant.plan;
        let planned = plan.steps.get(name).ok_or_else(|| broken("the plan has no such step".to_owned()))?;
        let rendered = self.tenant.rendered(name).map_err(|error| match error {
            RenderError::Expression { .. } => broken(error.to_string()),
            RenderError::Field(bad) => bad.into(),
        })?;
        // What could not be known when the plan was made is judged by the same rules now that it is.
        if let Some(objection) = plan.objections(&rendered).first() {
            return Err(refused(objection));
        }
        let told = record.map(|record| record.outputs.clone()).unwrap_or_default();
        let step: Arc<dyn Step> = Arc::from(steps::step(&rendered, &planned.outputs, &told)?);
        self.rendered.insert(key, Arc::clone(&step));
        Ok(step)
    }

    fn send(&mut self, name: StepName, prepared: Prepared, finding: Option<Discrepancy>) {
        let Some(record) = self.tenant.steps().get(&name) else { return };
        let turn = record.turn;
        let guard = self.tenant.plan.guard(record.kind, record.is_doomed());
        let wire: Arc<dyn Wire> = Arc::new(Guarded::new(Arc::clone(&self.reconciler.world.wire), guard));
        let remedy = self.remedy(&name, &record.state);
        let (isolation_scanner, patience) =
            (Arc::clone(&self.reconciler.isolation_scanner), self.reconciler.settings.lease * 4 / 5);
        let mutating = matches!(prepared, Prepared::Write(_) | Prepared::Erase(_));
        let mut span = tell::act(prepared.word(), &name, record);
        self.busy.insert(name.clone());
        let work = async move {
            match (prepared, finding) {
                (Prepared::Look(step), _) => effects::look(wire, step, remedy).await,
                (Prepared::Search(remains), _) => effects::search(wire, remains).await,
                (Prepared::Poll(operation), _) => effects::poll(wire, operation).await,
                (Prepared::Prove(tenant), _) => effects::prove(&isolation_scanner, &tenant, patience).await,
                (Prepared::Write(step), Some(Discrepancy::Amiss(Comparison::Lingering(id), _))) => {
                    effects::restore(wire, step, &id).await
                }
                (
                    Prepared::Write(step),
                    Some(Discrepancy::Amiss(_, resource) | Discrepancy::MayBeStale(resource)),
                ) => effects::write(wire, step, resource).await,
                (Prepared::Write(step), _) => effects::write(wire, step, None).await,
                (Prepared::Erase(remains), Some(Discrepancy::Remains(trace))) => {
                    effects::erase(wire, remains, trace).await
                }
                (Prepared::Erase(remains), _) => effects::search(wire, remains).await,
            }
        };
        self.in_flight.push(Box::pin(async move {
            let event = span.around(work).await;
            tell::acted(&mut span, &event);
            Arrival::Answer(Answer { name, turn, event, mutating })
        }));
    }

    /// What has to be done before a step is tried again; so far only registering a resource provider.
    fn remedy(&self, name: &StepName, state: &StepState) -> Option<Request> {
        let cause = state.failing()?;
        let planned =
            self.tenant.plan.steps.get(name).filter(|_| cause.class == FailureClass::NeedsProvider)?;
        effects::register_provider(planned.desired.resource_id()?)
    }
}

fn broken(why: String) -> Failure {
    Cause::ours(FailureClass::Permanent, "bad-expression", why).into()
}
