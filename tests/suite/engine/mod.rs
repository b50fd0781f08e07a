//! Scenarios of the engine: each script in `scenarios` has a snapshot of its trace beside it.
//!
//! A script is a list of commands, played against `decide` and `apply` with a clock that only `wait` moves; the
//! snapshot shows after each command what changed, the published events and what the engine does next. `script.rs`
//! lists the commands.

mod consent;
pub(crate) mod plans;
mod script;

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use serde_json::json;
use tenantry_core::{
    blueprint::Kind,
    engine::{self, Discrepancies, Event, Policy, StepEvent, desired},
    steps::Failure,
    tenant::{Cause, Consent, Effort, FailureClass, Removal, StepState},
};

#[test]
fn every_scenario_has_its_trace() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/engine/scenarios");
    let mut scripts: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    scripts.sort();
    assert!(scripts.len() > 15, "{} scripts", scripts.len());
    for path in scripts {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let trace = script::play(&fs::read_to_string(&path).unwrap());
        insta::with_settings!({ snapshot_path => "scenarios", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, trace);
        });
    }
}

/// An answer that comes after another pass has finished the step is too late to be applied, but the pause that it asks
/// for is kept for the next request.
#[test]
fn a_pause_from_a_late_answer_is_kept() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a"), now);
    let name = plans::name("a");
    let cause = Cause::ours(FailureClass::Throttled, "TooManyRequests", "too many");
    let throttled =
        |after: Option<Duration>| Event::Failed(Failure { retry_after: after, ..cause.clone().into() });
    let (policy, discrepancies) = (Policy::azure(), Discrepancies::new());
    // Another pass has finished the step meanwhile.
    tenant.change_step(&name, |record| record.enter(StepState::Ready));
    let event = throttled(Some(Duration::from_secs(90)));
    let late = engine::apply(
        &mut tenant,
        &mut Discrepancies::new(),
        StepEvent { step: &name, generation: 0, event: event.clone() },
        &policy,
        now,
    );
    assert!(late.is_err(), "{late:?}");
    assert_eq!(engine::hold_off(&mut tenant, &name, &event, &policy, now), engine::Change::Minor);
    assert_eq!(engine::hold_off(&mut tenant, &name, &throttled(None), &policy, now), engine::Change::None);
    // The step is read again in another generation, but not before the pause is over.
    desired::retry(&mut tenant, now);
    let decision = engine::decide(&tenant, &discrepancies, &BTreeSet::new(), now);
    let until = now + Duration::from_secs(90);
    assert_eq!((decision.acts.len(), decision.next), (0, Some(until)));
    assert_eq!(engine::decide(&tenant, &discrepancies, &BTreeSet::new(), until).acts.len(), 1);
}

/// A check reads the same address as the step that it checks, and an isolation check reads the addresses of all steps,
/// so a pause of a step holds for both.
#[test]
fn a_pause_from_a_late_answer_holds_for_every_step_with_that_address() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a b:check<a c<a d:isolation<c"), now);
    let cause = Cause::ours(FailureClass::Throttled, "TooManyRequests", "too many");
    let throttled = Event::Failed(Failure { retry_after: Some(Duration::from_secs(90)), ..cause.into() });
    engine::hold_off(&mut tenant, &plans::name("a"), &throttled, &Policy::azure(), now);
    let held = |name: &str| tenant.steps()[&plans::name(name)].not_before.is_some();
    assert_eq!(["a", "b", "c", "d"].map(held), [true, true, false, true]);
    // A check's pause holds for the step whose resource it checks.
    let mut tenant = plans::tenant(plans::plan("a b:check<a c<a"), now);
    engine::hold_off(&mut tenant, &plans::name("b"), &throttled, &Policy::azure(), now);
    let held = |name: &str| tenant.steps()[&plans::name(name)].not_before.is_some();
    assert_eq!(["a", "b", "c"].map(held), [true, true, false]);
}

/// Undoing the change of an `ArmUpdate` step is refused, so it is left to the deletion of the resource by the
/// resource's own step. Both steps send to one address, so the pause holds for that step too.
#[test]
fn a_pause_holds_for_the_step_that_takes_over_a_deletion() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a b c"), now);
    let target = |name: &str| json!({"id": format!("/subscriptions/s/resourceGroups/{name}")});
    for (name, at) in [("a", "Rg"), ("b", "rg"), ("c", "other")] {
        tenant.change_step(&plans::name(name), |record| {
            (record.target, record.removal) = (Some(target(at)), Some(Removal::default()));
            record.state.effort_mut().attempts = 100;
        });
    }
    tenant.change_step(&plans::name("b"), |record| record.kind = Kind::ArmUpdate);
    let cause = Cause::ours(FailureClass::Throttled, "TooManyRequests", "too many");
    let throttled = Event::Failed(Failure { retry_after: Some(Duration::from_secs(90)), ..cause.into() });
    let (name, policy) = (plans::name("b"), Policy::azure());
    engine::apply(
        &mut tenant,
        &mut Discrepancies::new(),
        StepEvent { step: &name, generation: 0, event: throttled },
        &policy,
        now,
    )
    .unwrap();
    let held = |name: &str| tenant.steps()[&plans::name(name)].not_before.is_some();
    assert_eq!(["a", "b", "c"].map(held), [true, true, false]);
    assert_eq!(tenant.steps()[&name].left_to(), Some(&plans::name("a")));
}

