//! One function per act: sends what a step asks for and turns the answer into an event.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tenantry_core::{
    engine::{Event, Observation},
    ids::ResourceId,
    steps::{
        Api, Comparison, Failure, Method, REFUSED_URL, Remains, Reply, Request, Step, Trace, failure,
        operation::{self, Progress},
    },
    tenant::{Cause, FailureClass, Poll, Tenant},
};

use crate::{paging::ask, ports::Wire, scan::IsolationScanner};

/// Looks at something that should be there; a remedy for the last failure goes first.
pub(super) async fn look(wire: Arc<dyn Wire>, step: Arc<dyn Step>, remedy: Option<Request>) -> Event {
    if let Some(remedy) = remedy {
        match wire.send(remedy).await {
            Ok(reply) if reply.is_success() => {}
            Ok(reply) => return Event::Failed(failure::classify(&reply)),
            Err(failure) => return Event::Failed(failure),
        }
    }
    let reply = match ask(wire.as_ref(), step.look()).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    match step.judge(&reply) {
        Ok(Comparison::Absent) => match among_the_deleted(&wire, &step).await {
            Ok(Some(id)) => Event::Observed(Observation::Wanted(Comparison::Lingering(id), None)),
            Ok(None) => Event::Observed(Observation::Wanted(Comparison::Absent, None)),
            Err(failure) => Event::Failed(failure),
        },
        Ok(verdict) => {
            Event::Observed(Observation::Wanted(verdict, reply.is_success().then_some(reply.body)))
        }
        Err(failure) => Event::Failed(failure),
    }
}

