//! What each function does: the way from an invocation into the product and back.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenantry_core::{
    blueprint::Blueprint,
    drift::DriftClass,
    ids::TenantId,
    isolation::{Report, TakenBack, Verdict},
    tenant::{Action, Channel},
};

use super::{Answer, Functions, HttpCall, Invocation, Message, Trigger, functions::Function};
use crate::{
    api::{self, Response},
    audit::{DRIFT_PORTION, PORTION, Scanner},
    intake::{self, Intake, Stamp, Turned},
    ports::World,
    runner::{Progress, Runner, Settings, Swept},
    telemetry::metrics,
};

/// The body of a wake-up message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WakeUp {
    /// Whom to drive.
    pub tenant_id: TenantId,
    /// Where in a trace it was sent, as a `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The product behind the functions.
pub struct Routes {
    /// The world.
    pub world: World,
    /// Takes messages in.
    pub intake: Arc<Intake>,
    /// Drives tenants.
    pub runner: Arc<Runner>,
    /// Looks whether they are still as they were left.
    pub scanner: Scanner,
    /// The Event Grid topics from which requests are taken.
    event_topics: Vec<String>,
}

impl Routes {
    /// The product over a world; the first blueprint is the default one. `process` tells this process from all others
    /// that share the state.
    pub fn new(
        world: World,
        settings: Settings,
        blueprints: Vec<Blueprint>,
        stamps: Vec<Value>,
        process: impl Into<String>,
    ) -> Self {
        let stamps = stamps.into_iter().map(|value| Stamp { value }).collect();
        let intake = Intake::new(world.clone(), &settings.deployment, blueprints, stamps);
        let scanner = Scanner::new(world.clone(), settings.policy.visibility);
        let runner = Runner::new(world.clone(), settings, process);
        let (intake, runner) = (Arc::new(intake), Arc::new(runner));
        Self { world, intake, runner, scanner, event_topics: Vec::new() }
    }

    /// The same, having drift of these classes put right.
    #[must_use]
    pub fn healing(mut self, heal: &BTreeSet<DriftClass>) -> Self {
        self.scanner.heal(heal);
        self
    }

    /// The same, with Event Grid topics (and sources of CloudEvents) from which requests are taken.
    #[must_use]
    pub fn taking_events_of(mut self, topics: Vec<String>) -> Self {
        self.event_topics = topics;
        self
    }
}

impl Functions for Routes {
    fn call(&self, invocation: Invocation) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let id = invocation.id.unwrap_or_default();
            match (invocation.function, invocation.trigger) {
                (Function::Signup, Trigger::Message(message)) => self.take_in(&message).await,
                (Function::Resume, Trigger::Message(message)) => self.resume(&message).await,
                // A dead-lettered request is taken in like any other: whatever made it fail may have passed.
                (Function::DeadLetter, Trigger::Message(message)) => self.take_in_dead_letter(&message).await,
                (Function::Sweep, Trigger::Timer(_)) => self.sweep().await,
                (Function::Audit, Trigger::Timer(_)) => self.audit().await,
                (Function::Drift, Trigger::Timer(_)) => self.drift().await,
                (
                    Function::Tenants | Function::Retry | Function::Reconcile | Function::Events,
                    Trigger::Http(call),
                ) if call.lost_its_body() => http(api::length_required()),
                (Function::Tenants, Trigger::Http(call)) => http(self.tenants(&call).await),
                (Function::Retry, Trigger::Http(call)) => http(self.act(Action::Retry, &call, &id).await),
                (Function::Reconcile, Trigger::Http(call)) => {
                    http(self.act(Action::Reconcile, &call, &id).await)
                }
                (Function::Events, Trigger::Http(call)) => http(self.events(&call).await),
                // The envelope is read by the function's own trigger, so this is nobody's call.
                (
                    function @ (Function::Signup | Function::Resume | Function::DeadLetter),
                    Trigger::Timer(_) | Trigger::Http(_),
                )
                | (
                    function @ (Function::Sweep | Function::Audit | Function::Drift),
                    Trigger::Message(_) | Trigger::Http(_),
                )
                | (
                    function @ (Function::Tenants | Function::Retry | Function::Reconcile | Function::Events),
                    Trigger::Message(_) | Trigger::Timer(_),
                ) => Answer::TryAgain { why: format!("{} has another trigger", function.name()) },
            }
        })
    }
}

