//! Answers a request: checks the caller, applies the faults that a test has set, calls the service, and writes the
//! journal.

use std::{sync::Arc, time::Duration};

use crate::{
    access::{self, Holder},
    arm,
    call::Call,
    chaos::ChaosFault,
    error::CloudError,
    events,
    flaws::State,
    graph,
    identity::{Flaw, Issuer},
    inference,
    inner::Inner,
    login,
    operations::run::settle,
    pause::pause,
    reply::{Body, Outcome, Refusal, Reply, Stop, refuse},
    resources::body::set_state,
    service::Service,
    service_bus, sim,
    store::{Change, Entry, Failure, Snapshot, StoreQuery},
};

/// Answers a request. Returns `None` if the connection is to be cut without an answer.
pub(crate) async fn respond(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    request_id: &str,
) -> Result<Option<Reply>, CloudError> {
    if service == Service::Simulator {
        flush(inner).await?;
        return with_snapshot(inner, |view| {
            sim::answer(inner, view, &call).or_else(|stop| refused(stop, service, request_id, inner))
        })
        .await
        .map(Some);
    }
    let say = |refusal: Refusal| service.refusal(refusal, request_id, (inner.now)());
    if let Some(flaw) = flaw(inner, service, &call) {
        return note(inner, &call, say(service.unauthorized(&flaw))).await.map(Some);
    }
    if service == Service::Inference && inner.flaws.has(&inference::host(&call), State::Down) {
        note(inner, &call, Reply::empty(0)).await?;
        return Ok(None);
    }
    let Some(fault) = inner.faults.take(&call) else {
        return match inner.chaos.deal(service == Service::Identity) {
            None => formed(inner, service, call, None, request_id).await.map(Some),
            Some((ChaosFault::Lost, _)) => {
                carry_out(inner, service, call, None, request_id).await?;
                Ok(None)
            }
            Some((ChaosFault::Timeout, stall)) => silence(inner, &call, stall).await,
            Some((ChaosFault::Throttle, _)) => {
                let refusal = Refusal::new(429, "TooManyRequests", "Too many requests; come again later.");
                note(inner, &call, say(refusal.with("Retry-After", "1"))).await.map(Some)
            }
            Some((ChaosFault::Unavailable, _)) => {
                let refusal = Refusal::new(503, "ServiceUnavailable", "The service is unavailable.");
                note(inner, &call, say(refusal)).await.map(Some)
            }
        };
    };
    if let Some(answer) = fault.answer {
        let reply = Reply {
            headers: answer.headers.into_iter().collect(),
            body: answer.body.map(Body::Json),
            ..Reply::empty(answer.status)
        };
        return note(inner, &call, reply).await.map(Some);
    }
    let mut reply = formed(inner, service, call, fault.fail_operation, request_id).await?;
    if let (Some(state), Some(Body::Json(body))) = (&fault.show_state, &mut reply.body) {
        set_state(body, state);
    }
    Ok((!fault.drop_reply).then_some(reply))
}

/// Carries out a request, and changes its answer to the form that a test has set ([`crate::forms`]).
async fn formed(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    failure: Option<Failure>,
    request_id: &str,
) -> Result<Reply, CloudError> {
    let asked = call.clone();
    let reply = carry_out(inner, service, call, failure, request_id).await?;
    Ok(inner.forms.get().of(reply, &asked, service, (inner.now)()))
}

/// What is wrong with the caller's token, if anything. Without the setting `strict`, only an `Authorization` header
/// without a token is wrong.
fn flaw(inner: &Inner, service: Service, call: &Call) -> Option<Flaw> {
    let audience = service.audience()?;
    let header = call.header("authorization");
    let token = header.strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    if inner.strict {
        return inner.issuer.check(token, audience, (inner.now)()).err();
    }
    (call.headers.contains_key("authorization") && token.is_empty()).then_some(Flaw::Missing)
}

/// Journals a request without carrying it out, stalls, and then cuts the connection without an answer.
async fn silence(inner: &Arc<Inner>, call: &Call, stall: Duration) -> Result<Option<Reply>, CloudError> {
    note(inner, call, Reply::empty(0)).await?;
    pause(stall).await;
    Ok(None)
}

fn refused(stop: Stop, service: Service, request_id: &str, inner: &Inner) -> Result<Reply, CloudError> {
    match stop {
        Stop::Refused(refusal) => Ok(service.refusal(*refusal, request_id, (inner.now)())),
        Stop::Error(error) => Err(error),
    }
}

/// Carries out a request and journals it.
async fn carry_out(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    failure: Option<Failure>,
    request_id: &str,
) -> Result<Reply, CloudError> {
    let outside = match service {
        Service::Identity => {
            let roles = |client: &str| access::roles(inner.access.as_ref(), client);
            Some(inner.issuer.answer(&call, (inner.now)(), roles))
        }
        Service::Bus if !service_bus::is_for_topic(&call) => Some(service_bus::enqueue(inner, &call).await),
        Service::Arm
        | Service::Graph
        | Service::EventGrid
        | Service::Bus
        | Service::Login
        | Service::Inference
        | Service::Simulator => None,
    };
    // A POST to Entra or to a tenant's service changes nothing.
    let only_reads = matches!(service, Service::Login | Service::Inference);
    let reply = match outside {
        Some(outcome) => outcome.or_else(|stop| refused(stop, service, request_id, inner))?,
        None if call.mutates() && !only_reads => {
            return write(inner, service, call, failure, request_id).await;
        }
        None => {
            with_snapshot(inner, |view| {
                read(inner, view, service, &call).or_else(|stop| refused(stop, service, request_id, inner))
            })
            .await?
        }
    };
    note(inner, &call, reply).await
}

