//! Idempotency: every change that a step of the shipped blueprints makes is repeated, lost, left unanswered, refused,
//! or preceded or followed by a crash of the worker. Every save is lost, left unanswered, or preceded or followed by a
//! crash. This is tried with one worker, and for crashes and missing answers with two workers as well. Afterwards the
//! tenant equals one without faults, and after its removal no object of it is left.
//!
//! A lifecycle without faults shows how many injection points there are. The fault has to occur at each of them.

#![expect(clippy::print_stderr, reason = "it prints how many points were tried")]

mod life;
mod refused;

use std::collections::BTreeSet;

use serde_json::json;
use tenantry_core::{ids::TenantId, tenant::Status};

use crate::testkit::{
    injector::{Fault, Spot},
    removal, repository, request, thorough,
};
use life::{Case, Life, Portrait};

/// The events of a sign-up.
const MADE: [&str; 4] = [
    "tenant.request.accepted",
    "tenant.provision.started",
    "tenant.isolation.verified",
    "tenant.provision.succeeded",
];
/// The events of a suspension and of the resumption after it; the isolation check runs in both.
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
/// The events of a removal.
const REMOVED: [&str; 3] =
    ["tenant.request.accepted", "tenant.deprovision.started", "tenant.deprovision.succeeded"];

/// The result of a whole lifecycle.
struct Lived {
    portrait: Portrait,
    /// The changes until the tenant was ready.
    made: Vec<Spot>,
    /// The changes after the tenant was ready: suspension, resumption and removal.
    removed: Vec<Spot>,
    /// Whether the injected fault occurred.
    struck: bool,
}

/// Runs a whole lifecycle, from the sign-up to the removal.
async fn live(case: &Case, mut life: Life) -> Lived {
    let id = life.deliver(&case.signup()).await;
    let status = life.rest(&id).await;
    assert_eq!(status, Status::Active, "{}: {:#?}", life.name, life.document(&id).await.steps());
    let (portrait, made) = (life.portrait(&id).await, life.injector.changes());

    if case.suspended {
        suspend_and_resume(&mut life, &id).await;
        assert_eq!(life.portrait(&id).await, portrait, "{}", life.name);
    }
    life.deliver(&removal("the-end", id.as_str())).await;
    let status = life.rest(&id).await;
    assert_eq!(status, Status::Deleted, "{}: {:#?}", life.name, life.document(&id).await.steps());
    let meanwhile: &[&str] = if case.suspended { &SUSPENDED } else { &[] };
    life.ended_well(&id, &[&MADE, meanwhile, &REMOVED].concat()).await;
    let removed = life.injector.changes().split_off(made.len());
    Lived { portrait, made, removed, struck: life.injector.struck() }
}

/// Suspends with mode `compute`, which deletes the most, and resumes.
async fn suspend_and_resume(life: &mut Life, id: &TenantId) {
    let spec = json!({"reason": "operator", "mode": "compute"});
    for (action, spec, status) in
        [("suspend", spec, Status::Suspended), ("resume", json!({}), Status::Active)]
    {
        life.deliver(&request(action, action, id.as_str(), spec)).await;
        let rested = life.rest(id).await;
        assert_eq!(rested, status, "{}: {:#?}", life.name, life.document(id).await.steps());
    }
}

async fn undisturbed(case: &Case) -> Lived {
    live(case, Life::undisturbed(case).await).await
}

/// A lifecycle with fewer changes than this is tried at every point, even in a quick run.
const SHORT_LIFE: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workers {
    One,
    Two,
}

/// Runs a lifecycle with the fault at one point, and asserts that the tenant equals the usual one. Returns whether the
/// fault occurred.
async fn survives_at(case: &Case, fault: Fault, at: &Spot, workers: Workers, usual: &Portrait) -> bool {
    let life = Life::new(case, fault, at.clone()).await;
    let lived = live(case, if workers == Workers::Two { life.accompanied() } else { life }).await;
    assert_eq!(lived.portrait, *usual, "{} with {fault:?} at {at:?}", case.name);
    lived.struck
}

/// The index of the first point of a quick run, which tries every third point. The faults of changes begin at all three
/// offsets, and so do the faults of saves, so that together they cover every point.
fn first_of_three(fault: Fault) -> usize {
    match fault {
        Fault::DeathAfterChange | Fault::NotSent | Fault::DeathAfterSave => 1,
        Fault::AnswerLost | Fault::SaveUnanswered => 2,
        Fault::DeathBeforeChange | Fault::ChangeLost | Fault::DeathBeforeSave | Fault::SaveLost => 0,
        Fault::None | Fault::EveryChangeTwice | Fault::EveryChangeThrice | Fault::Refused => 0,
    }
}

