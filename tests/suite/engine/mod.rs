//! Scenarios of the engine: each script in `scenarios` beside the trace that it leaves.
//!
//! A script is a list of commands, played by hand against `decide` and `apply` with a clock that only `wait` moves; the
//! snapshot shows after each command what changed, what was told and what the engine wants next. `script.rs`
//! lists the commands.

mod consent;
pub(crate) mod plans;
mod script;

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use serde_json::json;
use tenantry_core::{
    blueprint::Kind,
    engine::{self, Event, Policy, Sight, StepEvent, wish},
    steps::Failure,
    tenant::{Cause, Consent, FailureClass, Removal, StepState},
};

#[test]
fn every_scenario_leaves_its_trace() {
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

/// Whoever has finished the turn that an answer was about: the pause that it asked for is kept for what comes next.
#[test]
fn a_pause_that_was_told_too_late_is_kept() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a"), now);
    let name = plans::name("a");
    let cause = Cause::ours(FailureClass::Throttled, "TooManyRequests", "too many");
    let told =
        |after: Option<Duration>| Event::Failed(Failure { retry_after: after, ..cause.clone().into() });
    let (policy, sight) = (Policy::azure(), Sight::new());
    // Another pass has finished the step meanwhile.
    tenant.change_step(&name, |record| record.enter(StepState::Ready));
    let event = told(Some(Duration::from_secs(90)));
    let late = engine::apply(
        &mut tenant,
        &mut Sight::new(),
        StepEvent { step: &name, turn: 0, event: event.clone() },
        &policy,
        now,
    );
    assert!(late.is_err(), "{late:?}");
    assert_eq!(engine::hold_off(&mut tenant, &name, &event, &policy, now), engine::Change::Minor);
    assert_eq!(engine::hold_off(&mut tenant, &name, &told(None), &policy, now), engine::Change::None);
    // It is looked at again, in another turn: not before the service wants to be asked.
    wish::retry(&mut tenant, now);
    let decision = engine::decide(&tenant, &sight, &BTreeSet::new(), now);
    let until = now + Duration::from_secs(90);
    assert_eq!((decision.acts.len(), decision.next), (0, Some(until)));
    assert_eq!(engine::decide(&tenant, &sight, &BTreeSet::new(), until).acts.len(), 1);
}

/// Who checks a step's resource asks at the same address, and a proof asks at all of them: the pause is theirs as well.
#[test]
fn a_pause_that_was_told_too_late_holds_for_whoever_asks_there() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a b:check<a c<a d:isolation<c"), now);
    let cause = Cause::ours(FailureClass::Throttled, "TooManyRequests", "too many");
    let told = Event::Failed(Failure { retry_after: Some(Duration::from_secs(90)), ..cause.into() });
    engine::hold_off(&mut tenant, &plans::name("a"), &told, &Policy::azure(), now);
    let held = |name: &str| tenant.steps()[&plans::name(name)].not_before.is_some();
    assert_eq!(["a", "b", "c", "d"].map(held), [true, true, false, true]);
    // What a check was told holds for the step whose resource it checks.
    let mut tenant = plans::tenant(plans::plan("a b:check<a c<a"), now);
    engine::hold_off(&mut tenant, &plans::name("b"), &told, &Policy::azure(), now);
    let held = |name: &str| tenant.steps()[&plans::name(name)].not_before.is_some();
    assert_eq!(["a", "b", "c"].map(held), [true, true, false]);
}

/// Who goes on with a resource after a change of it could not be undone asks at the same address: the pause is theirs, too.
#[test]
fn a_pause_holds_for_whoever_goes_on_in_the_place_of_a_part() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a b c"), now);
    let place = |name: &str| json!({"id": format!("/subscriptions/s/resourceGroups/{name}")});
    for (name, at) in [("a", "Rg"), ("b", "rg"), ("c", "other")] {
        tenant.change_step(&plans::name(name), |record| {
            (record.target, record.removal) = (Some(place(at)), Some(Removal::default()));
            record.state.effort_mut().attempts = 100;
        });
    }
    tenant.change_step(&plans::name("b"), |record| record.kind = Kind::ArmUpdate);
    let cause = Cause::ours(FailureClass::Throttled, "TooManyRequests", "too many");
    let told = Event::Failed(Failure { retry_after: Some(Duration::from_secs(90)), ..cause.into() });
    let (name, policy) = (plans::name("b"), Policy::azure());
    engine::apply(
        &mut tenant,
        &mut Sight::new(),
        StepEvent { step: &name, turn: 0, event: told },
        &policy,
        now,
    )
    .unwrap();
    let held = |name: &str| tenant.steps()[&plans::name(name)].not_before.is_some();
    assert_eq!(["a", "b", "c"].map(held), [true, true, false]);
    assert_eq!(tenant.steps()[&name].left_to(), Some(&plans::name("a")));
}

