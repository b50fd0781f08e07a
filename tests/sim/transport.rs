//! The transport to the simulator's Azure: requests and answers are delayed or lost, or arrive late. Each effect is
//! checked against the lease that the sender had.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tenantry::ports::Transport;
use tenantry_core::steps::{Api, Failure, Method, Reply, Request};

use super::{
    azure::mark,
    exec::{Millis, Owner},
    ledger::millis_of,
    scenario::Shared,
    slot::Slot,
};

/// The time limit for an answer, and how long after that a request may still take effect, in milliseconds.
pub(crate) const TIMEOUT: Millis = 30_000;
pub(crate) const LIFE: Millis = 30_000;
/// An epoch that no document has.
const NO_EPOCH: u64 = u64::MAX;

/// A worker's transport.
pub(crate) struct SimTransport {
    pub(crate) shared: Arc<Shared>,
    pub(crate) owner: Owner,
    pub(crate) worker: String,
    /// How far the worker's clock is ahead, in milliseconds.
    pub(crate) skew: Arc<AtomicI64>,
}

/// What happens to one request. Times are in milliseconds since it was sent.
struct Journey {
    sent: bool,
    /// When Azure carries the request out; `None` if the request is lost.
    arrives: Option<Millis>,
    /// When the answer arrives at the sender; `None` if it is lost.
    answered: Option<Millis>,
    /// When the sender stops waiting for an answer.
    given_up: Millis,
}

impl SimTransport {
    fn journey(&self, request: &Request) -> Journey {
        let shared = &self.shared;
        let mut rng = shared.faults();
        let (out, back) = (rng.within(2, 150), rng.within(2, 150));
        let fine = Journey { sent: true, arrives: Some(out), answered: Some(out + back), given_up: TIMEOUT };
        let Some(plan) = shared.faulty() else { return fine };
        let is_out = shared.is_out(if request.api == Api::Graph { 3 } else { 2 });
        if is_out || rng.permille(plan.not_sent) {
            drop(rng);
            shared.hit("not sent");
            return Journey { sent: false, arrives: None, answered: None, given_up: out };
        }
        // A closed connection is reported before the time limit; one that hangs is given up at the limit.
        let given_up = if rng.permille(500) { rng.within(500, TIMEOUT) } else { TIMEOUT };
        let (name, journey) = if rng.permille(plan.lost) {
            ("request lost", Journey { arrives: None, answered: None, given_up, ..fine })
        } else if rng.permille(plan.answer_lost) {
            ("answer lost", Journey { answered: None, arrives: Some(out.min(given_up)), given_up, ..fine })
        } else if rng.permille(plan.late) {
            let latest = given_up + LIFE - 1 + plan.overdue;
            let arrives = rng.within(given_up, latest);
            ("late effect", Journey { arrives: Some(arrives), answered: None, given_up, ..fine })
        } else {
            return fine;
        };
        drop(rng);
        shared.hit(name);
        journey
    }

    /// The tenant of a request: the one that the running task works for, or else the one that the path names.
    fn about(&self, request: &Request) -> Option<usize> {
        let shared = &self.shared;
        let named = || shared.tenants().iter().position(|name| request.path.contains(name.as_str()));
        let marked = || shared.number_of(&shared.azure().owner_in(&request.path)?);
        shared.hub.current().1.or_else(named).or_else(marked)
    }

    /// Invariant I2b: a change is sent only under a lease that covers the request's whole lifetime. Returns the
    /// tenant and the epoch under which it was sent.
    fn covered(&self, about: Option<usize>, request: &Request) -> Option<(String, u64)> {
        let shared = &self.shared;
        let tenant = shared.name_of(about?)?;
        let mut ledger = shared.ledger();
        ledger.now = shared.hub.now();
        let (lease, epoch) = {
            let document = ledger.tenants.get(&tenant)?;
            (document.lease().cloned(), document.epoch())
        };
        let here = shared.hub.now() + self.skew.load(Ordering::Relaxed);
        let ours = lease.as_ref().filter(|lease| lease.holder.starts_with(&format!("{}/", self.worker)));
        let path = request.path.split('?').next().unwrap_or_default();
        match ours {
            None if shared.plan.bounded() => {
                ledger.wrong(
                    "I2b",
                    format!("{tenant}: {} sent {} {path} without a lease", self.worker, request.method),
                );
            }
            Some(lease) if millis_of(lease.until) - here < TIMEOUT + LIFE && shared.plan.bounded() => {
                let left = millis_of(lease.until) - here;
                ledger.wrong(
                    "I2b",
                    format!("{tenant}: {} {path} sent with {left} ms of the lease left", request.method),
                );
            }
            _ => {}
        }
        // A worker that sends without holding the lease held it earlier: its effect must not be carried out.
        Some((tenant, if ours.is_some() { epoch } else { NO_EPOCH }))
    }

