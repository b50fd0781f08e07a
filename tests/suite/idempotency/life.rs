//! A tenant's lifecycle with a shipped blueprint and a fault injector.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use azure_sim::Speed;
use serde_json::{Value, json};
use tenantry::{
    intake::IntakeDecision,
    ports::{Ports, StoreError},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    tenant::{Status, Tenant},
};

use crate::testkit::{
    fixture::Fixture,
    injector::{Fault, FaultInjector, Spot},
    judge, repository, request, signup,
};

/// A blueprint, one of its tiers, and the speed of the simulated Azure.
pub(crate) struct Case {
    pub(crate) blueprint: Blueprint,
    /// The name of the case in messages of failed assertions.
    pub(crate) name: String,
    tier: &'static str,
    speed: Speed,
    /// Whether the tenant is suspended and resumed before its removal.
    pub(crate) suspended: bool,
}

impl Case {
    /// The shipped blueprint in this file.
    pub(crate) fn new(file: &str, tier: &'static str) -> Self {
        let text = std::fs::read_to_string(repository().join("blueprints").join(file)).unwrap();
        let blueprint = Blueprint::check(&text).unwrap().blueprint;
        Self { blueprint, name: format!("{file} {tier}"), tier, speed: Speed::Max, suspended: false }
    }

    /// The case with long-running operations. The virtual clock makes them pass at once.
    pub(crate) fn taking_time(self) -> Self {
        Self { speed: Speed::Factor(30.0), name: format!("{}, slow operations", self.name), ..self }
    }

    /// The case with a suspension in mode `compute` and a resumption before the removal.
    pub(crate) fn with_a_suspension(self) -> Self {
        Self { suspended: true, name: format!("{}, suspended and resumed", self.name), ..self }
    }

    /// A sign-up from the example of the tier, without its parameters if they are for another blueprint.
    pub(crate) fn signup(&self) -> Value {
        let sample = if self.tier == "dedicated" { "contoso" } else { "tailspin" };
        let mut signup = signup(sample);
        assert_eq!(signup["spec"]["tier"], self.tier);
        if !self.name.starts_with("secure-ai-service") {
            signup["spec"]["parameters"] = json!({});
        }
        signup
    }
}

/// The tenant's objects and exports, for comparison.
#[derive(Debug, PartialEq)]
pub(crate) struct Portrait {
    kinds: BTreeMap<String, usize>,
    arm: BTreeSet<String>,
    exports: BTreeMap<String, Option<Value>>,
}

/// A tenant's lifecycle in a simulated Azure of its own, with one fault injector.
pub(crate) struct Life {
    pub(crate) fixture: Fixture,
    pub(crate) injector: Arc<FaultInjector>,
    pub(crate) name: String,
    blueprint: Blueprint,
    faulty: Ports,
    /// The fault injector and the ports of a second worker, which reconciles at the same time; an injected crash of
    /// this worker does not stop the first one.
    second: Option<(Arc<FaultInjector>, Ports)>,
    settings: Settings,
    workers: usize,
}

impl Life {
    pub(crate) async fn new(case: &Case, fault: Fault, at: Spot) -> Self {
        let fixture = Fixture::new(case.speed).await;
        let name = format!("{} with {fault:?} at {at:?}", case.name);
        let injector = FaultInjector::at(fault, at);
        let faulty = injector.inject(&fixture.ports);
        let blueprint = case.blueprint.clone();
        let settings = Settings::local("local");
        Self { fixture, faulty, injector, name, blueprint, second: None, settings, workers: 0 }
    }

    /// A run without faults.
    pub(crate) async fn undisturbed(case: &Case) -> Self {
        Self::new(case, Fault::None, Spot::Number(0)).await
    }

    /// Adds a second worker.
    pub(crate) fn accompanied(self) -> Self {
        let second = self.injector.companion();
        let ports = second.inject(&self.fixture.ports);
        Self { second: Some((second, ports)), name: format!("{}, by two", self.name), ..self }
    }

    /// Moves the clock until the lease of a crashed worker has expired; requests that this worker sent take effect
    /// before that.
    fn expire_lease(&self) {
        self.fixture.clock.pass(self.settings.lease + self.settings.skew + Duration::from_secs(1));
    }

