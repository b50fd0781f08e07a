//! One function per act: sends the step's request and makes an event of the answer.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tenantry_core::{
    engine::{Event, Observation},
    ids::ResourceId,
    steps::{
        Api, Comparison, Deletion, DeletionState, Failure, Method, REFUSED_URL, Reply, Request, Step,
        failure,
        operation::{self, Progress},
    },
    tenant::{Cause, FailureClass, Poll, Tenant},
};

use crate::{paging::ask, ports::Transport, scan::IsolationScanner};

/// Reads an object that should exist. A remedy for the step's last failure, if any, is sent first.
pub(super) async fn read(
    transport: Arc<dyn Transport>,
    step: Arc<dyn Step>,
    remedy: Option<Request>,
) -> Event {
    if let Some(remedy) = remedy {
        match transport.send(remedy).await {
            Ok(reply) if reply.is_success() => {}
            Ok(reply) => return Event::Failed(failure::classify(&reply)),
            Err(failure) => return Event::Failed(failure),
        }
    }
    let reply = match ask(transport.as_ref(), step.read()).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    match step.judge(&reply) {
        Ok(Comparison::Absent) => match among_the_deleted(&transport, &step).await {
            Ok(Some(id)) => Event::Observed(Observation::Compared(Comparison::SoftDeleted(id), None)),
            Ok(None) => Event::Observed(Observation::Compared(Comparison::Absent, None)),
            Err(failure) => Event::Failed(failure),
        },
        Ok(comparison) => {
            Event::Observed(Observation::Compared(comparison, reply.is_success().then_some(reply.body)))
        }
        Err(failure) => Event::Failed(failure),
    }
}