    /// Invariant I6: a request changes only objects of its own tenant.
    fn in_scope(&self, about: Option<usize>, request: &Request) {
        let shared = &self.shared;
        let Some(tenant) = about.and_then(|about| shared.name_of(about)) else { return };
        let marked = request.body.as_ref().and_then(mark);
        let path = request.path.split('?').next().unwrap_or_default();
        let foreign = {
            let azure = shared.azure();
            let group = path.to_ascii_lowercase();
            let group =
                group.match_indices('/').nth(4).map_or(group.as_str(), |(end, _)| &group[..end]).to_owned();
            azure.objects.get(&group).and_then(|object| mark(&object.body)).filter(|owner| *owner != tenant)
        };
        if let Some(other) = marked.filter(|other| *other != tenant).or(foreign) {
            shared.wrong("I6", format!("{tenant}: {} {path} touches {other}", request.method));
        }
        let polls = request.path.contains("/operations/");
        let path = path.to_ascii_lowercase();
        if request.api == Api::Arm && !polls && path.contains("/resourcegroups/") && !path.contains(&tenant) {
            shared.wrong("I6", format!("{tenant}: {} {path} is nothing of its own", request.method));
        }
    }

    /// Invariant I23: an object that was in use is deleted only with a recorded reason.
    fn allowed(&self, about: Option<usize>, request: &Request) {
        let Some(name) = about.and_then(|about| self.shared.name_of(about)) else { return };
        let wrong = {
            let (ledger, azure) = (self.shared.ledger(), self.shared.azure());
            let tenant = ledger.tenants.get(&name);
            tenant.and_then(|tenant| ledger.consents.objects(&azure, tenant, request))
        };
        if let Some(wrong) = wrong {
            self.shared.wrong("I23", wrong);
        }
    }

    /// Invariant I1: an object's name is determined by its tenant, incarnation and slot alone.
    fn one_name(&self, request: &Request) {
        let Some(body) = request.body.as_ref().filter(|_| request.method == Method::Put) else { return };
        let Some(tenant) = mark(body) else { return };
        let tag = body.pointer("/tags/tenantry-incarnation").map_or(String::new(), Value::to_string);
        let path = request.path.split('?').next().unwrap_or_default().to_ascii_lowercase();
        let kind = path.rsplit('/').nth(1).unwrap_or_default();
        let slot = format!("{tenant}/{tag}/{kind}");
        let past = self.shared.names().entry(slot.clone()).or_insert_with(|| path.clone()).clone();
        if past != path {
            self.shared.wrong("I1", format!("{slot}: {path} beside {past}"));
        }
    }

    /// Invariant I12: a request is not repeated before the end of a `Retry-After`. This is checked only within the
    /// invocation that received it, and only until the tenant's next request: a worker that crashes or can't save
    /// forgets the wait, and a changed desired state restarts the steps.
    fn waits_as_asked(&self, about: Option<usize>, request: &Request) {
        let Some(tenant) = about.and_then(|about| self.shared.name_of(about)) else { return };
        let now = self.shared.hub.now();
        let invocation = self.shared.hub.invocation();
        let last_request = self.shared.ledger().asked.get(&tenant).copied().unwrap_or_default();
        let wait = self.shared.pauses().asked.get(&(invocation, request.path.clone())).copied();
        let Some((until, heard)) = wait else { return };
        // The end of the faults corrects the clocks, so a clock may have jumped ahead in the meantime.
        let jump = if self.shared.faulty().is_some() { 0 } else { self.shared.plan.skew };
        let early = until - now;
        if early > 2 + jump && last_request < heard {
            let what = format!("{tenant}: {} {} came {early} ms early", request.method, request.path);
            self.shared.wrong("I12", what);
        }
    }

    fn learn(&self, request: &Request, reply: &Reply) {
        let key = (self.shared.hub.invocation(), request.path.clone());
        let mut pauses = self.shared.pauses();
        let now = self.shared.hub.now();
        match asked_to_wait(reply, now).filter(|_| reply.status == 429) {
            Some(until) => _ = pauses.asked.insert(key, (until, now)),
            None if reply.status == 429 || reply.status >= 500 => _ = pauses.asked.remove(&key),
            // An answer that is no such error ends all waits for this path.
            None => pauses.asked.retain(|(_, path), _| *path != key.1),
        }
    }
}

