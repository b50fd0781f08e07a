//! What each function of the app does with an invocation.

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
    ports::Ports,
    reconciler::{Progress, Reconciler, Settings},
    scan::DriftScanner,
    telemetry::metrics,
    wake_up::WakeUp,
};

/// Implements [`Functions`] on top of [`Ports`].
pub struct App {
    /// The interfaces to everything outside.
    pub ports: Ports,
    /// Takes messages in, and changes tenants' desired state accordingly.
    pub intake: Arc<Intake>,
    /// Brings tenants to their desired state.
    pub reconciler: Arc<Reconciler>,
    /// Checks tenants for drift.
    pub drift_scanner: DriftScanner,
    /// The Event Grid topics and CloudEvents sources whose events are accepted; empty: the webhook is off.
    pub(super) event_topics: Vec<String>,
}

impl App {
    /// Creates an app. The first blueprint is the default. `process` identifies this process among all processes that
    /// share the state.
    pub fn new(
        ports: Ports,
        settings: Settings,
        blueprints: Vec<Blueprint>,
        stamps: Vec<Value>,
        process: impl Into<String>,
    ) -> Self {
        let stamps = stamps.into_iter().map(|value| Stamp { value }).collect();
        let intake = Intake::new(ports.clone(), &settings.deployment, blueprints, stamps);
        let drift_scanner = DriftScanner::new(ports.clone(), settings.policy.visibility);
        let reconciler = Reconciler::new(ports.clone(), settings, process);
        let (intake, reconciler) = (Arc::new(intake), Arc::new(reconciler));
        Self { ports, intake, reconciler, drift_scanner, event_topics: Vec::new() }
    }

    /// Sets the classes of drift that are repaired automatically.
    #[must_use]
    pub fn healing(mut self, heal: &BTreeSet<DriftClass>) -> Self {
        self.drift_scanner.heal(heal);
        self
    }

    /// Sets the Event Grid topics, and sources of CloudEvents, whose events are accepted as requests.
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
                (Function::Requests, Trigger::Message(message)) => self.take_in(&message).await,
                (Function::Wakeup, Trigger::Message(message)) => self.wake_up(&message).await,
                // A dead-lettered request is taken in like any other: the cause of its failure may have passed.
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
                // Can't happen: the host module parses each envelope by the trigger of its function.
                (
                    function @ (Function::Requests | Function::Wakeup | Function::DeadLetter),
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
    /// Takes in a request from the queue and starts its work. The message is delivered again only if the answer could
    /// not be saved.
    async fn take_in(&self, message: &Message) -> Answer {
        let answer = match self.intake.take_in(&message.body).await {
            Ok(answer) => answer,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        let id = answer.tenant_id.as_ref().map(ToString::to_string).unwrap_or_default();
        match (answer.decision, &answer.tenant_id) {
            (intake::IntakeDecision::Accepted, Some(tenant)) => {
                // A crash may have interrupted the work on a request that was accepted before, so a repeat runs a
                // reconcile pass too.
                let mut done = self.reconcile(tenant).await;
                if answer.replayed
                    && let Answer::Done { logs } = &mut done
                {
                    logs.insert(0, repeats(&answer));
                }
                done
            }
            (decision, _) => {
                if let Some(key) = self.intake.record_of(&Channel::Queue, &answer)
                    && let Err(error) = self.reconciler.publish_refusal(&key).await
                {
                    tracing::warn!(error = %error, "a refusal was not published yet; the sweep will publish it");
                }
                let why: Vec<String> = answer
                    .faults
                    .iter()
                    .map(|fault| format!("{} {}: {}", fault.pointer, fault.code, fault.message))
                    .collect();
                tracing::info!(tenant.id = id, decision = %decision, faults = why.len(), "a request was not carried out");
                Answer::Done { logs: vec![format!("request {decision}: {}", why.join("; "))] }
            }
        }
    }

    /// Takes in a dead-lettered request, and counts it once its answer is saved. Until then it is delivered again.
    async fn take_in_dead_letter(&self, message: &Message) -> Answer {
        let answer = self.take_in(message).await;
        if !matches!(answer, Answer::TryAgain { .. }) {
            tracing::warn!(message.sequence = message.sequence_number, "a dead letter is taken in once more");
            metrics::record(&metrics::DEAD_LETTERS, 1.0, || []);
        }
        answer
    }

    /// Runs a reconcile pass for a tenant. The message is completed even after a failure: the tenant's document is due,
    /// so the sweep continues the work.
    pub(super) async fn reconcile(&self, tenant: &TenantId) -> Answer {
        let line = match self.reconciler.reconcile(tenant).await {
            Ok(Progress::Settled(status)) => format!("tenant {tenant} is {}", status.as_str()),
            Ok(Progress::Requeued(until)) => format!("tenant {tenant} continues at {until}"),
            Ok(Progress::Held(until)) => {
                format!("tenant {tenant} is held by another worker until {until}")
            }
            Ok(Progress::Unknown) => format!("there is no tenant {tenant}"),
            Err(error) => {
                tracing::warn!(tenant.id = %tenant, error = %error, "a reconcile pass failed; the sweep continues it");
                format!("tenant {tenant} is left to the sweep: {error}")
            }
        };
        Answer::Done { logs: vec![line] }
    }

    async fn wake_up(&self, message: &Message) -> Answer {
        match serde_json::from_slice::<WakeUp>(&message.body) {
            Ok(wake_up) => self.reconcile(&wake_up.tenant_id).await,
            Err(error) => Answer::Done { logs: vec![format!("not a wake-up message: {error}")] },
        }
    }
}

/// The log text for a message that repeats an earlier request.
fn repeats(answer: &intake::RequestAnswer) -> String {
    let operation = answer.operation_id.as_deref().unwrap_or_default();
    let then = if answer.superseded { ", and later requests have been accepted since" } else { "" };
    format!("replayed: the request repeats operation {operation}, so nothing was done{then}")
}

fn http(response: Response) -> Answer {
    let Response { status, headers, body } = response;
    Answer::Http { status, headers, body: body.to_string(), logs: Vec::new() }
}
