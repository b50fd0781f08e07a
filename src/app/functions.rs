//! What each function does: the way from an invocation into the product and back.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tenantry_core::{
    blueprint::Blueprint,
    drift::DriftClass,
    ids::TenantId,
    tenant::{Action, Channel},
};

use super::Response;
use crate::{
    host::{Answer, Function, Functions, Invocation, Message, Trigger},
    intake::{self, Intake, Stamp},
    ports::World,
    reconciler::{Progress, Reconciler, Settings},
    scan::DriftScanner,
    telemetry::metrics,
    wake_up::WakeUp,
};

/// The product behind the functions: it implements [`Functions`] over the ports of a world.
pub struct App {
    /// The world.
    pub world: World,
    /// Takes messages in.
    pub intake: Arc<Intake>,
    /// Drives tenants.
    pub reconciler: Arc<Reconciler>,
    /// Looks whether they are still as they were left.
    pub drift_scanner: DriftScanner,
    /// The Event Grid topics from which requests are taken.
    pub(super) event_topics: Vec<String>,
}

impl App {
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
        let drift_scanner = DriftScanner::new(world.clone(), settings.policy.visibility);
        let reconciler = Reconciler::new(world.clone(), settings, process);
        let (intake, reconciler) = (Arc::new(intake), Arc::new(reconciler));
        Self { world, intake, reconciler, drift_scanner, event_topics: Vec::new() }
    }

    /// The same, having drift of these classes put right.
    #[must_use]
    pub fn healing(mut self, heal: &BTreeSet<DriftClass>) -> Self {
        self.drift_scanner.heal(heal);
        self
    }

    /// The same, with Event Grid topics (and sources of CloudEvents) from which requests are taken.
    #[must_use]
    pub fn taking_events_of(mut self, topics: Vec<String>) -> Self {
        self.event_topics = topics;
        self
    }
}

impl Functions for App {
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
                ) if call.lost_its_body() => http(super::length_required()),
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

impl App {
    /// A request from the queue. Only what could not be saved comes again; everything else is an outcome.
    async fn take_in(&self, message: &Message) -> Answer {
        let answer = match self.intake.take_in(&message.body).await {
            Ok(answer) => answer,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        let id = answer.tenant_id.as_ref().map(ToString::to_string).unwrap_or_default();
        match (answer.verdict, &answer.tenant_id) {
            (intake::IntakeDecision::Accepted, Some(tenant)) => {
                // What was taken in before may have been left undone by a crash.
                let mut done = self.reconcile(tenant).await;
                if answer.replayed
                    && let Answer::Done { logs } = &mut done
                {
                    logs.insert(0, repeats(&answer));
                }
                done
            }
            (verdict, _) => {
                if let Some(key) = self.intake.record_of(&Channel::Queue, &answer)
                    && let Err(error) = self.reconciler.tell_refusal(&key).await
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
    pub(super) async fn reconcile(&self, tenant: &TenantId) -> Answer {
        let said = match self.reconciler.reconcile(tenant).await {
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
            Ok(wake_up) => self.reconcile(&wake_up.tenant_id).await,
            Err(error) => Answer::Done { logs: vec![format!("not a wake-up message: {error}")] },
        }
    }
}

/// What is logged of a message that repeats an earlier one.
fn repeats(answer: &intake::RequestAnswer) -> String {
    let operation = answer.operation_id.as_deref().unwrap_or_default();
    let then = if answer.superseded { ", and later requests have been accepted since" } else { "" };
    format!("replayed: the request repeats operation {operation}, so nothing was done for it{then}")
}

fn http(response: Response) -> Answer {
    let Response { status, headers, body } = response;
    Answer::Http { status, headers, body: body.to_string(), logs: Vec::new() }
}
