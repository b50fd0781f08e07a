//! The commands of the scenario scripts.
//!
//! | command | what it does |
//! |---|---|
//! | `sign-up PLAN`, `update PLAN`, `remove`, `retry` | changes the desired state; `plans.rs` has the form of a plan |
//! | `update-allowed PLAN`, `retry-allowed` | the same with consent to recreate what was in use |
//! | `read STEP absent, matches, drifted, immutable, in-progress, foreign, failed or soft-deleted` | answers a read |
//! | `find STEP nothing, present, soft-deleted, in-progress, retained or foreign` | answers a read of a deleting step |
//! | `write STEP`, `delete STEP` | records an intent, as before sending |
//! | `done STEP` | a write or delete was carried out |
//! | `running STEP [url] [limit SECONDS] [after SECONDS]` | Azure works on the step's object |
//! | `unanswered STEP [after SECONDS]` | the poll of its operation was not answered |
//! | `fail STEP CLASS [code CODE] [after SECONDS]` | the request failed |
//! | `prove STEP violated [after SECONDS]` | an isolation check is violated; `after`: a service asks for a pause |
//! | `wait SECONDS`, `wait` | moves the clock: by this time, or to the time at which the next act is due |
//! | `carry on` | answers all acts with success, until the engine waits or has an outcome |
//! | `repeat N COMMAND` | runs the command N times; the trace shows only the last run |
//!
//! `STEP@GENERATION` names an earlier step generation. If the engine has an outcome, it is concluded at once.

mod terms;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tenantry_core::{
    blueprint::Outputs,
    engine::{
        self, Act, Decision, Discrepancies, Event, Observation, Outcome, Policy, StepEvent, desired, removal,
    },
    ids::StepName,
    steps::{Comparison, DeletionState, Failure},
    tenant::{
        Action, Cause, Consent, EntryContent, FailureClass, Poll, PollStyle, Proof, Proven, StepState, Tenant,
    },
};

use super::plans;

use terms::{acts_text, after, comparison, deletion_state, duration, named};

/// Plays a script and returns its trace.
pub(crate) fn play(script: &str) -> String {
    let mut harness = Harness::default();
    for line in script.lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            let _ = writeln!(harness.trace, "{line}");
            continue;
        }
        harness.command(line);
    }
    harness.trace
}

#[derive(Default)]
struct Harness {
    now: Timestamp,
    tenant: Option<Tenant>,
    discrepancies: Discrepancies,
    /// The steps whose objects `carry on` has created and not deleted again.
    there: BTreeSet<StepName>,
    trace: String,
}

impl Harness {
    fn tenant(&mut self) -> &mut Tenant {
        self.tenant.as_mut().unwrap()
    }

    fn command(&mut self, line: &str) {
        let line = line.split('#').next().filter(|_| line.contains(" # ")).unwrap_or(line).trim();
        let (count, line) = match line.strip_prefix("repeat ") {
            Some(rest) => rest.split_once(' ').map(|(count, rest)| (count.parse().unwrap(), rest)).unwrap(),
            None => (1, line),
        };
        for round in 1..=count {
            if round == count {
                let times = if count > 1 { format!("  (the last of {count})") } else { String::new() };
                let _ = writeln!(self.trace, "> {line}{times}");
            }
            let kept = self.trace.len();
            let before = self.tenant.clone();
            for part in line.split("; ") {
                self.single(part);
            }
            self.changes(before.as_ref());
            self.decided();
            if round < count {
                self.trace.truncate(kept);
            }
        }
    }