/// The id of a soft-deleted object that can be restored, if there is one.
async fn among_the_deleted(
    transport: &Arc<dyn Transport>,
    step: &Arc<dyn Step>,
) -> Result<Option<String>, Failure> {
    let Some(restorable) = step.restorable() else { return Ok(None) };
    for (number, request) in restorable.reads().into_iter().enumerate() {
        let reply = ask(transport.as_ref(), request).await?;
        if let Some(id) = restorable.judge(number, &reply)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Restores the soft-deleted object with this id.
pub(super) async fn restore(transport: Arc<dyn Transport>, step: Arc<dyn Step>, id: &str) -> Event {
    let Some(request) = step.restorable().and_then(|restorable| restorable.restore(id)) else {
        let cause = Cause::ours(FailureClass::Permanent, "not-writable", "this step can't restore anything");
        return Event::Failed(cause.into());
    };
    let reply = match transport.send(request).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    match operation::after_write(&reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        // The answer shows the restored object as it was, so a difference is not replication lag: it has to be written.
        Ok(Progress::Done) => match step.judge(&reply) {
            Ok(Comparison::Matches(outputs)) => Event::Answered(outputs),
            Ok(comparison @ Comparison::Drifted(_)) => {
                Event::Observed(Observation::Compared(comparison, Some(reply.body)))
            }
            Ok(_) | Err(_) => Event::Written,
        },
        Ok(Progress::Ended(failure)) | Err(failure) => Event::Failed(failure),
    }
}

/// Creates or changes an object. `seen` is the object as last read, if it exists.
pub(super) async fn write(transport: Arc<dyn Transport>, step: Arc<dyn Step>, seen: Option<Value>) -> Event {
    let Some(request) = step.write(seen.as_ref()) else {
        let cause = Cause::ours(FailureClass::Permanent, "not-writable", "this step only reads");
        return Event::Failed(cause.into());
    };
    let reply = match transport.send(request).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    match progress(&reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        // An answer that shows the object in its desired state is as good as a read.
        Ok(Progress::Done) => match step.judge(&reply) {
            Ok(Comparison::Matches(outputs)) if reply.body.is_object() => Event::Answered(outputs),
            Ok(_) | Err(_) => Event::Written,
        },
        Ok(Progress::Ended(failure)) | Err(failure) => Event::Failed(held(&transport, &step, failure).await),
    }
}

/// Adds to a write's failure that a soft-deleted object holds the name, if a read shows one. Some services report that
/// themselves, others only a conflict.
async fn held(transport: &Arc<dyn Transport>, step: &Arc<dyn Step>, mut failure: Failure) -> Failure {
    let conflict = failure.raw.as_ref().is_some_and(|raw| raw.status == 409)
        && matches!(failure.cause.class, FailureClass::Wait | FailureClass::NameHeld);
    let Some(request) = step.name_holder().filter(|_| conflict) else { return failure };
    // If the read fails the refusal stands; only the pause becomes at least as long as the service asks for.
    let pause = match ask(transport.as_ref(), request).await {
        Ok(reply) if reply.status >= 400 => failure::classify(&reply).retry_after,
        Ok(reply) => {
            if let Some(holder) = step.judge_holder(&reply) {
                failure.cause.class = FailureClass::NameHeld;
                failure.cause.message = format!("{}; {holder}", failure.cause.message);
            }
            None
        }
        Err(unanswered) => unanswered.retry_after,
    };
    failure.retry_after = failure.retry_after.max(pause);
    failure
}

/// The progress that the answer to a write shows. `RoleAssignmentExists` counts as done: the role is already assigned
/// under another name, and a read finds it.
fn progress(reply: &Reply) -> Result<Progress, Failure> {
    match operation::after_write(reply) {
        Err(failure) if failure.cause.code == "RoleAssignmentExists" => Ok(Progress::Done),
        progress => progress,
    }
}

/// Reads an object that should not exist. The first read that finds something determines the deletion state.
pub(super) async fn search(transport: Arc<dyn Transport>, deletion: Arc<dyn Deletion>) -> Event {
    for (number, request) in deletion.reads().into_iter().enumerate() {
        let reply = match ask(transport.as_ref(), request).await {
            Ok(reply) => reply,
            Err(failure) => return Event::Failed(failure),
        };
        match deletion.judge(number, &reply) {
            Ok(DeletionState::Nothing) => {}
            Ok(state) => return Event::Observed(Observation::Searched(state)),
            Err(failure) => return Event::Failed(failure),
        }
    }
    Event::Observed(Observation::Searched(DeletionState::Nothing))
}

/// Deletes the object that the last search has found, in the state that it has found.
pub(super) async fn delete(
    transport: Arc<dyn Transport>,
    deletion: Arc<dyn Deletion>,
    state: DeletionState,
) -> Event {
    let Some(request) = deletion.delete(&state) else { return Event::Written };
    let reply = match transport.send(request).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    if reply.status == 404 {
        return Event::Written;
    }
    if let Some(state) = deletion.refused(&state, &reply).filter(|_| !reply.is_success()) {
        return Event::Observed(Observation::Searched(state));
    }
    match operation::after_write(&reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        Ok(Progress::Done) => Event::Written,
        Ok(Progress::Ended(failure)) | Err(failure) => Event::Failed(failure),
    }
}

/// Polls a long-running operation of Azure.
pub(super) async fn poll(transport: Arc<dyn Transport>, asked: Poll) -> Event {
    let reply = match transport.send(operation::poll(&asked, Api::Arm)).await {
        Ok(reply) => reply,
        // No token is sent to another host's URL. The resource's own provisioning state shows the progress.
        Err(failure) if failure.cause.code == REFUSED_URL => {
            tracing::warn!(error = %failure, "an operation can't be polled; the resource is read instead");
            return Event::Unaskable;
        }
        Err(failure) => return unanswered(failure),
    };
    match operation::after_poll(&asked, &reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        Ok(Progress::Done) => Event::Written,
        Ok(Progress::Ended(failure)) => Event::Failed(failure),
        Err(failure) => unanswered(failure),
    }
}

/// Runs the isolation check. It takes a few dozen reads, some of them repeated, so `wait_budget` is most of the time
/// for which the lease keeps other workers away.
pub(super) async fn prove(
    isolation_scanner: &IsolationScanner,
    tenant: &Tenant,
    wait_budget: Duration,
) -> Event {
    match isolation_scanner.prove(tenant, wait_budget).await {
        Ok(proven) => Event::Proved(Box::new(proven)),
        Err(failure) => Event::Failed(failure),
    }
}

fn unanswered(failure: Failure) -> Event {
    tracing::warn!(error = %failure, "an operation could not be polled");
    Event::Unanswered(failure)
}

/// The request that registers the resource provider of a resource id, e.g. `Microsoft.Network`.
pub(super) fn register_provider(id: &ResourceId) -> Option<Request> {
    let of = id.types().pop()?;
    let (subscription, namespace) = (id.subscription()?, of.split('/').next()?);
    // The segments of an id hold only characters that a path keeps.
    let path = format!("/subscriptions/{subscription}/providers/{namespace}/register?api-version=2024-07-01");
    Some(Request::new(Api::Arm, Method::Post, path))
}
