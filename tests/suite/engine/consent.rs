//! Nothing that was in use is deleted without consent: every kind of step, every way to lose what it has made.

mod parts;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::{Desired, Kind, Outputs, Plan, PlannedStep},
    engine::{self, Act, Decision, Event, Observation, Outcome, Policy, Sight, StepEvent, removal, wish},
    ids::StepName,
    steps::{Comparison, Trace},
    tenant::{Cause, Consent, FailureClass, Ground, Removal, StepState, Tenant},
};

use super::plans;

/// Every kind that leaves something behind.
const KINDS: [Kind; 6] = [
    Kind::Arm,
    Kind::ArmUpdate,
    Kind::RoleAssignment,
    Kind::EntraApplication,
    Kind::ServicePrincipal,
    Kind::FederatedCredential,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Fine,
    Failed,
    Nothing,
}

/// An Azure in which some things fail and stay so, however often they are written.
struct World {
    tenant: Tenant,
    there: BTreeMap<StepName, Shown>,
    /// What comes out failed whenever it is made.
    cursed: BTreeSet<StepName>,
    deleted: Vec<StepName>,
    now: Timestamp,
}

fn step(kind: Kind, id: &str, needs: &[&str], value: u32) -> PlannedStep {
    let fields = json!({
        "id": id, "type": "Microsoft.Test/things", "apiVersion": "2024-01-01", "scope": id, "uniqueName": id, "appId": id, "application": id, "name": "n",
        "roleDefinitionId": "r", "principalId": "p", "body": {"value": value},
    });
    let digest = format!("{kind:?} {fields}");
    let needs = needs.iter().map(|need| plans::name(need)).collect();
    let desired = Desired::read(kind, &fields, &BTreeMap::new()).unwrap();
    PlannedStep { desired, needs, outputs: BTreeMap::new(), digest }
}

/// The id of one of the things.
fn thing(name: &str) -> String {
    format!("{}/{name}", plans::THINGS)
}

/// A victim of a kind in the middle: it stands on `base`, and `above` stands on it.
fn plan(kind: Kind) -> Plan {
    // A later change is of what another step has made.
    let id = if kind == Kind::ArmUpdate { thing("base") } else { thing("victim") };
    let steps = [
        ("base", step(Kind::Arm, &thing("base"), &[], 1)),
        ("victim", step(kind, &id, &["base"], 1)),
        ("above", step(Kind::Arm, &thing("above"), &["victim"], 1)),
    ];
    Plan {
        steps: steps.into_iter().map(|(name, step)| (plans::name(name), step)).collect(),
        ..plans::plan("")
    }
}

impl World {
    /// Everything is in use.
    fn active(kind: Kind) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let tenant = plans::tenant(plan(kind), now);
        let there = tenant.steps().keys().map(|name| (name.clone(), Shown::Nothing)).collect();
        let mut world = Self { tenant, there, cursed: BTreeSet::new(), deleted: Vec::new(), now };
        assert_eq!(world.play(), Outcome::Ready);
        world.tenant.operations.clear();
        world
    }

    fn fails(&mut self, name: &str) {
        self.cursed.insert(plans::name(name));
        self.there.insert(plans::name(name), Shown::Failed);
    }

    fn retry(&mut self, consent: bool) {
        let names = removal::replaceable(&self.tenant);
        wish::retry(&mut self.tenant, self.now);
        if consent {
            let consent = Consent { request_id: "retry".into(), at: self.now };
            removal::consent(&mut self.tenant, &names, &consent);
        }
    }

    fn update(&mut self, plan: Plan, consent: bool) -> Result<(), Vec<StepName>> {
        let consent = consent.then(|| Consent { request_id: "update".into(), at: self.now });
        wish::update(&mut self.tenant, plans::spec(), plan, consent.as_ref(), self.now)
    }

    /// Goes on until there is an outcome; notes what is deleted.
    fn play(&mut self) -> Outcome {
        let mut sight = Sight::new();
        for _ in 0..1000 {
            let Decision { acts, next, outcome } =
                engine::decide(&self.tenant, &sight, &BTreeSet::new(), self.now);
            if let Some(outcome) = outcome {
                return outcome;
            }
            if acts.is_empty() {
                self.now = next.unwrap();
            }
            for (name, act) in acts {
                for event in self.answers(&name, act) {
                    let turn = self.tenant.steps()[&name].turn;
                    let policy = Policy::azure();
                    engine::apply(
                        &mut self.tenant,
                        &mut sight,
                        StepEvent { step: &name, turn, event },
                        &policy,
                        self.now,
                    )
                    .unwrap();
                }
            }
        }
        panic!("no outcome: {:#?}", self.tenant.steps());
    }

    fn answers(&mut self, name: &StepName, act: Act) -> Vec<Event> {
        let shown = *self.there.entry(name.clone()).or_insert(Shown::Nothing);
        let failed =
            Cause::ours(FailureClass::Permanent, "provisioning-failed", "the resource is in state Failed");
        let doomed = self.tenant.steps()[name].is_doomed();
        match (act, doomed, shown) {
            (Act::Look, false, Shown::Nothing) => {
                vec![Event::Observed(Observation::Wanted(Comparison::Absent, None))]
            }
            (Act::Look, false, Shown::Failed) => {
                vec![Event::Observed(Observation::Wanted(Comparison::Broken(failed), None))]
            }
            (Act::Look, false, Shown::Fine) => {
                vec![Event::Observed(Observation::Wanted(Comparison::Matches(Outputs::new()), None))]
            }
            (Act::Look, true, Shown::Nothing) => vec![Event::Observed(Observation::Unwanted(Trace::Nothing))],
            (Act::Look, true, _) => {
                vec![Event::Observed(Observation::Unwanted(Trace::Present(Outputs::new())))]
            }
            (Act::Write, ..) => {
                let made = if self.cursed.contains(name) { Shown::Failed } else { Shown::Fine };
                self.there.insert(name.clone(), made);
                let id = self.tenant.plan.steps[name].desired.resource_id().map(ToString::to_string);
                vec![Event::Began { target: Some(json!({"id": id})) }, Event::Written]
            }
            (Act::Erase, ..) => {
                self.deleted.push(name.clone());
                self.there.insert(name.clone(), Shown::Nothing);
                vec![Event::Began { target: None }, Event::Written]
            }
            (Act::Poll, ..) => vec![Event::Written],
        }
    }
}