impl Routes {
    /// A request from the queue. Only what could not be saved comes again; everything else is an outcome.
    async fn take_in(&self, message: &Message) -> Answer {
        let answer = match self.intake.take_in(&message.body).await {
            Ok(answer) => answer,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        let id = answer.tenant_id.as_ref().map(ToString::to_string).unwrap_or_default();
        match (answer.verdict, &answer.tenant_id) {
            (intake::Verdict::Accepted, Some(tenant)) => {
                // What was taken in before may have been left undone by a crash.
                let mut driven = self.drive(tenant).await;
                if answer.replayed
                    && let Answer::Done { logs } = &mut driven
                {
                    logs.insert(0, repeats(&answer));
                }
                driven
            }
            (verdict, _) => {
                if let Some(key) = self.intake.record_of(&Channel::Queue, &answer)
                    && let Err(error) = self.runner.tell_refusal(&key).await
                {
                    tracing::warn!(error = %error, "a refusal was not told yet; the sweep will do");
                }
                let why: Vec<String> = answer
                    .faults
                    .iter()
                    .map(|fault| format!("{} {}: {}", fault.pointer, fault.code, fault.message))
                    .collect();
                tracing::info!(tenant.id = id, verdict = %verdict, faults = why.len(), "a request was not carried out");
                Answer::Done { logs: vec![format!("request {verdict}: {}", why.join("; "))] }
            }
        }
    }

    /// Counted when it is settled: what can't be saved yet is the same message when it comes again.
    async fn take_in_dead_letter(&self, message: &Message) -> Answer {
        let answer = self.take_in(message).await;
        if !matches!(answer, Answer::TryAgain { .. }) {
            tracing::warn!(message.sequence = message.sequence_number, "a dead letter is taken in once more");
            metrics::record(&metrics::DEAD_LETTERS, 1.0, || []);
        }
        answer
    }

    /// From here on the document knows that it is due, so a failure is the sweep's to repair and the message is done.
    pub(super) async fn drive(&self, tenant: &TenantId) -> Answer {
        let said = match self.runner.drive(tenant).await {
            Ok(Progress::Settled(status)) => format!("tenant {tenant} is {}", status.word()),
            Ok(Progress::Parked(until)) => format!("tenant {tenant} goes on at {until}"),
            Ok(Progress::Held(until)) => {
                format!("tenant {tenant} is in another worker's hands until {until}")
            }
            Ok(Progress::Unknown) => format!("there is no tenant {tenant}"),
            Err(error) => {
                tracing::warn!(tenant.id = %tenant, error = %error, "a drive broke off; the sweep goes on with it");
                format!("tenant {tenant} was left to the sweep: {error}")
            }
        };
        Answer::Done { logs: vec![said] }
    }

    async fn resume(&self, message: &Message) -> Answer {
        match serde_json::from_slice::<WakeUp>(&message.body) {
            Ok(wake_up) => self.drive(&wake_up.tenant_id).await,
            Err(error) => Answer::Done { logs: vec![format!("not a wake-up message: {error}")] },
        }
    }

    async fn sweep(&self) -> Answer {
        match self.runner.sweep().await {
            Ok(Swept { due, woken, driven, unreadable, failed, left }) => {
                let said = format!(
                    "{due} due, {woken} woken, {driven} driven, {unreadable} unreadable, {failed} failed, \
                     {left} left to the next sweep"
                );
                Answer::Done { logs: vec![said] }
            }
            Err(error) => Answer::TryAgain { why: error.to_string() },
        }
    }

    async fn audit(&self) -> Answer {
        let (reports, told) = match self.runner.auditor().run(PORTION).await {
            Ok(done) => done,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        // What was recorded stands in the outbox; a drive tells it.
        for tenant in &told {
            if let Err(error) = self.runner.drive(tenant).await {
                tracing::warn!(tenant.id = %tenant, error = %error, "a verdict was not told yet; the sweep will do");
            }
        }
        let mut logs = vec![format!("{} looked at", reports.len())];
        if self.runner.auditor().suspends() {
            let taken: Vec<TakenBack> =
                reports.iter().flat_map(|report| report.quarantined.clone()).collect();
            for report in reports.iter().filter(|report| report.verdict == Verdict::Violated) {
                logs.extend(self.quarantine(&report.tenant_id, &taken).await);
            }
        }
        for report in reports.iter().filter(|report| report.verdict != Verdict::Verified) {
            logs.extend(not_verified(report));
        }
        Answer::Done { logs }
    }

    async fn drift(&self) -> Answer {
        let (reports, told) = match self.scanner.run(DRIFT_PORTION).await {
            Ok(done) => done,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        // What was recorded stands in the outbox, and what is to be put right is due; a drive does both. Each may take its
        // time, so none is done here.
        for tenant in &told {
            api::wake(&self.world, tenant).await;
        }
        let mut logs = vec![format!("{} looked at", reports.len())];
        for report in reports.iter().filter(|report| !report.is_clean()) {
            let (items, unread) = (report.items.len(), report.unread.len());
            tracing::warn!(tenant.id = %report.tenant_id, drifted = items, unread, "a tenant is not known to be as it was left");
            logs.push(format!("tenant {}: {items} drifted, {unread} steps not read", report.tenant_id));
        }
        Answer::Done { logs }
    }

    async fn tenants(&self, call: &HttpCall) -> Response {
        let query = |name: &str| call.query.get(name).map(String::as_str);
        match (call.method.as_str(), call.params.get("tenantId")) {
            ("GET", None) if query("view") == Some("isolation") => {
                api::isolation_of_all(&self.world, self.runner.auditor(), query("after"), query("limit"))
                    .await
            }
            ("GET", Some(id)) if query("view") == Some("isolation") => {
                api::isolation(&self.world, self.runner.auditor(), id).await
            }
            ("GET", None) if query("view") == Some("drift") => {
                api::drift_of_all(&self.world, &self.scanner, query("after"), query("limit")).await
            }
            ("GET", Some(id)) if query("view") == Some("drift") => {
                api::drift(&self.world, &self.scanner, id).await
            }
            ("GET", None) if query("view") == Some("blueprints") => {
                api::blueprints(&self.world, &self.intake).await
            }
            ("GET", None) => api::list(&self.world, query("after"), query("limit")).await,
            ("GET", Some(id)) if query("view") == Some("history") => {
                api::history(&self.world, id, query("limit")).await
            }
            ("GET", Some(id)) => api::one(&self.world, id).await,
            ("POST", None) => {
                let body = call.body.as_deref().unwrap_or_default();
                api::submit(&self.world, &self.intake, &self.runner, body).await
            }
            _ => Response::problem(
                405,
                "method not allowed",
                "GET a tenant or the list; POST a request to the list",
            ),
        }
    }

    async fn events(&self, call: &HttpCall) -> Response {
        let values = |name: &str| call.headers.get(name).map(Vec::as_slice).unwrap_or_default();
        let topics = &self.event_topics;
        match call.method.as_str() {
            "OPTIONS" => {
                api::handshake(topics, values("webhook-request-origin"), call.header("webhook-request-rate"))
            }
            "POST" => {
                let (kinds, body) = (values("aeg-event-type"), call.body.as_deref().unwrap_or_default());
                api::deliver(&self.world, &self.intake, &self.runner, topics, kinds, body).await
            }
            _ => api::turned_away(Turned::WrongMethod),
        }
    }

    async fn act(&self, action: Action, call: &HttpCall, fallback_id: &str) -> Response {
        let tenant_id = call.params.get("tenantId").map(String::as_str).unwrap_or_default();
        let call = api::Call { action, tenant_id, body: call.body.as_deref(), fallback_id };
        api::act(&self.world, &self.intake, &self.runner, call).await
    }
}

/// How many gaps are named in a line.
const NAMED: usize = 3;

/// Says which rules a tenant breaks, or what is not known of it; nothing where there is neither.
fn not_verified(report: &Report) -> Option<String> {
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_ref()).collect();
    codes.dedup();
    let gaps = report.gaps.iter().map(|gap| format!("{}: {}", gap.about, gap.why));
    let mut why: Vec<String> = match codes.is_empty() {
        false => codes.iter().map(ToString::to_string).collect(),
        true => gaps.clone().take(NAMED).collect(),
    };
    if codes.is_empty() && gaps.len() > NAMED {
        why.push(format!("and {} more", gaps.len() - NAMED));
    }
    if why.is_empty() {
        return None;
    }
    let (tenant, word, why) = (&report.tenant_id, report.verdict.word(), why.join(", "));
    tracing::warn!(tenant.id = %tenant, verdict = word, findings = codes.join(","), why, "isolation is not verified");
    Some(format!("tenant {tenant} is {word}: {why}"))
}

/// What is logged of a message that repeats an earlier one.
fn repeats(answer: &intake::Answer) -> String {
    let operation = answer.operation_id.as_deref().unwrap_or_default();
    let then = if answer.superseded { ", and later requests have been accepted since" } else { "" };
    format!("replayed: the request repeats operation {operation}, so nothing was done for it{then}")
}

fn http(response: Response) -> Answer {
    let Response { status, headers, body } = response;
    Answer::Http { status, headers, body: body.to_string(), logs: Vec::new() }
}
