//! Doing it again changes nothing. Every change that any step of the shipped blueprints makes is repeated, lost, left
//! unanswered, refused, or the last thing that a worker did; every save as well, with one worker and with two.
//! Afterwards the tenant is as if nothing had happened, and after its removal nothing of it is left.
//!
//! How many places there are is learnt from an undisturbed life, and each of them has to be met.

#![expect(clippy::print_stderr, reason = "it says its numbers")]

mod life;
mod refused;

use std::collections::BTreeSet;

use serde_json::json;
use tenantry_core::{ids::TenantId, tenant::Status};

use crate::testkit::{
    gremlin::{Spot, Trouble},
    removal, repository, request, thorough,
};
use life::{Case, Life, Portrait};

/// The events of a life in which nothing failed for good.
const MADE: [&str; 4] = [
    "tenant.request.accepted",
    "tenant.provision.started",
    "tenant.isolation.verified",
    "tenant.provision.succeeded",
];
/// Who reaches the tenant is proved anew each time.
const SUSPENDED: [&str; 8] = [
    "tenant.request.accepted",
    "tenant.suspend.started",
    "tenant.isolation.verified",
    "tenant.suspend.succeeded",
    "tenant.request.accepted",
    "tenant.resume.started",
    "tenant.isolation.verified",
    "tenant.resume.succeeded",
];
const REMOVED: [&str; 3] =
    ["tenant.request.accepted", "tenant.deprovision.started", "tenant.deprovision.succeeded"];

/// A whole life, and what became of the trouble.
struct Lived {
    portrait: Portrait,
    /// The changes until it was ready.
    made: Vec<Spot>,
    /// Those after that.
    removed: Vec<Spot>,
    struck: bool,
}

/// A whole life, from the sign-up to the removal.
async fn live(case: &Case, mut life: Life) -> Lived {
    let id = life.deliver(&case.signup()).await;
    let status = life.rest(&id).await;
    assert_eq!(status, Status::Active, "{}: {:#?}", life.told, life.document(&id).await.steps());
    let (portrait, made) = (life.portrait(&id).await, life.gremlin.changes());

    if case.suspended {
        suspend_and_resume(&mut life, &id).await;
        assert_eq!(life.portrait(&id).await, portrait, "{}", life.told);
    }
    life.deliver(&removal("the-end", id.as_str())).await;
    let status = life.rest(&id).await;
    assert_eq!(status, Status::Deleted, "{}: {:#?}", life.told, life.document(&id).await.steps());
    let meanwhile: &[&str] = if case.suspended { &SUSPENDED } else { &[] };
    life.ended_well(&id, &[&MADE, meanwhile, &REMOVED].concat()).await;
    let removed = life.gremlin.changes().split_off(made.len());
    Lived { portrait, made, removed, struck: life.gremlin.struck() }
}

/// All that can go goes, and comes back.
async fn suspend_and_resume(life: &mut Life, id: &TenantId) {
    let spec = json!({"reason": "operator", "mode": "compute"});
    for (action, spec, status) in
        [("suspend", spec, Status::Suspended), ("resume", json!({}), Status::Active)]
    {
        life.deliver(&request(action, action, id.as_str(), spec)).await;
        let rested = life.rest(id).await;
        assert_eq!(rested, status, "{}: {:#?}", life.told, life.document(id).await.steps());
    }
}

async fn undisturbed(case: &Case) -> Lived {
    live(case, Life::undisturbed(case).await).await
}

/// A life of fewer changes is tried at every place.
const SHORT_LIFE: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workers {
    One,
    Two,
}

/// A life with the trouble at one place; whether it came.
async fn is_borne(case: &Case, trouble: Trouble, at: &Spot, workers: Workers, usual: &Portrait) -> bool {
    let life = Life::new(case, trouble, at.clone()).await;
    let lived = live(case, if workers == Workers::Two { life.accompanied() } else { life }).await;
    assert_eq!(lived.portrait, *usual, "{} with {trouble:?} at {at:?}", case.told);
    lived.struck
}

/// At which of three places a quick run begins that tries every third. The troubles of changes, with one worker and with two,
/// begin at all three, and so do those of saves: together they meet every place.
fn first_of_three(trouble: Trouble) -> usize {
    match trouble {
        Trouble::DeathAfterChange | Trouble::NotSent | Trouble::DeathAfterSave => 1,
        Trouble::AnswerLost | Trouble::SaveUnanswered => 2,
        Trouble::DeathBeforeChange | Trouble::ChangeLost | Trouble::DeathBeforeSave | Trouble::SaveLost => 0,
        Trouble::None | Trouble::EveryChangeTwice | Trouble::EveryChangeThrice | Trouble::Refused => 0,
    }
}