    /// Delivers a message, repeatedly if necessary, as a queue does.
    pub(crate) async fn deliver(&self, body: &Value) -> TenantId {
        let intake = Fixture::intake(&self.faulty, &self.blueprint);
        loop {
            let taken = self.injector.mortal(intake.take_in(body.to_string().as_bytes())).await;
            // A message whose result could not be saved goes back to the queue.
            if let Some(Ok(answer)) = taken {
                assert_eq!(answer.decision, IntakeDecision::Accepted, "{}: {answer:?}", self.name);
                return answer.tenant_id.unwrap();
            }
            self.expire_lease();
        }
    }

    /// Sends a retry request for the blocked steps.
    pub(crate) async fn retry(&self, id: &TenantId) {
        let mut retry = request("once-more", "retry", id.as_str(), json!({}));
        retry.as_object_mut().unwrap().remove("spec");
        self.deliver(&retry).await;
    }

    /// Reconciles with one worker after the other, or two at a time, until nothing is left to do.
    pub(crate) async fn rest(&mut self, id: &TenantId) -> Status {
        for _ in 0..400 {
            let second = async {
                let (injector, ports) = self.second.as_ref()?;
                Some(Box::pin(self.reconcile(injector, ports, format!("second-{}", self.workers), id)).await)
            };
            let name = format!("worker-{}", self.workers);
            let first = Box::pin(self.reconcile(&self.injector, &self.faulty, name, id));
            let (first, second) = tokio::join!(first, second);
            self.workers += 1;
            let ends = [Some(first), second].into_iter().flatten();
            // If one of two workers did not get the lease, the result of the other worker counts.
            match ends.min_by_key(End::rank).unwrap() {
                End::Settled(status) => return status,
                End::Requeued(at) | End::Held(at) => self.fixture.clock.jump_to(at),
                End::Dead => self.expire_lease(),
            }
        }
        panic!("{}: never settled: {:#?}", self.name, self.document(id).await.steps())
    }

    async fn reconcile(&self, injector: &FaultInjector, ports: &Ports, name: String, id: &TenantId) -> End {
        let reconciler = Reconciler::new(ports.clone(), self.settings.clone(), name);
        match injector.mortal(reconciler.reconcile(id)).await {
            // A pass that ends with a store error does not release its lease, like a crashed worker.
            None | Some(Err(StoreError::Unavailable(_))) => End::Dead,
            Some(Ok(Progress::Settled(status))) => End::Settled(status),
            Some(Ok(Progress::Requeued(at))) => End::Requeued(at),
            Some(Ok(Progress::Held(at))) => End::Held(at),
            Some(end) => panic!("{}: {end:?}", self.name),
        }
    }

    pub(crate) async fn document(&self, id: &TenantId) -> Tenant {
        self.fixture.ports.store.load(id).await.unwrap().unwrap().value
    }

    pub(crate) async fn objects(&self, id: &TenantId) -> Value {
        self.fixture.sim(&format!("objects?tenant={id}")).await
    }

    pub(crate) async fn portrait(&self, id: &TenantId) -> Portrait {
        let objects = self.objects(id).await;
        // Graph assigns these two at random.
        let drawn = ["applicationId", "servicePrincipalObjectId"];
        let exports = self.document(id).await.exports.into_iter();
        let kinds = judge::kinds(&objects).into_iter().map(|(kind, count)| (kind.to_owned(), count));
        Portrait {
            kinds: kinds.collect(),
            arm: judge::arm_ids(&objects),
            exports: exports
                .map(|(name, value)| {
                    assert!(!value.is_null(), "{}: {name} is null", self.name);
                    let shown = (!drawn.contains(&name.as_str())).then_some(value);
                    (name, shown)
                })
                .collect(),
        }
    }

    /// Asserts that nothing is left of a removed tenant, nothing was created twice, and its events have no gap.
    pub(crate) async fn ended_well(&self, id: &TenantId, content: &[&str]) {
        let left = self.objects(id).await;
        assert_eq!(judge::list(&left), [] as [Value; 0], "{}", self.name);
        let events = self.fixture.subscribers.published();
        judge::check_event_sequence(id.as_str(), &events);
        assert_eq!(judge::types(&events), content, "{}", self.name);
        judge::nothing_was_made_twice(&self.fixture.sim("journal").await, 1);
    }
}

/// How a worker's pass ended.
enum End {
    Settled(Status),
    Requeued(jiff::Timestamp),
    Dead,
    Held(jiff::Timestamp),
}

impl End {
    fn rank(&self) -> usize {
        match self {
            Self::Settled(_) => 0,
            Self::Requeued(_) => 1,
            Self::Dead => 2,
            Self::Held(_) => 3,
        }
    }
}