impl Transport for SimTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            let shared = Arc::clone(&self.shared);
            let about = self.about(&request);
            let journey = self.journey(&request);
            self.waits_as_asked(about, &request);
            let mut fence = None;
            if request.mutates() && journey.sent {
                fence = self.covered(about, &request);
                self.in_scope(about, &request);
                self.one_name(&request);
                self.allowed(about, &request);
            }
            if request.mutates() {
                shared.perhaps_die(self.owner, "C2 before effect").await;
            }
            let slot = Slot::new();
            let begun = shared.hub.now();
            if let Some(arrives) = journey.arrives {
                let (there, answered) = (Arc::clone(&slot), journey.answered);
                let (scenario, asked) = (Arc::clone(&shared), request.clone());
                let ahead = self.skew.load(Ordering::Relaxed);
                let sending = Sending { about, fence, ahead, overdue: arrives >= journey.given_up + LIFE };
                shared.hub.spawn(0, about, async move {
                    scenario.hub.sleep_until(begun + arrives).await;
                    let reply = carried_out(&scenario, &asked, &sending);
                    if let Some(answered) = answered {
                        scenario.hub.sleep_until(begun + answered).await;
                        there.put(Some(reply));
                    }
                });
            }
            let waiter = Arc::clone(&slot);
            let scenario = Arc::clone(&shared);
            let given_up = begun + journey.given_up;
            if journey.answered.is_none() {
                shared.hub.spawn(0, None, async move {
                    scenario.hub.sleep_until(given_up).await;
                    waiter.put(None);
                });
            }
            let answered = slot.take().await;
            if request.mutates() {
                shared.perhaps_die(self.owner, crash_point_after(&request, answered.as_ref())).await;
            }
            match answered {
                Some(reply) => {
                    self.learn(&request, &reply);
                    Ok(reply)
                }
                None if journey.sent => {
                    shared.azure().in_vain(&request);
                    Err(Failure::ambiguous("simulated: no answer"))
                }
                None => {
                    shared.azure().in_vain(&request);
                    Err(Failure::not_sent("simulated: not sent"))
                }
            }
        })
    }
}

/// The instant until which an answer asks to wait; `None` if it does not. A date has whole seconds.
fn asked_to_wait(reply: &Reply, now: Millis) -> Option<Millis> {
    let value = reply.header("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Some(now + (seconds * 1000.0) as Millis);
    }
    let date = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", value).ok()?;
    let at = date.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(millis_of(at))
}

/// The name of the crash point that follows a change, whether or not the answer has arrived.
fn crash_point_after(request: &Request, answered: Option<&Reply>) -> &'static str {
    let runs = |reply: &Reply| reply.header("azure-asyncoperation").or(reply.header("location")).is_some();
    match request.method {
        Method::Delete => "C12 within an undo",
        _ if answered.is_some_and(runs) => "C6 operation not saved",
        Method::Get | Method::Put | Method::Patch | Method::Post => "C4 after effect",
    }
}

/// What is known about a request that was sent.
struct Sending {
    about: Option<usize>,
    /// The tenant's name and epoch when the request was sent.
    fence: Option<(String, u64)>,
    /// How far the sender's clock is ahead, in milliseconds.
    ahead: Millis,
    /// Whether the request arrives after its guaranteed lifetime.
    overdue: bool,
}

/// Lets Azure carry out a request, and checks the effect.
fn carried_out(shared: &Shared, request: &Request, sending: &Sending) -> Reply {
    let now = shared.hub.now();
    let reply = shared.azure().handle(now, request);
    if let Some(tenant) = sending.about.and_then(|about| shared.name_of(about)) {
        if request.mutates() && reply.is_success() {
            shared.azure().changed(&tenant);
            shared.writers().insert(tenant.clone(), sending.ahead);
            // The sender itself may have continued in the meantime, under the same lease.
            if sending.overdue {
                shared.disturbed().insert(tenant);
            }
        } else if shared.azure().behind && shared.is_misled(&tenant, sending.ahead) {
            shared.hit("misled");
            shared.disturbed().insert(tenant);
        }
    }
    let path = request.path.split('?').next().unwrap_or_default();
    shared.hub.note("azure", &format_args!("{} {path} -> {}", request.method, reply.status));
    let wrongs = std::mem::take(&mut shared.azure().wrongs);
    for (invariant, what) in wrongs {
        if shared.plan.bounded() || invariant != "I14" {
            shared.wrong(invariant, what);
        }
    }
    if let Some((tenant, epoch)) = sending.fence.as_ref().filter(|_| request.mutates() && reply.is_success())
    {
        let has_another_holder =
            shared.ledger().tenants.get(tenant).is_some_and(|document| document.epoch() != *epoch);
        if has_another_holder {
            if shared.plan.bounded() {
                let what =
                    format!("{tenant}: {} {path} took effect after another holder had come", request.method);
                shared.wrong("I2b", what);
            } else {
                shared.disturbed().insert(tenant.clone());
            }
        }
    }
    reply
}

/// The waits that services have requested.
#[derive(Default)]
pub(crate) struct Pauses {
    /// By invocation and path: until when to wait, and when the answer with the wait was received.
    asked: BTreeMap<(u64, String), (Millis, Millis)>,
}
