//! No object that was in use is deleted without consent: tried for every kind of step, in every situation that could
//! lead to a deletion.

mod parts;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::{Desired, Kind, Outputs, Plan, PlannedStep},
    engine::{
        self, Act, Decision, Discrepancies, Event, Observation, Outcome, Policy, StepEvent, desired, removal,
    },
    ids::StepName,
    steps::{Comparison, DeletionState},
    tenant::{Cause, Consent, FailureClass, Ground, Removal, StepState, Tenant},
};

use super::plans;

/// Every kind of step that creates or changes an object.
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

/// A tenant, and a model of Azure in which the writes of some objects always end in the state Failed.
struct Fixture {
    tenant: Tenant,
    there: BTreeMap<StepName, Shown>,
    /// Steps whose writes always fail.
    failing: BTreeSet<StepName>,
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

/// The resource id of an object by its name.
fn thing(name: &str) -> String {
    format!("{}/{name}", plans::THINGS)
}

/// A plan with a step `victim` of this kind, which depends on `base`; the step `above` depends on `victim`.
fn plan(kind: Kind) -> Plan {
    // A step of the kind `ArmUpdate` changes the object of another step.
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

impl Fixture {
    /// A tenant whose steps are all ready, so that all its objects are in use.
    fn active(kind: Kind) -> Self {
        let now = Timestamp::UNIX_EPOCH;
        let tenant = plans::tenant(plan(kind), now);
        let there = tenant.steps().keys().map(|name| (name.clone(), Shown::Nothing)).collect();
        let mut fixture = Self { tenant, there, failing: BTreeSet::new(), deleted: Vec::new(), now };
        assert_eq!(fixture.play(), Outcome::Ready);
        fixture.tenant.operations.clear();
        fixture
    }

    fn fails(&mut self, name: &str) {
        self.failing.insert(plans::name(name));
        self.there.insert(plans::name(name), Shown::Failed);
    }

    fn retry(&mut self, consent: bool) {
        let names = removal::replaceable(&self.tenant);
        desired::retry(&mut self.tenant, self.now);
        if consent {
            let consent = Consent { request_id: "retry".into(), at: self.now };
            removal::consent(&mut self.tenant, &names, &consent);
        }
    }

    fn update(&mut self, plan: Plan, consent: bool) -> Result<(), Vec<StepName>> {
        let consent = consent.then(|| Consent { request_id: "update".into(), at: self.now });
        desired::update(&mut self.tenant, plans::spec(), plan, consent.as_ref(), self.now)
    }

    /// Decides, and applies the answers of Azure, until there is an outcome; records which steps are deleted.
    fn play(&mut self) -> Outcome {
        let mut discrepancies = Discrepancies::new();
        for _ in 0..1000 {
            let Decision { acts, next, outcome } =
                engine::decide(&self.tenant, &discrepancies, &BTreeSet::new(), self.now);
            if let Some(outcome) = outcome {
                return outcome;
            }
            if acts.is_empty() {
                self.now = next.unwrap();
            }
            for (name, act) in acts {
                for event in self.answers(&name, act) {
                    let generation = self.tenant.steps()[&name].generation;
                    let policy = Policy::azure();
                    engine::apply(
                        &mut self.tenant,
                        &mut discrepancies,
                        StepEvent { step: &name, generation, event },
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
        let deleting = self.tenant.steps()[name].is_marked_for_deletion();
        match (act, deleting, shown) {
            (Act::Read, false, Shown::Nothing) => {
                vec![Event::Observed(Observation::Compared(Comparison::Absent, None))]
            }
            (Act::Read, false, Shown::Failed) => {
                vec![Event::Observed(Observation::Compared(Comparison::Failed(failed), None))]
            }
            (Act::Read, false, Shown::Fine) => {
                vec![Event::Observed(Observation::Compared(Comparison::Matches(Outputs::new()), None))]
            }
            (Act::Read, true, Shown::Nothing) => {
                vec![Event::Observed(Observation::Searched(DeletionState::Nothing))]
            }
            (Act::Read, true, _) => {
                vec![Event::Observed(Observation::Searched(DeletionState::Present(Outputs::new())))]
            }
            (Act::Write, ..) => {
                let made = if self.failing.contains(name) { Shown::Failed } else { Shown::Fine };
                self.there.insert(name.clone(), made);
                let id = self.tenant.plan.steps[name].desired.resource_id().map(ToString::to_string);
                vec![Event::Began { target: Some(json!({"id": id})) }, Event::Written]
            }
            (Act::Delete, ..) => {
                self.deleted.push(name.clone());
                self.there.insert(name.clone(), Shown::Nothing);
                vec![Event::Began { target: None }, Event::Written]
            }
            (Act::Poll, ..) => vec![Event::Written],
        }
    }
}

/// A situation in which an object in use could be deleted by mistake: its description, and a function that causes it.
type Way = (&'static str, fn(&mut Fixture, Kind));

const WAYS: [Way; 9] = [
    ("it fails, and somebody retries", |fixture, _| {
        fixture.fails("victim");
        fixture.retry(false);
    }),
    ("what it depends on fails", |fixture, _| {
        fixture.fails("base");
        fixture.retry(false);
    }),
    ("its dependent fails", |fixture, _| {
        fixture.fails("above");
        fixture.retry(false);
    }),
    ("everything fails", |fixture, _| {
        ["base", "victim", "above"].iter().for_each(|name| fixture.fails(name));
        fixture.retry(false);
    }),
    ("an update changes it, and it fails", |fixture, kind| {
        fixture.fails("victim");
        let mut next = plan(kind);
        next.steps.get_mut(&plans::name("victim")).unwrap().digest = "another".to_owned();
        fixture.update(next, false).unwrap();
    }),
    ("a new step that it is to depend on fails", |fixture, kind| {
        fixture.fails("extra");
        fixture.there.remove(&plans::name("extra"));
        let mut next = plan(kind);
        next.steps.insert(plans::name("extra"), step(Kind::Arm, &thing("extra"), &[], 1));
        next.steps.get_mut(&plans::name("victim")).unwrap().needs.insert(plans::name("extra"));
        fixture.update(next, false).unwrap();
    }),
    ("it is deleted by hand, and what replaces it fails", |fixture, _| {
        fixture.fails("victim");
        fixture.there.insert(plans::name("victim"), Shown::Nothing);
        fixture.retry(false);
    }),
    ("its drift is corrected, and it fails", |fixture, _| {
        fixture.fails("victim");
        let all = BTreeSet::from([plans::name("victim"), plans::name("base")]);
        desired::reconcile(&mut fixture.tenant, &all, &all, fixture.now);
    }),
    ("a consent was given for the work of an earlier request", |fixture, _| {
        fixture.fails("victim");
        fixture.retry(false);
        let _ = fixture.play();
        fixture.retry(true);
        // Another request comes before the engine has acted on the consent.
        fixture.retry(false);
    }),
];

#[test]
fn nothing_in_use_is_deleted_without_consent() {
    for kind in KINDS {
        for (way, lose) in WAYS {
            let mut fixture = Fixture::active(kind);
            lose(&mut fixture, kind);
            let outcome = fixture.play();
            let lost: Vec<_> = fixture.deleted.iter().filter(|name| name.as_str() != "extra").collect();
            assert!(lost.is_empty(), "{kind:?}: {way}: {lost:?} deleted");
            assert!(
                fixture.tenant.steps().values().all(|record| !record.is_marked_for_deletion()),
                "{kind:?}: {way}"
            );
            let Outcome::Blocked(causes) = outcome else { panic!("{kind:?}: {way}: {outcome:?}") };
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

/// With consent, the fixture of [`nothing_in_use_is_deleted_without_consent`] deletes the object, which shows that that
/// test can fail.
#[test]
fn with_consent_an_object_is_recreated_and_the_consent_is_used_up() {
    for kind in KINDS {
        let mut fixture = Fixture::active(kind);
        fixture.fails("victim");
        fixture.retry(false);
        assert!(matches!(fixture.play(), Outcome::Blocked(_)));
        fixture.retry(true);
        // From now on the object can be created.
        fixture.failing.clear();
        if kind == Kind::ArmUpdate {
            // The object of such a step is that of the step `base`.
            fixture.there.insert(plans::name("base"), Shown::Failed);
        }
        assert_eq!(fixture.play(), Outcome::Ready, "{kind:?}");
        let deleted: Vec<&str> = fixture.deleted.iter().map(StepName::as_str).collect();
        let expected: &[&str] =
            if kind == Kind::ArmUpdate { &["above", "victim", "base"] } else { &["above", "victim"] };
        assert_eq!(deleted, expected, "{kind:?}");
        assert!(fixture.tenant.steps().values().all(|record| record.consent.is_none()), "{kind:?}");
        fixture.deleted.clear();
        fixture.fails("victim");
        fixture.retry(false);
        assert!(matches!(fixture.play(), Outcome::Blocked(_)), "{kind:?}");
        assert!(fixture.deleted.is_empty(), "{kind:?}: {:?}", fixture.deleted);
    }
}

/// A change of a plan.
type Edit = fn(&mut Plan);

#[test]
fn the_engine_refuses_an_update_that_recreates_objects_without_consent() {
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
        ("what it depends on is dropped", |plan| {
            plan.steps.remove(&plans::name("base"));
            plan.steps.get_mut(&plans::name("victim")).unwrap().needs.clear();
        }),
    ];
    for kind in KINDS {
        for (name, change) in changes {
            let mut fixture = Fixture::active(kind);
            let mut next = plan(kind);
            change(&mut next);
            let before = fixture.tenant.clone();
            let refused = fixture.update(next.clone(), false).unwrap_err();
            assert!(refused.contains(&plans::name("victim")), "{kind:?}: {name}: {refused:?}");
            assert_eq!(fixture.tenant, before, "{kind:?}: {name}: a refusal changes nothing");
            fixture.update(next, true).unwrap();
            let ground = fixture.tenant.steps()[&plans::name("victim")].ground();
            assert!(matches!(ground, Some(Ground::Consent(_))), "{kind:?}: {name}: {ground:?}");
            assert_eq!(fixture.play(), Outcome::Ready, "{kind:?}: {name}");
        }
    }
}

/// A step that is marked for deletion without a recorded reason is not deleted, whatever has marked it.
#[test]
fn a_mark_without_a_reason_deletes_nothing() {
    for kind in KINDS {
        let mut fixture = Fixture::active(kind);
        let now = fixture.now;
        fixture.tenant.change_step(&plans::name("victim"), |record| {
            record.restart(now);
            record.removal = Some(Removal::default());
        });
        let _ = fixture.play();
        assert!(fixture.deleted.is_empty(), "{kind:?}");
        assert!(!matches!(fixture.tenant.steps()[&plans::name("victim")].state, StepState::Deleted(_)));
    }
}

/// Consent is part of the document, so a crash loses neither the consent nor the list of steps that it was given for.
#[test]
fn consent_survives_a_crash() {
    let mut fixture = Fixture::active(Kind::Arm);
    fixture.fails("victim");
    fixture.retry(false);
    assert!(matches!(fixture.play(), Outcome::Blocked(_)));
    fixture.retry(true);
    fixture.failing.clear();
    fixture.tenant = Tenant::from_json(fixture.tenant.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(fixture.play(), Outcome::Ready);
    assert_eq!(fixture.deleted.len(), 2);
}

/// An object that existed before the first write may be in use as well.
#[test]
fn an_object_that_existed_before_the_first_write_is_not_deleted() {
    let mut fixture = Fixture::active(Kind::Arm);
    // The state is lost, and the tenant is signed up again.
    fixture.tenant = plans::tenant(plan(Kind::Arm), fixture.now);
    fixture.fails("victim");
    let Outcome::Blocked(causes) = fixture.play() else { panic!("it can't be ready") };
    assert_eq!(causes[&plans::name("victim")].class, FailureClass::NeedsConsent);
    assert!(fixture.deleted.is_empty());
}
