//! Doing it again changes nothing. Every change that any step of the shipped blueprints makes is repeated, lost, left
//! unanswered, or the last thing that a worker did; every save as well. Afterwards the tenant is as if nothing had
//! happened, and after its removal nothing of it is left.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking and says its numbers"
)]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use common::{
    gremlin::{Gremlin, Trouble},
    judge,
    lab::Lab,
    removal, repository, signup,
};
use serde_json::Value;
use tenantry::{
    blueprint::{Blueprint, DEFAULT},
    ids::TenantId,
    intake::Verdict,
    local::cloud::Speed,
    ports::{StoreError, World},
    runner::{Progress, Runner, Settings},
    tenant::{Status, Tenant},
};

/// A sign-up for a blueprint, in an Azure of some speed.
struct Case {
    blueprint: Blueprint,
    signup: Value,
    speed: Speed,
}

impl Case {
    fn new(blueprint: &str, sample: &str) -> Self {
        let mut signup = signup(sample);
        let request = if signup.get("data").is_some() { &mut signup["data"] } else { &mut signup };
        if blueprint != DEFAULT {
            request["spec"]["parameters"] = serde_json::json!({});
        }
        Self { blueprint: Blueprint::check(blueprint).unwrap().blueprint, signup, speed: Speed::Max }
    }

    /// With operations that take their time, which the clock makes pass at once.
    fn taking_time(self) -> Self {
        Self { speed: Speed::Factor(30.0), ..self }
    }
}

/// What a life looked like in its middle, to be compared.
#[derive(Debug, PartialEq)]
struct Portrait {
    kinds: BTreeMap<String, usize>,
    arm: BTreeSet<String>,
    exports: BTreeMap<String, Option<Value>>,
}

/// One tenant's life in a world with a gremlin in it.
struct Life {
    lab: Lab,
    haunted: World,
    gremlin: Arc<Gremlin>,
    settings: Settings,
    workers: usize,
    told: String,
}

impl Life {
    async fn new(case: &Case, trouble: Trouble, at: usize) -> Self {
        let lab = Lab::new(case.speed).await;
        let gremlin = Gremlin::new(trouble, at);
        let haunted = gremlin.haunt(&lab.world);
        let told = format!("{} with {trouble:?} at {at}", case.blueprint.name());
        Self { lab, haunted, gremlin, settings: Settings::local("local"), workers: 0, told }
    }

    /// A worker has died: its lease ends, and with it what it had sent.
    fn mourn(&self) {
        self.lab.clock.pass(self.settings.lease + self.settings.skew + Duration::from_secs(1));
    }

    /// Brings a message in, again if need be, as its queue would.
    async fn deliver(&self, case: &Case, body: &Value) -> TenantId {
        let intake = Lab::intake(&self.haunted, &case.blueprint);
        loop {
            let taken = self.gremlin.mortal(intake.take_in(body.to_string().as_bytes())).await;
            // What could not be saved is given back to the queue.
            if let Some(Ok(answer)) = taken {
                assert_eq!(answer.verdict, Verdict::Accepted, "{}: {answer:?}", self.told);
                return answer.tenant_id.unwrap();
            }
            self.mourn();
        }
    }

    /// Drives with one worker after the other until nothing is left to do.
    async fn rest(&mut self, id: &TenantId) -> Status {
        for _ in 0..400 {
            self.workers += 1;
            let name = format!("worker-{}", self.workers);
            let runner = Runner::new(self.haunted.clone(), self.settings.clone(), name);
            match self.gremlin.mortal(runner.drive(id)).await {
                // A drive that broke off leaves its lease behind as a dead worker does.
                None | Some(Err(StoreError::Unavailable(_))) => self.mourn(),
                Some(Ok(Progress::Settled(status))) => return status,
                Some(Ok(Progress::Parked(at) | Progress::Held(at))) => self.lab.clock.jump_to(at),
                Some(end) => panic!("{}: {end:?}", self.told),
            }
        }
        panic!("{}: never came to rest: {:#?}", self.told, self.document(id).await.steps)
    }

    async fn document(&self, id: &TenantId) -> Tenant {
        self.lab.world.store.load(id).await.unwrap().unwrap().value
    }

    async fn objects(&self, id: &TenantId) -> Value {
        self.lab.sim(&format!("objects?tenant={id}")).await
    }