/// The same life with the trouble at every `stride`-th place; in a quick run at every third where that would be all of them.
async fn survives(case: &Case, trouble: Trouble, stride: usize, workers: Workers) {
    let Lived { portrait: usual, made, removed, .. } = undisturbed(case).await;
    let is_short = made.len() + removed.len() < SHORT_LIFE;
    let is_quick = stride == 1 && !thorough() && !is_short;
    let (stride, first) = if is_quick { (3, first_of_three(trouble)) } else { (stride, 0) };
    let mut places = 0;
    if trouble.is_of_changes() {
        for at in made.iter().chain(&removed).skip(first).step_by(stride) {
            assert!(
                is_borne(case, trouble, at, workers, &usual).await,
                "{}: never came to {at:?}",
                case.told
            );
            places += 1;
        }
    } else {
        // How many saves there are depends on which answers come together, and on the trouble.
        let saves = (1 + first..2000).step_by(stride).map(Spot::Number);
        for at in saves {
            if !is_borne(case, trouble, &at, workers, &usual).await {
                break;
            }
            places += 1;
        }
    }
    eprintln!("{}: {trouble:?} at {places} places with {workers:?}", case.told);
    assert!(places > 1, "{}: the trouble never came", case.told);
}

/// All shipped blueprints, for each of their tiers.
const SHIPPED: [(&str, &str); 5] = [
    ("hello.yaml", "dedicated"),
    ("hello.yaml", "pooled"),
    ("language-service.yaml", "dedicated"),
    ("secure-ai-service.yaml", "dedicated"),
    ("secure-ai-service.yaml", "pooled"),
];

fn shipped() -> impl Iterator<Item = Case> {
    SHIPPED.into_iter().map(|(file, tier)| Case::new(file, tier))
}

#[test]
fn every_shipped_blueprint_has_its_lives_here() {
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(repository().join("blueprints")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let tiers = text.lines().find_map(|line| line.strip_prefix("tiers: [")?.strip_suffix(']')).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        found.extend(tiers.split(", ").map(|tier| (name.clone(), tier.to_owned())));
    }
    let here = SHIPPED.map(|(file, tier)| (file.to_owned(), tier.to_owned()));
    assert_eq!(found, BTreeSet::from(here));
}

#[tokio::test]
async fn every_change_of_every_blueprint_may_be_made_twice_and_three_times() {
    for case in shipped().chain(shipped().map(Case::taking_time)) {
        let usual = undisturbed(&case).await;
        for trouble in [Trouble::EveryChangeTwice, Trouble::EveryChangeThrice] {
            let repeated = live(&case, Life::new(&case, trouble, Spot::Number(0)).await).await;
            assert_eq!(repeated.portrait, usual.portrait, "{} with {trouble:?}", case.told);
        }
    }
}

macro_rules! survives {
    ($($name:ident: $trouble:ident;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn at_every_place_of_a_dedicated_tenants_life() {
                survives(&Case::new("secure-ai-service.yaml", "dedicated"), Trouble::$trouble, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_place_of_a_pooled_tenants_life() {
                survives(&Case::new("secure-ai-service.yaml", "pooled"), Trouble::$trouble, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_place_of_a_suspended_tenants_life() {
                let case = Case::new("secure-ai-service.yaml", "pooled").with_a_suspension();
                survives(&case, Trouble::$trouble, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_place_of_a_life_with_a_model_of_openai() {
                survives(&Case::new("language-service.yaml", "dedicated"), Trouble::$trouble, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_place_of_a_life_by_the_smallest_blueprint() {
                for tier in ["dedicated", "pooled"] {
                    survives(&Case::new("hello.yaml", tier), Trouble::$trouble, 1, Workers::One).await;
                }
            }

            #[tokio::test]
            async fn at_many_places_of_a_life_in_an_azure_that_takes_its_time() {
                let case = Case::new("secure-ai-service.yaml", "dedicated").taking_time();
                survives(&case, Trouble::$trouble, 11, Workers::One).await;
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

/// Everything is delivered to two workers at once, and one of them meets the trouble.
async fn survives_between_two(trouble: Trouble) {
    for (file, tier) in SHIPPED {
        let stride = if (file, tier) == ("secure-ai-service.yaml", "dedicated") { 5 } else { 1 };
        survives(&Case::new(file, tier), trouble, stride, Workers::Two).await;
    }
}

macro_rules! between_two {
    ($($name:ident: $trouble:ident;)*) => { $(
        #[tokio::test]
        async fn $name() {
            survives_between_two(Trouble::$trouble).await;
        }
    )* };
}

between_two! {
    one_of_two_workers_may_die_before_a_change: DeathBeforeChange;
    one_of_two_workers_may_die_after_a_change: DeathAfterChange;
    one_of_two_workers_may_die_before_a_save: DeathBeforeSave;
    one_of_two_workers_may_die_after_a_save: DeathAfterSave;
    one_of_two_workers_may_get_no_answer: AnswerLost;
    one_of_two_workers_may_not_know_what_it_saved: SaveUnanswered;
}