/// The id of what somebody has deleted and can be brought back.
async fn among_the_deleted(wire: &Arc<dyn Wire>, step: &Arc<dyn Step>) -> Result<Option<String>, Failure> {
    let Some(restorable) = step.restorable() else { return Ok(None) };
    for (number, request) in restorable.looks().into_iter().enumerate() {
        let reply = ask(wire.as_ref(), request).await?;
        if let Some(id) = restorable.judge(number, &reply)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Brings back what lies among the deleted.
pub(super) async fn restore(wire: Arc<dyn Wire>, step: Arc<dyn Step>, id: &str) -> Event {
    let Some(request) = step.restorable().and_then(|restorable| restorable.restore(id)) else {
        let cause = Cause::ours(FailureClass::Permanent, "not-writable", "this step brings nothing back");
        return Event::Failed(cause.into());
    };
    let reply = match wire.send(request).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    match operation::after_write(&reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        // The answer shows it as it was, so that a difference is no lag: it has to be written.
        Ok(Progress::Done) => match step.judge(&reply) {
            Ok(Comparison::Matches(outputs)) => Event::Answered(outputs),
            Ok(verdict @ Comparison::Differs(_)) => {
                Event::Observed(Observation::Wanted(verdict, Some(reply.body)))
            }
            Ok(_) | Err(_) => Event::Written,
        },
        Ok(Progress::Ended(failure)) | Err(failure) => Event::Failed(failure),
    }
}

/// Makes it so.
pub(super) async fn write(wire: Arc<dyn Wire>, step: Arc<dyn Step>, seen: Option<Value>) -> Event {
    let Some(request) = step.write(seen.as_ref()) else {
        let cause = Cause::ours(FailureClass::Permanent, "not-writable", "this step only looks");
        return Event::Failed(cause.into());
    };
    let reply = match wire.send(request).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    match progress(&reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        // An answer that shows the resource as wanted is as good as a look.
        Ok(Progress::Done) => match step.judge(&reply) {
            Ok(Comparison::Matches(outputs)) if reply.body.is_object() => Event::Answered(outputs),
            Ok(_) | Err(_) => Event::Written,
        },
        Ok(Progress::Ended(failure)) | Err(failure) => Event::Failed(held(&wire, &step, failure).await),
    }
}

/// A refusal as a conflict may come from something deleted that still holds the name; its service says so, or only that
/// there is a conflict. The look decides, and says what holds it.
async fn held(wire: &Arc<dyn Wire>, step: &Arc<dyn Step>, mut failure: Failure) -> Failure {
    let conflict = failure.raw.as_ref().is_some_and(|raw| raw.status == 409)
        && matches!(failure.cause.class, FailureClass::Wait | FailureClass::NameHeld);
    let Some(request) = step.name_holder().filter(|_| conflict) else { return failure };
    // What can't be read changes nothing about the refusal; only that it is asked again no sooner than is wanted there.
    let pause = match ask(wire.as_ref(), request).await {
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

/// The same grant under another name is what was asked for; the look finds it.
fn progress(reply: &Reply) -> Result<Progress, Failure> {
    match operation::after_write(reply) {
        Err(failure) if failure.cause.code == "RoleAssignmentExists" => Ok(Progress::Done),
        progress => progress,
    }
}

/// Looks for something that should be gone; the first look that shows something decides.
pub(super) async fn search(wire: Arc<dyn Wire>, remains: Arc<dyn Remains>) -> Event {
    for (number, request) in remains.looks().into_iter().enumerate() {
        let reply = match ask(wire.as_ref(), request).await {
            Ok(reply) => reply,
            Err(failure) => return Event::Failed(failure),
        };
        match remains.judge(number, &reply) {
            Ok(Trace::Nothing) => {}
            Ok(trace) => return Event::Observed(Observation::Unwanted(trace)),
            Err(failure) => return Event::Failed(failure),
        }
    }
    Event::Observed(Observation::Unwanted(Trace::Nothing))
}

/// Removes what was seen.
pub(super) async fn erase(wire: Arc<dyn Wire>, remains: Arc<dyn Remains>, trace: Trace) -> Event {
    let Some(request) = remains.erase(&trace) else { return Event::Written };
    let reply = match wire.send(request).await {
        Ok(reply) => reply,
        Err(failure) => return Event::Failed(failure),
    };
    if reply.status == 404 {
        return Event::Written;
    }
    if let Some(told) = remains.refused(&trace, &reply).filter(|_| !reply.is_success()) {
        return Event::Observed(Observation::Unwanted(told));
    }
    match operation::after_write(&reply) {
        Ok(Progress::Running { operation, after }) => Event::Running { operation, after },
        Ok(Progress::Done) => Event::Written,
        Ok(Progress::Ended(failure)) | Err(failure) => Event::Failed(failure),
    }
}

/// Asks about an operation.
pub(super) async fn poll(wire: Arc<dyn Wire>, asked: Poll) -> Event {
    let reply = match wire.send(operation::poll(&asked, Api::Arm)).await {
        Ok(reply) => reply,
        // No token goes to such a URL. The resource itself tells how far it is.
        Err(failure) if failure.cause.code == REFUSED_URL => {
            tracing::warn!(error = %failure, "an operation can't be asked about; looking at the resource instead");
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

/// Proves a tenant's isolation. It takes a few dozen questions, some of them more than once, so it is given most of the
/// time for which nobody else takes the tenant up.
pub(super) async fn prove(
    isolation_scanner: &IsolationScanner,
    tenant: &Tenant,
    patience: Duration,
) -> Event {
    match isolation_scanner.prove(tenant, patience).await {
        Ok(proven) => Event::Proved(Box::new(proven)),
        Err(failure) => Event::Failed(failure),
    }
}

fn unanswered(failure: Failure) -> Event {
    tracing::warn!(error = %failure, "an operation was asked about in vain");
    Event::Unanswered(failure)
}

/// The request that registers the resource provider of a resource id, e.g. `Microsoft.Network`.
pub(super) fn register_provider(id: &ResourceId) -> Option<Request> {
    let of = id.types().pop()?;
    let (subscription, namespace) = (id.subscription()?, of.split('/').next()?);
    // An id's words hold nothing but what a path keeps.
    let path = format!("/subscriptions/{subscription}/providers/{namespace}/register?api-version=2024-07-01");
    Some(Request::new(Api::Arm, Method::Post, path))
}
