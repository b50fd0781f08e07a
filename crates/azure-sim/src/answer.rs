//! From a request to its answer: is the caller known, does trouble come in between, and what does the service say?

use std::{sync::Arc, time::Duration};

use crate::{
    access::{self, Holder},
    arm,
    call::Call,
    chaos::Trouble,
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
    store::{Change, Entry, Failure, Look, Snapshot},
};

/// The reply, or nothing if the connection is to be cut without one.
pub(crate) async fn respond(
    inner: &Arc<Inner>,
    service: Service,
    call: Call,
    request_id: &str,
) -> Result<Option<Reply>, CloudError> {
    if service == Service::Simulator {
        flush(inner).await?;
        return look(inner, |look| {
            sim::answer(inner, look, &call).or_else(|stop| refused(stop, service, request_id, inner))
        })
        .await
        .map(Some);
    }
    let say = |refusal: Refusal| service.word(refusal, request_id, (inner.now)());
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
            Some((Trouble::Lost, _)) => {
                carry_out(inner, service, call, None, request_id).await?;
                Ok(None)
            }
            Some((Trouble::Timeout, stall)) => silence(inner, &call, stall).await,
            Some((Trouble::Throttle, _)) => {
                let refusal = Refusal::new(429, "TooManyRequests", "Too many requests; come again later.");
                note(inner, &call, say(refusal.with("Retry-After", "1"))).await.map(Some)
            }
            Some((Trouble::Unavailable, _)) => {
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

/// Does what is asked, and answers in the form that is in force.
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

/// What is wrong with the caller's token; without strictness anything but an empty one is good.
fn flaw(inner: &Inner, service: Service, call: &Call) -> Option<Flaw> {
    let audience = service.audience()?;
    let header = call.header("authorization");
    let token = header.strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    if inner.strict {
        return inner.issuer.check(token, audience, (inner.now)()).err();
    }
    (call.headers.contains_key("authorization") && token.is_empty()).then_some(Flaw::Missing)
}

/// Keeps a caller waiting for nothing.
async fn silence(inner: &Arc<Inner>, call: &Call, stall: Duration) -> Result<Option<Reply>, CloudError> {
    note(inner, call, Reply::empty(0)).await?;
    pause(stall).await;
    Ok(None)
}

fn refused(stop: Stop, service: Service, request_id: &str, inner: &Inner) -> Result<Reply, CloudError> {
    match stop {
        Stop::Refused(refusal) => Ok(service.word(*refusal, request_id, (inner.now)())),
        Stop::Broken(error) => Err(error),
    }
}

/// Does what is asked and journals it.
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
    // What is posted to these changes nothing.
    let only_looks = matches!(service, Service::Login | Service::Inference);
    let reply = match outside {
        Some(outcome) => outcome.or_else(|stop| refused(stop, service, request_id, inner))?,
        None if call.mutates() && !only_looks => {
            return write(inner, service, call, failure, request_id).await;
        }
        None => {
            look(inner, |look| {
                read(inner, look, service, &call).or_else(|stop| refused(stop, service, request_id, inner))
            })
            .await?
        }
    };
    note(inner, &call, reply).await
}

/// Who it is that calls; `None` for somebody who may do everything.
fn caller<'a>(inner: &'a Inner, call: &Call) -> Option<&'a Holder> {
    let access = inner.access.as_ref()?;
    let token = call.headers.get("authorization")?;
    let token = token.strip_prefix("Bearer ").map(str::trim).unwrap_or_default();
    let client = if inner.strict { Issuer::client(token)? } else { token.to_owned() };
    access.holder(&client)
}

/// Who it is, for the activity log: whoever a token stands for, or, without one, whoever says so in a header of the
/// simulator's own.
fn named(inner: &Inner, call: &Call) -> Option<String> {
    match caller(inner, call) {
        Some(holder) => Some(holder.object_id.clone()),
        None => call.headers.get("x-sim-caller").cloned(),
    }
}

/// Refuses what the caller may not do.
fn permit(inner: &Inner, look: &impl Look, service: Service, call: &Call) -> Outcome<()> {
    match (caller(inner, call), &inner.access, service) {
        (Some(holder), Some(access), Service::Arm) => access::check(access, &inner.used, holder, look, call),
        (Some(holder), Some(_), Service::Graph) => access::check_directory(holder, look, call),
        _ => Ok(()),
    }
}

fn read(inner: &Inner, look: &Snapshot, service: Service, call: &Call) -> Outcome {
    permit(inner, look, service, call)?;
    if let (Service::Arm, Some(scope)) = (service, access::listed(&call.path)) {
        return access::list(inner.access.as_ref().zip(caller(inner, call)), call, &scope);
    }
    match service {
        Service::Login => login::answer(inner, look, call),
        Service::Inference => inference::answer(inner, look, call),
        Service::Graph => graph::read(look, call),
        Service::EventGrid | Service::Bus => {
            refuse(405, "MethodNotAllowed", "Events and messages are published with POST.")
        }
        Service::Arm | Service::Identity | Service::Simulator => arm::read(look, call),
    }
}

/// Looks at a view in which all that has fallen due is done.
async fn look(
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

/// Journals what no change has journalled: durably if the request could have changed something.
async fn note(inner: &Arc<Inner>, call: &Call, reply: Reply) -> Result<Reply, CloudError> {
    let full = inner.journal.hold(entry(inner, call, &reply, reply.tenant.clone()));
    if full || call.mutates() {
        flush(inner).await?;
    }
    Ok(reply)
}

/// Writes the journal's waiting lines.
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