    fn single(&mut self, line: &str) {
        let tokens: Vec<&str> = line.split_whitespace().collect();
        let now = self.now;
        match tokens.as_slice() {
            ["sign-up", plan @ ..] => self.tenant = Some(plans::tenant(plans::plan(&plan.join(" ")), now)),
            ["update", plan @ ..] => {
                let tenant = self.tenant();
                let plan = plans::plan(&plan.join(" "));
                match desired::update(tenant, plans::spec(), plan, None, now) {
                    Ok(()) => plans::take_on(tenant, Action::Update, now),
                    Err(replaced) => {
                        let names: Vec<&str> = replaced.iter().map(StepName::as_str).collect();
                        let _ = writeln!(self.trace, "    refused: it recreates {}", names.join(", "));
                    }
                }
            }
            ["update-allowed", plan @ ..] => {
                let tenant = self.tenant();
                plans::update(tenant, &plan.join(" "), now);
                plans::take_on(tenant, Action::Update, now);
            }
            ["retry-allowed"] => {
                let replaced = removal::replaceable(self.tenant());
                self.retry();
                let consent = Consent { request_id: "retry".into(), at: now };
                removal::consent(self.tenant(), &replaced, &consent);
            }
            ["remove"] => {
                let tenant = self.tenant();
                let by = plans::operation(tenant, Action::Deprovision, now);
                desired::remove(tenant, &by, now);
                tenant.blocked = None;
                tenant.operations.push(by);
            }
            ["retry"] => self.retry(),
            ["wait"] => self.now = self.decide().next.unwrap(),
            ["wait", seconds] => self.now = self.now.checked_add(duration(seconds)).unwrap(),
            ["carry", "on"] => self.carry_on(),
            ["done", step] => self.apply(step, Event::Written),
            ["delete", step] => self.apply(step, Event::Began { target: None }),
            ["write", step] => self.apply(step, Event::Began { target: Some(json!({"id": step})) }),
            ["read", step, shown] => {
                self.apply(step, Event::Observed(Observation::Compared(comparison(shown), None)));
            }
            ["find", step, shown] => {
                self.apply(step, Event::Observed(Observation::Searched(deletion_state(shown))));
            }
            ["running", step, rest @ ..] => {
                let limit = named(rest, "limit").map(|limit| limit.try_into().unwrap());
                let operation = rest.contains(&"url").then(|| poll(limit));
                self.apply(step, Event::Running { operation, after: after(rest) });
            }
            ["unanswered", step, rest @ ..] => {
                let cause = Cause::ours(FailureClass::Transient, "TestCode", "as the script says");
                self.apply(step, Event::Unanswered(Failure { retry_after: after(rest), ..cause.into() }));
            }
            ["fail", step, class, rest @ ..] => {
                let class: FailureClass = serde_json::from_value(json!(class)).unwrap();
                let code =
                    rest.iter().position(|token| *token == "code").map_or("TestCode", |at| rest[at + 1]);
                let cause = Cause::ours(class, code, "as the script says");
                self.apply(step, Event::Failed(Failure { retry_after: after(rest), ..cause.into() }));
            }
            ["prove", step, "violated", rest @ ..] => self.prove_violated(step, after(rest)),
            other => panic!("no command {other:?}"),
        }
    }

    /// Applies the result of an isolation check that found a violation.
    fn prove_violated(&mut self, step: &str, retry_after: Option<Duration>) {
        let verdict = tenantry_core::tenant::IsolationVerdict::Violated;
        let (reasons, digest) = (vec!["as the script says".into()], "sha256:0".to_owned());
        let proof = Proof { verdict, reasons, digest, at: self.now };
        self.apply(step, Event::Proved(Box::new(Proven { proof, reported: json!({}), retry_after })));
    }

    /// Restarts the blocked steps, and counts an attempt, as intake does when it accepts a retry.
    fn retry(&mut self) {
        let now = self.now;
        let tenant = self.tenant();
        desired::retry(tenant, now);
        if tenant.operations.is_empty() {
            tenant.operations.extend(tenant.blocked.take());
        }
        let operation = tenant.operations.last_mut().unwrap();
        operation.attempt += 1;
        operation.started = false;
    }

    fn apply(&mut self, step: &str, event: Event) {
        let (step, generation) = match step.split_once('@') {
            Some((step, generation)) => (plans::name(step), generation.parse().unwrap()),
            None => (plans::name(step), self.tenant().steps()[&plans::name(step)].generation),
        };
        let (policy, now) = (Policy::azure(), self.now);
        let tenant = self.tenant.as_mut().unwrap();
        let before = (tenant.clone(), self.discrepancies.clone());
        match engine::apply(
            tenant,
            &mut self.discrepancies,
            StepEvent { step: &step, generation, event },
            &policy,
            now,
        ) {
            Ok(change) => _ = writeln!(self.trace, "    change: {}", format!("{change:?}").to_lowercase()),
            Err(error) => {
                assert_eq!(
                    (tenant, &self.discrepancies),
                    (&mut before.0.clone(), &before.1),
                    "{error}, and yet it changed"
                );
                let _ = writeln!(self.trace, "    illegal: {error}");
            }
        }
    }

    fn decide(&self) -> Decision {
        let tenant = self.tenant.as_ref().unwrap();
        let decision = engine::decide(tenant, &self.discrepancies, &BTreeSet::new(), self.now);
        assert_eq!(decision, engine::decide(tenant, &self.discrepancies, &BTreeSet::new(), self.now));
        decision
    }

    /// Answers all acts with success, round by round, until there is an outcome or the engine has to wait.
    fn carry_on(&mut self) {
        for _ in 0..100 {
            let acts = self.decide().acts;
            if acts.is_empty() {
                return;
            }
            let _ = writeln!(self.trace, "    {}", acts_text(&acts));
            for (name, act) in acts {
                let deleting = self.tenant().steps()[&name].is_marked_for_deletion();
                let there = self.there.contains(&name);
                let events = match (act, deleting) {
                    (Act::Read, false) if there => {
                        vec![Event::Observed(Observation::Compared(comparison("matches"), None))]
                    }
                    (Act::Read, false) => {
                        vec![Event::Observed(Observation::Compared(Comparison::Absent, None))]
                    }
                    (Act::Read, true) if there => {
                        vec![Event::Observed(Observation::Searched(deletion_state("present")))]
                    }
                    (Act::Read, true) => vec![Event::Observed(Observation::Searched(DeletionState::Nothing))],
                    (Act::Write, _) => {
                        self.there.insert(name.clone());
                        vec![Event::Began { target: Some(json!({})) }, Event::Written]
                    }
                    (Act::Delete, _) => {
                        self.there.remove(&name);
                        vec![Event::Began { target: None }, Event::Written]
                    }
                    (Act::Poll, _) => vec![Event::Written],
                };
                let kept = self.trace.len();
                for event in events {
                    self.apply(name.as_str(), event);
                }
                self.trace.truncate(kept);
            }
        }
        panic!("it does not end:\n{}", self.trace);
    }

