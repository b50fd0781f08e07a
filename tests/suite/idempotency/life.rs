//! A tenant's life by a shipped blueprint, in a world with a gremlin in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use azure_sim::Speed;
use serde_json::{Value, json};
use tenantry::{
    intake::IntakeDecision,
    ports::{StoreError, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::Blueprint,
    ids::TenantId,
    tenant::{Status, Tenant},
};

use crate::testkit::{
    gremlin::{Gremlin, Spot, Trouble},
    judge,
    lab::Lab,
    repository, request, signup,
};

/// A blueprint for one of its tiers, in an Azure of some speed.
pub(crate) struct Case {
    pub(crate) blueprint: Blueprint,
    pub(crate) told: String,
    tier: &'static str,
    speed: Speed,
    /// Whether it is suspended and resumed in its middle.
    pub(crate) suspended: bool,
}

impl Case {
    /// A shipped blueprint by the name of its file.
    pub(crate) fn new(file: &str, tier: &'static str) -> Self {
        let text = std::fs::read_to_string(repository().join("blueprints").join(file)).unwrap();
        let blueprint = Blueprint::check(&text).unwrap().blueprint;
        Self { blueprint, told: format!("{file} {tier}"), tier, speed: Speed::Max, suspended: false }
    }

    /// With operations that take their time, which the clock makes pass at once.
    pub(crate) fn taking_time(self) -> Self {
        Self { speed: Speed::Factor(30.0), told: format!("{}, slowly", self.told), ..self }
    }

    /// Suspended in its middle with all that goes, and resumed.
    pub(crate) fn with_a_suspension(self) -> Self {
        Self { suspended: true, told: format!("{}, suspended meanwhile", self.told), ..self }
    }

    /// A sign-up, with all that an example of the tier has if the blueprint is the one that it was written for.
    pub(crate) fn signup(&self) -> Value {
        let sample = if self.tier == "dedicated" { "contoso" } else { "tailspin" };
        let mut signup = signup(sample);
        assert_eq!(signup["spec"]["tier"], self.tier);
        if !self.told.starts_with("secure-ai-service") {
            signup["spec"]["parameters"] = json!({});
        }
        signup
    }
}

/// What a life looked like in its middle, to be compared.
#[derive(Debug, PartialEq)]
pub(crate) struct Portrait {
    kinds: BTreeMap<String, usize>,
    arm: BTreeSet<String>,
    exports: BTreeMap<String, Option<Value>>,
}

/// One tenant's life.
pub(crate) struct Life {
    pub(crate) lab: Lab,
    pub(crate) gremlin: Arc<Gremlin>,
    pub(crate) told: String,
    blueprint: Blueprint,
    haunted: World,
    /// A second worker to whom everything is delivered as well, with its own death.
    second: Option<(Arc<Gremlin>, World)>,
    settings: Settings,
    workers: usize,
}

impl Life {
    pub(crate) async fn new(case: &Case, trouble: Trouble, at: Spot) -> Self {
        let lab = Lab::new(case.speed).await;
        let told = format!("{} with {trouble:?} at {at:?}", case.told);
        let gremlin = Gremlin::at(trouble, at);
        let haunted = gremlin.haunt(&lab.world);
        let blueprint = case.blueprint.clone();
        let settings = Settings::local("local");
        Self { lab, haunted, gremlin, told, blueprint, second: None, settings, workers: 0 }
    }

    /// Without trouble.
    pub(crate) async fn undisturbed(case: &Case) -> Self {
        Self::new(case, Trouble::None, Spot::Number(0)).await
    }

    /// With a second worker beside the first one.
    pub(crate) fn accompanied(self) -> Self {
        let second = self.gremlin.companion();
        let world = second.haunt(&self.lab.world);
        Self { second: Some((second, world)), told: format!("{}, by two", self.told), ..self }
    }

    /// A worker has died: its lease ends, and with it what it had sent.
    fn mourn(&self) {
        self.lab.clock.pass(self.settings.lease + self.settings.skew + Duration::from_secs(1));
    }

    /// Brings a message in, again if need be, as its queue would.
    pub(crate) async fn deliver(&self, body: &Value) -> TenantId {
        let intake = Lab::intake(&self.haunted, &self.blueprint);
        loop {
            let taken = self.gremlin.mortal(intake.take_in(body.to_string().as_bytes())).await;
            // What could not be saved is given back to the queue.
            if let Some(Ok(answer)) = taken {
                assert_eq!(answer.verdict, IntakeDecision::Accepted, "{}: {answer:?}", self.told);
                return answer.tenant_id.unwrap();
            }
            self.mourn();
        }
    }

    /// A person asks to try again what stopped.
    pub(crate) async fn retry(&self, id: &TenantId) {
        let mut retry = request("once-more", "retry", id.as_str(), json!({}));
        retry.as_object_mut().unwrap().remove("spec");
        self.deliver(&retry).await;
    }

    /// Drives with one worker after the other, or two at a time, until nothing is left to do.
    pub(crate) async fn rest(&mut self, id: &TenantId) -> Status {
        for _ in 0..400 {
            let second = async {
                let (gremlin, world) = self.second.as_ref()?;
                Some(Box::pin(self.reconcile(gremlin, world, format!("second-{}", self.workers), id)).await)
            };
            let name = format!("worker-{}", self.workers);
            let first = Box::pin(self.reconcile(&self.gremlin, &self.haunted, name, id));
            let (first, second) = tokio::join!(first, second);
            self.workers += 1;
            let ends = [Some(first), second].into_iter().flatten();
            // Whoever was sent away knows least: what the other one says counts.
            match ends.min_by_key(End::rank).unwrap() {
                End::Settled(status) => return status,
                End::Parked(at) | End::Held(at) => self.lab.clock.jump_to(at),
                End::Dead => self.mourn(),
            }
        }
        panic!("{}: never came to rest: {:#?}", self.told, self.document(id).await.steps())
    }

    async fn reconcile(&self, gremlin: &Gremlin, world: &World, name: String, id: &TenantId) -> End {
        let reconciler = Reconciler::new(world.clone(), self.settings.clone(), name);
        match gremlin.mortal(reconciler.reconcile(id)).await {
            // A drive that broke off leaves its lease behind as a dead worker does.
            None | Some(Err(StoreError::Unavailable(_))) => End::Dead,
            Some(Ok(Progress::Settled(status))) => End::Settled(status),
            Some(Ok(Progress::Parked(at))) => End::Parked(at),
            Some(Ok(Progress::Held(at))) => End::Held(at),
            Some(end) => panic!("{}: {end:?}", self.told),
        }
    }

    pub(crate) async fn document(&self, id: &TenantId) -> Tenant {
        self.lab.world.store.load(id).await.unwrap().unwrap().value
    }

    pub(crate) async fn objects(&self, id: &TenantId) -> Value {
        self.lab.sim(&format!("objects?tenant={id}")).await
    }

    pub(crate) async fn portrait(&self, id: &TenantId) -> Portrait {
        let objects = self.objects(id).await;
        // Graph draws these two at random.
        let drawn = ["applicationId", "servicePrincipalObjectId"];
        let exports = self.document(id).await.exports.into_iter();
        let kinds = judge::kinds(&objects).into_iter().map(|(kind, count)| (kind.to_owned(), count));
        Portrait {
            kinds: kinds.collect(),
            arm: judge::arm_ids(&objects),
            exports: exports
                .map(|(name, value)| {
                    assert!(!value.is_null(), "{}: {name} is null", self.told);
                    let shown = (!drawn.contains(&name.as_str())).then_some(value);
                    (name, shown)
                })
                .collect(),
        }
    }

    /// Nothing is left of a removed tenant, nothing was made twice, and its story was told without a gap.
    pub(crate) async fn ended_well(&self, id: &TenantId, story: &[&str]) {
        let left = self.objects(id).await;
        assert_eq!(judge::list(&left), [] as [Value; 0], "{}", self.told);
        let told = self.lab.subscribers.told();
        judge::tell_one_story(id.as_str(), &told);
        assert_eq!(judge::types(&told), story, "{}", self.told);
        judge::nothing_was_made_twice(&self.lab.sim("journal").await, 1);
    }
}

/// How a worker's drive ended.
enum End {
    Settled(Status),
    Parked(jiff::Timestamp),
    Dead,
    Held(jiff::Timestamp),
}

impl End {
    fn rank(&self) -> usize {
        match self {
            Self::Settled(_) => 0,
            Self::Parked(_) => 1,
            Self::Dead => 2,
            Self::Held(_) => 3,
        }
    }
}