/// A step that leaves the plan before its object was created, and comes back with the next plan, keeps the pause that
/// its service asked for.
#[test]
fn a_pause_is_kept_while_its_step_is_not_in_the_plan() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a b"), now);
    let (name, until) = (plans::name("b"), now + Duration::from_secs(90));
    tenant.change_step(&name, |record| record.not_before = Some(until));
    for plan in ["a", "a b"] {
        desired::update(&mut tenant, plans::spec(), plans::plan(plan), None, now).unwrap();
    }
    assert_eq!(tenant.steps()[&name].not_before, Some(until));
    assert!(tenant.steps()[&name].state.is_waiting() && !tenant.steps()[&name].is_marked_for_deletion());
    // Once the pause is over, it is not kept.
    for plan in ["a", "a b"] {
        desired::update(&mut tenant, plans::spec(), plans::plan(plan), None, until).unwrap();
    }
    assert_eq!(tenant.steps()[&name].not_before, None);
}

/// A step generation that a worker has begun only in memory must differ from the generation of another desired state
/// that was saved meanwhile.
#[test]
fn an_unsaved_step_generation_differs_from_a_saved_one() {
    let now = jiff::Timestamp::default();
    let saved = plans::tenant(plans::plan("a b"), now);
    let (mut past, mut tenant) = (saved.clone(), saved);
    let (other, same) = (plans::name("a"), plans::name("b"));
    for step in [&other, &same] {
        past.change_step(step, |record| record.restart(now));
        tenant.change_step(step, |record| record.restart(now));
    }
    tenant.change_step(&other, |record| "of another desired state".clone_into(&mut record.digest));
    engine::outrun(&mut tenant, &past);
    assert!(tenant.steps()[&other].generation > past.steps()[&other].generation);
    assert_eq!(tenant.steps()[&same].generation, past.steps()[&same].generation);
}

/// The cause for which a step is given up is that of the last answer; a later request without an answer does not
/// replace it.
#[test]
fn a_step_that_is_given_up_has_the_cause_of_the_last_answer() {
    let given_up_for = |failures: &[Cause]| {
        let start = jiff::Timestamp::default();
        let (mut tenant, name) = (plans::tenant(plans::plan("a"), start), plans::name("a"));
        let policy = Policy::azure();
        for (number, cause) in (0..).zip(failures.iter().cycle().take(100)) {
            let now = start + Duration::from_secs(3_600 * number);
            let event = Event::Failed(cause.clone().into());
            engine::apply(
                &mut tenant,
                &mut Discrepancies::new(),
                StepEvent { step: &name, generation: 0, event },
                &policy,
                now,
            )
            .unwrap();
            if let Some(cause) = tenant.steps()[&name].state.blocked() {
                return cause.code.clone();
            }
        }
        String::new()
    };
    let waiting = Cause::ours(FailureClass::Wait, "check-failed", "it is still being made");
    let silence = Cause::ours(FailureClass::Ambiguous, "no-answer", "no answer");
    assert_eq!(given_up_for(&[waiting.clone(), silence.clone()]), "check-failed");
    assert_eq!(given_up_for(&[silence.clone(), waiting]), "check-failed");
    // If no request was ever answered, the missing answer is the cause.
    assert_eq!(given_up_for(&[silence]), "no-answer");
}

/// `recreations` lists in advance what an update deletes and recreates; intake asks for `allowReplace` then.
#[test]
fn an_update_lists_in_advance_what_it_recreates() {
    let rows = [
        ("the same", "group store<group top<store", vec![]),
        ("another value", "group store=2<group top<store", vec![]),
        ("another id", "group store#2<group top<store", vec!["store", "top"]),
        ("another kind", "group store:role-assignment<group top<store", vec!["store", "top"]),
        ("dropped with its dependent", "group", vec![]),
        ("dropped, its dependent stays", "group top<group", vec!["top"]),
        ("something new", "group store<group top<store new<top", vec![]),
    ];
    for (name, plan, expected) in rows {
        let now = jiff::Timestamp::default();
        let mut tenant = plans::tenant(plans::plan("group store<group top<store"), now);
        for name in ["group", "store", "top"].map(plans::name) {
            tenant.change_step(&name, |record| {
                record.enter(StepState::Ready);
                record.target = Some(serde_json::json!({}));
            });
        }
        let plan = plans::plan(plan);
        let listed: Vec<String> =
            desired::recreations(&tenant, &plan).iter().map(ToString::to_string).collect();
        assert_eq!(listed, expected, "{name}");
        let refused = desired::update(&mut tenant.clone(), plans::spec(), plan.clone(), None, now);
        assert_eq!(refused.is_err(), !expected.is_empty(), "{name}: not without consent");
        let consent = Consent { request_id: "request".into(), at: now };
        desired::update(&mut tenant, plans::spec(), plan.clone(), Some(&consent), now).unwrap();
        let deleting = tenant
            .steps()
            .iter()
            .filter(|(name, record)| record.is_marked_for_deletion() && plan.steps.contains_key(*name));
        let done: Vec<&str> = deleting.map(|(name, _)| name.as_str()).collect();
        assert_eq!(done, expected, "{name}: and does just that");
        assert!(
            desired::recreations(&tenant, &plan).is_empty(),
            "{name}: the next update does not answer for it"
        );
    }
}

/// Only operations that have ended in an unknown code count after Azure has shown an operation in progress. Without this
/// a step would be given up for refused reads hours apart; if all were forgotten, a write whose operation always fails
/// would be repeated forever.
#[test]
fn refused_reads_no_longer_count_once_an_operation_is_shown_in_progress() {
    let mut effort = Effort::none(jiff::Timestamp::UNIX_EPOCH);
    effort.fail(true);
    effort.fail(true);
    effort.progress();
    assert_eq!(effort.unknown, 0);
    for ended in 0..4 {
        effort.send(Vec::new());
        effort.carry_out();
        effort.fail(true);
        effort.progress();
        assert_eq!(effort.unknown, ended, "operations that have ended in an unknown code");
        // The operation ends in an unknown code.
        effort.written = false;
        effort.unknown = ended + 1;
    }
}