/// A way in which something could get lost.
type Way = (&'static str, fn(&mut World, Kind));

const WAYS: [Way; 9] = [
    ("it fails, and somebody retries", |world, _| {
        world.fails("victim");
        world.retry(false);
    }),
    ("what it stands on fails", |world, _| {
        world.fails("base");
        world.retry(false);
    }),
    ("what stands on it fails", |world, _| {
        world.fails("above");
        world.retry(false);
    }),
    ("everything fails", |world, _| {
        ["base", "victim", "above"].iter().for_each(|name| world.fails(name));
        world.retry(false);
    }),
    ("an update changes it, and it fails", |world, kind| {
        world.fails("victim");
        let mut next = plan(kind);
        next.steps.get_mut(&plans::name("victim")).unwrap().digest = "another".to_owned();
        world.update(next, false).unwrap();
    }),
    ("something new that it is to stand on fails", |world, kind| {
        world.fails("extra");
        world.there.remove(&plans::name("extra"));
        let mut next = plan(kind);
        next.steps.insert(plans::name("extra"), step(Kind::Arm, &thing("extra"), &[], 1));
        next.steps.get_mut(&plans::name("victim")).unwrap().needs.insert(plans::name("extra"));
        world.update(next, false).unwrap();
    }),
    ("it is deleted by hand, and what is made in its place fails", |world, _| {
        world.fails("victim");
        world.there.insert(plans::name("victim"), Shown::Nothing);
        world.retry(false);
    }),
    ("its drift is put right, and it fails", |world, _| {
        world.fails("victim");
        let all = BTreeSet::from([plans::name("victim"), plans::name("base")]);
        wish::reconcile(&mut world.tenant, &all, &all, world.now);
    }),
    ("a consent was given for the work of an earlier request", |world, _| {
        world.fails("victim");
        world.retry(false);
        let _ = world.play();
        world.retry(true);
        // Another request comes before anything was done about it.
        world.retry(false);
    }),
];

#[test]
fn nothing_in_use_is_deleted_without_consent() {
    for kind in KINDS {
        for (way, lose) in WAYS {
            let mut world = World::active(kind);
            lose(&mut world, kind);
            let outcome = world.play();
            let lost: Vec<_> = world.deleted.iter().filter(|name| name.as_str() != "extra").collect();
            assert!(lost.is_empty(), "{kind:?}: {way}: {lost:?} deleted");
            assert!(world.tenant.steps().values().all(|record| !record.is_doomed()), "{kind:?}: {way}");
            let Outcome::Halted(causes) = outcome else { panic!("{kind:?}: {way}: {outcome:?}") };
            for (name, cause) in causes {
                assert_eq!(cause.code, "provisioning-failed", "{kind:?}: {way}");
                if name.as_str() != "extra" {
                    assert_eq!(cause.class, FailureClass::NeedsConsent, "{kind:?}: {way}: {name}");
                }
                assert!(cause.resource_id.is_some(), "{kind:?}: {way}: {name}: {cause:?}");
            }
        }
    }
}

/// The same world lets everything go once it is allowed, so the test above can fail.
#[test]
fn with_consent_it_is_deleted_and_made_anew_and_the_consent_is_used_up() {
    for kind in KINDS {
        let mut world = World::active(kind);
        world.fails("victim");
        world.retry(false);
        assert!(matches!(world.play(), Outcome::Halted(_)));
        world.retry(true);
        // From now on it can be made.
        world.cursed.clear();
        if kind == Kind::ArmUpdate {
            // Its object is the one below.
            world.there.insert(plans::name("base"), Shown::Failed);
        }
        assert_eq!(world.play(), Outcome::Ready, "{kind:?}");
        let deleted: Vec<&str> = world.deleted.iter().map(StepName::as_str).collect();
        let expected: &[&str] =
            if kind == Kind::ArmUpdate { &["above", "victim", "base"] } else { &["above", "victim"] };
        assert_eq!(deleted, expected, "{kind:?}");
        assert!(world.tenant.steps().values().all(|record| record.consent.is_none()), "{kind:?}");
        world.deleted.clear();
        world.fails("victim");
        world.retry(false);
        assert!(matches!(world.play(), Outcome::Halted(_)), "{kind:?}");
        assert!(world.deleted.is_empty(), "{kind:?}: {:?}", world.deleted);
    }
}

/// A change of a plan.
type Edit = fn(&mut Plan);

#[test]
fn an_update_that_makes_something_anew_is_refused_by_the_engine_itself() {
    let changes: [(&str, Edit); 3] = [
        ("another object", |plan| {
            let victim = plan.steps.get_mut(&plans::name("victim")).unwrap();
            victim.desired = step(victim.kind(), &thing("other"), &[], 1).desired;
        }),
        ("another kind", |plan| {
            let victim = plan.steps.get_mut(&plans::name("victim")).unwrap();
            let kind = if victim.kind() == Kind::RoleAssignment { Kind::Arm } else { Kind::RoleAssignment };
            victim.desired = step(kind, &thing("victim"), &[], 1).desired;
        }),
        ("what it stands on is dropped", |plan| {
            plan.steps.remove(&plans::name("base"));
            plan.steps.get_mut(&plans::name("victim")).unwrap().needs.clear();
        }),
    ];
    for kind in KINDS {
        for (name, change) in changes {
            let mut world = World::active(kind);
            let mut next = plan(kind);
            change(&mut next);
            let before = world.tenant.clone();
            let refused = world.update(next.clone(), false).unwrap_err();
            assert!(refused.contains(&plans::name("victim")), "{kind:?}: {name}: {refused:?}");
            assert_eq!(world.tenant, before, "{kind:?}: {name}: a refusal changes nothing");
            world.update(next, true).unwrap();
            let ground = world.tenant.steps()[&plans::name("victim")].ground();
            assert!(matches!(ground, Some(Ground::Consent(_))), "{kind:?}: {name}: {ground:?}");
            assert_eq!(world.play(), Outcome::Ready, "{kind:?}: {name}");
        }
    }
}

/// Whoever marks a step, and whatever a document says: no deletion is decided that nothing stands for.
#[test]
fn a_mark_without_a_reason_deletes_nothing() {
    for kind in KINDS {
        let mut world = World::active(kind);
        let now = world.now;
        world.tenant.change_step(&plans::name("victim"), |record| {
            record.begin_anew(now);
            record.removal = Some(Removal::default());
        });
        let _ = world.play();
        assert!(world.deleted.is_empty(), "{kind:?}");
        assert!(!matches!(world.tenant.steps()[&plans::name("victim")].state, StepState::Gone(_)));
    }
}

/// Consent is a part of the document, so that a crash does not lose it, nor what it was given for.
#[test]
fn consent_survives_a_crash() {
    let mut world = World::active(Kind::Arm);
    world.fails("victim");
    world.retry(false);
    assert!(matches!(world.play(), Outcome::Halted(_)));
    world.retry(true);
    world.cursed.clear();
    world.tenant = Tenant::from_json(world.tenant.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(world.play(), Outcome::Ready);
    assert_eq!(world.deleted.len(), 2);
}

/// What was there before the first write of this document may be in use as well.
#[test]
fn what_was_found_is_not_deleted_either() {
    let mut world = World::active(Kind::Arm);
    // The state is lost, and the tenant signed up again.
    world.tenant = plans::tenant(plan(Kind::Arm), world.now);
    world.fails("victim");
    let Outcome::Halted(causes) = world.play() else { panic!("it can't be ready") };
    assert_eq!(causes[&plans::name("victim")].class, FailureClass::NeedsConsent);
    assert!(world.deleted.is_empty());
}