/// A step that leaves the plan before anything of it was made, and comes back, still leaves its service alone.
#[test]
fn a_pause_outlives_a_wish_without_its_step() {
    let now = jiff::Timestamp::default();
    let mut tenant = plans::tenant(plans::plan("a b"), now);
    let (name, until) = (plans::name("b"), now + Duration::from_secs(90));
    tenant.change_step(&name, |record| record.not_before = Some(until));
    for plan in ["a", "a b"] {
        wish::update(&mut tenant, plans::spec(), plans::plan(plan), None, now).unwrap();
    }
    assert_eq!(tenant.steps()[&name].not_before, Some(until));
    assert!(tenant.steps()[&name].state.is_waiting() && !tenant.steps()[&name].is_doomed());
    // Once the pause is over there is nothing to remember.
    for plan in ["a", "a b"] {
        wish::update(&mut tenant, plans::spec(), plans::plan(plan), None, until).unwrap();
    }
    assert_eq!(tenant.steps()[&name].not_before, None);
}

/// A turn that a worker has begun in memory alone is not that of a wish which somebody else has saved meanwhile.
#[test]
fn no_answer_is_taken_for_one_about_another_wish() {
    let now = jiff::Timestamp::default();
    let saved = plans::tenant(plans::plan("a b"), now);
    let (mut past, mut tenant) = (saved.clone(), saved);
    let (other, same) = (plans::name("a"), plans::name("b"));
    for step in [&other, &same] {
        past.change_step(step, |record| record.begin_anew(now));
        tenant.change_step(step, |record| record.begin_anew(now));
    }
    tenant.change_step(&other, |record| "of another wish".clone_into(&mut record.digest));
    engine::outrun(&mut tenant, &past);
    assert!(tenant.steps()[&other].turn > past.steps()[&other].turn);
    assert_eq!(tenant.steps()[&same].turn, past.steps()[&same].turn);
}

/// That the last question was not answered is no reason to give up: the reason is what was answered before it.
#[test]
fn a_step_is_given_up_for_what_was_answered() {
    let given_up_for = |failures: &[Cause]| {
        let start = jiff::Timestamp::default();
        let (mut tenant, name) = (plans::tenant(plans::plan("a"), start), plans::name("a"));
        let policy = Policy::azure();
        for (number, cause) in (0..).zip(failures.iter().cycle().take(100)) {
            let now = start + Duration::from_secs(3_600 * number);
            let event = Event::Failed(cause.clone().into());
            engine::apply(
                &mut tenant,
                &mut Sight::new(),
                StepEvent { step: &name, turn: 0, event },
                &policy,
                now,
            )
            .unwrap();
            if let Some(cause) = tenant.steps()[&name].state.halted() {
                return cause.code.clone();
            }
        }
        String::new()
    };
    let wanting = Cause::ours(FailureClass::Wait, "check-failed", "it is still being made");
    let silence = Cause::ours(FailureClass::Ambiguous, "no-answer", "no answer");
    assert_eq!(given_up_for(&[wanting.clone(), silence.clone()]), "check-failed");
    assert_eq!(given_up_for(&[silence.clone(), wanting]), "check-failed");
    // Where nothing else was ever answered, that is the reason.
    assert_eq!(given_up_for(&[silence]), "no-answer");
}

/// What an update says beforehand of what it removes and makes anew; the intake asks for `allowReplace` then.
#[test]
fn an_update_knows_beforehand_what_it_makes_anew() {
    let rows = [
        ("the same", "group store<group top<store", vec![]),
        ("another value", "group store=2<group top<store", vec![]),
        ("another id", "group store#2<group top<store", vec!["store", "top"]),
        ("another kind", "group store:role-assignment<group top<store", vec!["store", "top"]),
        ("dropped, with what stands on it", "group", vec![]),
        ("dropped, and what stood on it stays", "group top<group", vec!["top"]),
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
        let said: Vec<String> = wish::made_anew(&tenant, &plan).iter().map(ToString::to_string).collect();
        assert_eq!(said, expected, "{name}");
        let refused = wish::update(&mut tenant.clone(), plans::spec(), plan.clone(), None, now);
        assert_eq!(refused.is_err(), !expected.is_empty(), "{name}: not without consent");
        let consent = Consent { request_id: "request".into(), at: now };
        wish::update(&mut tenant, plans::spec(), plan.clone(), Some(&consent), now).unwrap();
        let doomed = tenant
            .steps()
            .iter()
            .filter(|(name, record)| record.is_doomed() && plan.steps.contains_key(*name));
        let done: Vec<&str> = doomed.map(|(name, _)| name.as_str()).collect();
        assert_eq!(done, expected, "{name}: and does just that");
        assert!(wish::made_anew(&tenant, &plan).is_empty(), "{name}: the next update does not answer for it");
    }
}