    fn changes(&mut self, before: Option<&Tenant>) {
        let after = self.tenant.clone().unwrap();
        for (name, record) in after.steps() {
            let was = before.and_then(|before| before.steps().get(name));
            if was != Some(record) {
                let _ = writeln!(self.trace, "    {name}: {}", self.in_text(record));
            }
        }
        let forgotten = before
            .into_iter()
            .flat_map(|before| before.steps().keys())
            .filter(|name| !after.steps().contains_key(*name));
        for name in forgotten {
            let _ = writeln!(self.trace, "    {name}: forgotten");
        }
        self.published(before.map_or(0, |before| before.numbered()));
    }

    fn published(&mut self, since: u64) {
        let outbox = self.tenant().outbox().to_vec();
        for entry in outbox.iter().filter(|entry| entry.number > since) {
            if let EntryContent::Event { kind, data, .. } = &entry.content {
                let code = data.pointer("/error/code").and_then(|code| code.as_str());
                let _ = writeln!(
                    self.trace,
                    "    event: {kind}{}",
                    code.map_or(String::new(), |code| format!(" ({code})"))
                );
            }
        }
    }

    fn in_text(&self, record: &tenantry_core::tenant::StepRecord) -> String {
        let mut text = record.state.as_str().to_owned();
        match &record.state {
            StepState::InProgress { operation, check_at, .. } => {
                text += if operation.is_some() { ", poll" } else { ", read" };
                text += &format!(" at {}", self.at(*check_at));
            }
            StepState::Backoff { until, cause, .. } => {
                text += &format!(" until {} ({})", self.at(*until), cause.code);
            }
            StepState::Blocked { cause, .. } => text += &format!(" ({}: {})", cause.code, cause.message),
            StepState::Waiting(_) | StepState::Writing(_) | StepState::Ready(_) | StepState::Deleted(_) => {}
        }
        let marks = [
            (record.is_marked_for_deletion(), "deleting".to_owned()),
            (record.generation > 0, format!("generation {}", record.generation)),
            (record.effort().attempts > 0, format!("sent {}", record.effort().attempts)),
            (record.effort().written, "written".to_owned()),
            (record.effort().failures > 0, format!("failures {}", record.effort().failures)),
            (record.recreated > 0, format!("recreated {}", record.recreated)),
            (record.consent.is_some(), "consent".to_owned()),
            (
                record.left_to().is_some(),
                format!("left to {}", record.left_to().map_or("", |name| name.as_str())),
            ),
        ];
        let marks: Vec<String> = marks.into_iter().filter(|(show, _)| *show).map(|(_, mark)| mark).collect();
        if marks.is_empty() { text } else { format!("{text} [{}]", marks.join(", ")) }
    }

    /// An instant as seconds since the start.
    fn at(&self, at: Timestamp) -> String {
        format!("+{:.1}s", at.duration_since(Timestamp::default()).as_secs_f64())
    }

    /// Prints what the engine does next. An outcome is concluded, so that its events show at once.
    fn decided(&mut self) {
        let now = self.now;
        let numbered = self.tenant().numbered();
        engine::begin(self.tenant(), now);
        self.published(numbered);
        let Decision { acts, next, outcome } = self.decide();
        let next = next.map_or(String::new(), |at| format!("something at {}", self.at(at)));
        let decided = [acts_text(&acts), next]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        let Some(outcome) = outcome else {
            let _ = writeln!(self.trace, "  = {decided}");
            return;
        };
        let text = match &outcome {
            Outcome::Ready => "ready".to_owned(),
            Outcome::Removed => "removed".to_owned(),
            Outcome::Blocked(causes) => format!(
                "blocked: {}",
                causes
                    .iter()
                    .map(|(step, cause)| format!("{step} {}", cause.code))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        let _ = writeln!(self.trace, "  = outcome {text}");
        let numbered = self.tenant().numbered();
        engine::conclude(self.tenant(), &outcome, BTreeMap::new(), now);
        self.published(numbered);
        let status = self.tenant().status.as_str();
        let _ = writeln!(self.trace, "    the tenant is {status}");
    }
}

/// The poll URL that Azure returns for an operation.
fn poll(limit: Option<SignedDuration>) -> Poll {
    Poll { url: "https://poll".into(), style: PollStyle::Location, limit }
}