    async fn portrait(&self, id: &TenantId) -> Portrait {
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
}

/// A whole life, from the sign-up to the removal; the portrait of its middle, and whether the trouble came.
async fn live(case: &Case, trouble: Trouble, at: usize) -> (Portrait, bool) {
    let mut life = Life::new(case, trouble, at).await;
    let id = life.deliver(case, &case.signup).await;
    let status = life.rest(&id).await;
    assert_eq!(status, Status::Active, "{}: {:#?}", life.told, life.document(&id).await.steps);
    let portrait = life.portrait(&id).await;

    life.deliver(case, &removal("the-end", id.as_str())).await;
    let status = life.rest(&id).await;
    assert_eq!(status, Status::Deleted, "{}: {:#?}", life.told, life.document(&id).await.steps);
    let left = life.objects(&id).await;
    assert_eq!(judge::list(&left), [] as [Value; 0], "{}", life.told);

    let told = life.lab.subscribers.told();
    judge::tell_one_story(id.as_str(), &told);
    let story = [
        "tenant.request.accepted",
        "tenant.provision.started",
        "tenant.provision.succeeded",
        "tenant.request.accepted",
        "tenant.deprovision.started",
        "tenant.deprovision.succeeded",
    ];
    assert_eq!(judge::types(&told), story, "{}", life.told);
    judge::nothing_was_made_twice(&life.lab.sim("journal").await, 1);
    (portrait, life.gremlin.struck())
}

/// The same life with the trouble at every `stride`-th place, for as long as there is such a place.
async fn survives(case: &Case, trouble: Trouble, stride: usize) {
    let (undisturbed, _) = live(case, Trouble::None, 0).await;
    let mut places = 0;
    for at in (1..2000).step_by(stride) {
        let (portrait, struck) = live(case, trouble, at).await;
        assert_eq!(portrait, undisturbed, "{} with {trouble:?} at {at}", case.blueprint.name());
        if !struck {
            break;
        }
        places += 1;
    }
    eprintln!("{}: {trouble:?} at {places} places", case.blueprint.name());
    assert!(places > 1, "the trouble never came");
}

fn dedicated() -> Case {
    Case::new(DEFAULT, "contoso")
}

fn pooled() -> Case {
    Case::new(DEFAULT, "tailspin")
}

/// `language-service.yaml` is not among these: the simulated Azure has no accounts of Cognitive Services. All kinds of
/// steps are in the others.
fn hello() -> Case {
    Case::new(&std::fs::read_to_string(repository().join("blueprints/hello.yaml")).unwrap(), "fabrikam")
}

#[tokio::test]
async fn every_change_of_every_blueprint_may_be_made_twice() {
    for case in [dedicated(), pooled(), hello(), dedicated().taking_time(), pooled().taking_time()] {
        let (undisturbed, _) = live(&case, Trouble::None, 0).await;
        let (doubled, _) = live(&case, Trouble::EveryChangeTwice, 0).await;
        assert_eq!(doubled, undisturbed);
    }
}

macro_rules! survives {
    ($($name:ident: $trouble:ident;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn at_every_third_place_of_a_dedicated_tenants_life() {
                survives(&dedicated(), Trouble::$trouble, 3).await;
            }

            #[tokio::test]
            async fn at_every_place_of_a_pooled_tenants_life() {
                survives(&pooled(), Trouble::$trouble, 1).await;
            }

            #[tokio::test]
            async fn at_many_places_of_a_life_in_an_azure_that_takes_its_time() {
                survives(&dedicated().taking_time(), Trouble::$trouble, 17).await;
            }

            #[tokio::test]
            async fn at_every_place_of_a_life_by_the_smallest_blueprint() {
                survives(&hello(), Trouble::$trouble, 1).await;
            }
        }
    )* };
}

survives! {
    an_answer_may_get_lost: AnswerLost;
    a_change_may_get_lost: ChangeLost;
    a_change_may_not_get_out: NotSent;
    a_worker_may_die_before_a_change: DeathBeforeChange;
    a_worker_may_die_after_a_change: DeathAfterChange;
    a_worker_may_die_before_a_save: DeathBeforeSave;
    a_worker_may_die_after_a_save: DeathAfterSave;
    a_save_may_not_be_answered: SaveUnanswered;
    a_save_may_get_lost: SaveLost;
}