/// The identity that sends a request; `None` if permissions are not enforced, or the request has no token. Without the
/// setting `strict`, the token itself is taken as the client id.
fn caller<'a>(inner: &'a Inner, call: &Call) -> Option<&'a Holder> {
    let access = inner.access.as_ref()?;
    let token = call.headers.get("authorization")?;
    let token = token.strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    let client = if inner.strict { Issuer::client(token)? } else { token.to_owned() };
    access.holder(&client)
}

/// The caller that the activity log shows: the object id of the calling identity, or the value of the simulator's own
/// header `x-sim-caller` if there is none.
fn named(inner: &Inner, call: &Call) -> Option<String> {
    match caller(inner, call) {
        Some(holder) => Some(holder.object_id.clone()),
        None => call.headers.get("x-sim-caller").cloned(),
    }
}

/// Refuses a request to Resource Manager or Graph that its caller has no permission for.
fn permit(inner: &Inner, view: &impl StoreQuery, service: Service, call: &Call) -> Outcome<()> {
    match (caller(inner, call), &inner.access, service) {
        (Some(holder), Some(access), Service::Arm) => access::check(access, &inner.used, holder, view, call),
        (Some(holder), Some(_), Service::Graph) => access::check_directory(holder, view, call),
        _ => Ok(()),
    }
}

fn read(inner: &Inner, view: &Snapshot, service: Service, call: &Call) -> Outcome {
    permit(inner, view, service, call)?;
    if let (Service::Arm, Some(scope)) = (service, access::listed(&call.path)) {
        return access::list(inner.access.as_ref().zip(caller(inner, call)), call, &scope);
    }
    match service {
        Service::Login => login::answer(inner, view, call),
        Service::Inference => inference::answer(inner, view, call),
        Service::Graph => graph::read(view, call),
        Service::EventGrid | Service::Bus => {
            refuse(405, "MethodNotAllowed", "Events and messages are published with POST.")
        }
        Service::Arm | Service::Identity | Service::Simulator => arm::read(view, call),
    }
}

/// Ends the operations and purges the soft-deleted objects that are due by now, and then answers from a snapshot.
async fn with_snapshot(
    inner: &Arc<Inner>,
    answer: impl Fn(&Snapshot) -> Result<Reply, CloudError>,
) -> Result<Reply, CloudError> {
    let mut view = Snapshot::new(inner.db.read()?, (inner.now)())?;
    if view.is_stale()? {
        let (now, speed) = (Arc::clone(&inner.now), inner.speed);
        inner.db.write(move |transaction| settle(&mut Change::new(transaction, now(), speed)?)).await?;
        view = Snapshot::new(inner.db.read()?, view.now)?;
    }
    answer(&view)
}

async fn write(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    failure: Option<Failure>,
    request_id: &str,
) -> Result<Reply, CloudError> {
    let (own, request_id) = (Arc::clone(inner), request_id.to_owned());
    let reply = inner
        .db
        .write(move |transaction| {
            let mut change = Change::new(transaction, (own.now)(), own.speed)?;
            for entry in own.journal.take() {
                change.note(&entry)?;
            }
            settle(&mut change)?;
            change.failure = failure;
            change.denies_lag = own.forms.get().denies_lag;
            change.caller = caller(&own, &call).map(|holder| holder.object_id.clone());
            let outcome: Outcome = permit(&own, &change, service, &call).and_then(|()| match service {
                Service::Graph => graph::change(&mut change, &call),
                Service::EventGrid => events::publish(&mut change, &call),
                Service::Bus => service_bus::publish(&mut change, &call),
                Service::Arm
                | Service::Identity
                | Service::Login
                | Service::Inference
                | Service::Simulator => arm::change(&mut change, &call),
            });
            let reply = outcome.or_else(|stop| refused(stop, service, &request_id, &own))?;
            let tenant = match (&reply.tenant, service) {
                (None, Service::Arm) => change.tenant_at(&call.path)?,
                (tenant, _) => tenant.clone(),
            };
            change.note(&entry(&own, &call, &reply, tenant))?;
            Ok::<_, CloudError>(reply)
        })
        .await?;
    if service == Service::EventGrid {
        inner.published.send_replace(());
    }
    Ok(reply)
}

fn entry(inner: &Inner, call: &Call, reply: &Reply, tenant: Option<String>) -> Entry {
    Entry {
        at: (inner.now)(),
        method: call.method.clone(),
        path: call.target(),
        status: reply.status,
        tenant,
        caller: named(inner, call),
        traceparent: call.headers.get("traceparent").cloned(),
    }
}

/// Journals a request that was not journalled with a change. The entry is durable at once if the method is one that can
/// change something; otherwise it waits in memory.
async fn note(inner: &Arc<Inner>, call: &Call, reply: Reply) -> Result<Reply, CloudError> {
    let full = inner.journal.hold(entry(inner, call, &reply, reply.tenant.clone()));
    if full || call.mutates() {
        flush(inner).await?;
    }
    Ok(reply)
}

/// Writes the journal entries that wait in memory to the state file.
pub(crate) async fn flush(inner: &Arc<Inner>) -> Result<(), CloudError> {
    let entries = inner.journal.take();
    if entries.is_empty() {
        return Ok(());
    }
    let (now, speed) = (Arc::clone(&inner.now), inner.speed);
    inner
        .db
        .write(move |transaction| {
            let mut change = Change::new(transaction, now(), speed)?;
            entries.iter().try_for_each(|entry| change.note(entry))
        })
        .await
}