/// Runs the same lifecycle with the fault at every `stride`-th point; in a quick run a stride of 1 becomes 3.
async fn survives(case: &Case, fault: Fault, stride: usize, workers: Workers) {
    let Lived { portrait: usual, made, removed, .. } = undisturbed(case).await;
    let is_short = made.len() + removed.len() < SHORT_LIFE;
    let is_quick = stride == 1 && !thorough() && !is_short;
    let (stride, first) = if is_quick { (3, first_of_three(fault)) } else { (stride, 0) };
    let mut points = 0;
    if fault.is_of_changes() {
        for at in made.iter().chain(&removed).skip(first).step_by(stride) {
            assert!(
                survives_at(case, fault, at, workers, &usual).await,
                "{}: the fault did not occur at {at:?}",
                case.name
            );
            points += 1;
        }
    } else {
        // The number of saves depends on which answers arrive together, and on the fault.
        let saves = (1 + first..2000).step_by(stride).map(Spot::Number);
        for at in saves {
            if !survives_at(case, fault, &at, workers, &usual).await {
                break;
            }
            points += 1;
        }
    }
    eprintln!("{}: {fault:?} at {points} points with {workers:?}", case.name);
    assert!(points > 1, "{}: the fault occurred at one point at most", case.name);
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
fn every_tier_of_every_shipped_blueprint_is_tested_here() {
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
        for fault in [Fault::EveryChangeTwice, Fault::EveryChangeThrice] {
            let repeated = live(&case, Life::new(&case, fault, Spot::Number(0)).await).await;
            assert_eq!(repeated.portrait, usual.portrait, "{} with {fault:?}", case.name);
        }
    }
}

macro_rules! survives {
    ($($name:ident: $fault:ident;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn at_every_point_for_a_dedicated_tenant() {
                survives(&Case::new("secure-ai-service.yaml", "dedicated"), Fault::$fault, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_point_for_a_pooled_tenant() {
                survives(&Case::new("secure-ai-service.yaml", "pooled"), Fault::$fault, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_point_for_a_suspended_tenant() {
                let case = Case::new("secure-ai-service.yaml", "pooled").with_a_suspension();
                survives(&case, Fault::$fault, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_point_with_an_openai_model() {
                survives(&Case::new("language-service.yaml", "dedicated"), Fault::$fault, 1, Workers::One).await;
            }

            #[tokio::test]
            async fn at_every_point_with_the_smallest_blueprint() {
                for tier in ["dedicated", "pooled"] {
                    survives(&Case::new("hello.yaml", tier), Fault::$fault, 1, Workers::One).await;
                }
            }

            #[tokio::test]
            async fn at_many_points_with_slow_operations() {
                let case = Case::new("secure-ai-service.yaml", "dedicated").taking_time();
                survives(&case, Fault::$fault, 11, Workers::One).await;
            }
        }
    )* };
}

survives! {
    an_answer_may_get_lost: AnswerLost;
    a_change_may_get_lost: ChangeLost;
    a_change_may_not_be_sent: NotSent;
    a_worker_may_crash_before_a_change: DeathBeforeChange;
    a_worker_may_crash_after_a_change: DeathAfterChange;
    a_worker_may_crash_before_a_save: DeathBeforeSave;
    a_worker_may_crash_after_a_save: DeathAfterSave;
    a_save_may_not_be_answered: SaveUnanswered;
    a_save_may_get_lost: SaveLost;
}

/// Runs lifecycles of all shipped blueprints in which two workers reconcile at the same time; the fault occurs in one
/// of them.
async fn survives_between_two(fault: Fault) {
    for (file, tier) in SHIPPED {
        let stride = if (file, tier) == ("secure-ai-service.yaml", "dedicated") { 5 } else { 1 };
        survives(&Case::new(file, tier), fault, stride, Workers::Two).await;
    }
}

macro_rules! between_two {
    ($($name:ident: $fault:ident;)*) => { $(
        #[tokio::test]
        async fn $name() {
            survives_between_two(Fault::$fault).await;
        }
    )* };
}

between_two! {
    one_of_two_workers_may_crash_before_a_change: DeathBeforeChange;
    one_of_two_workers_may_crash_after_a_change: DeathAfterChange;
    one_of_two_workers_may_crash_before_a_save: DeathBeforeSave;
    one_of_two_workers_may_crash_after_a_save: DeathAfterSave;
    one_of_two_workers_may_get_no_answer: AnswerLost;
    one_of_two_workers_may_get_no_answer_to_a_save: SaveUnanswered;
}
