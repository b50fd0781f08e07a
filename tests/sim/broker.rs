//! The queues and the Functions host: deliveries happen at least once and in sessions, locks get lost, and the
//! dead-letter queue is processed. The product is called through `Functions::call`, as in production.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock, atomic::Ordering},
};

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tenantry::host::{Answer, Function, Functions as _, HttpCall, Invocation, Message, Timer, Trigger};
use tenantry_core::{blueprint::Blueprint, ids::TenantId};

use super::{exec::Millis, history::Response, profile::Profile, scenario::Shared, slot::Slot};

/// After this many deliveries a message is dead-lettered, as by default in Service Bus.
const MAX_DELIVERIES: u32 = 10;
/// `functionTimeout` of host.json in milliseconds: the host kills the process when an invocation takes longer.
const FUNCTION_TIMEOUT: Millis = 600_000;

/// Codes of rejections that a sender has to expect, because a request can reach a tenant in any state.
const EXPECTED: [&str; 5] =
    ["tenant_exists", "unknown_tenant", "tenant_removed", "nothing_to_retry", "replace_not_allowed"];

/// The requests of one tenant that wait in the queue; the host processes one at a time.
#[derive(Default)]
pub(crate) struct Session {
    waiting: VecDeque<Arc<Letter>>,
    held: bool,
}

/// A request that a client sends.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) at: Millis,
    pub(crate) tenant: usize,
    pub(crate) id: String,
    pub(crate) body: Value,
    pub(crate) by_http: bool,
    /// Whether intake must reject the request.
    pub(crate) poison: bool,
    /// The delay in milliseconds after which the request is sent again; `None` if it is sent once.
    pub(crate) again: Option<Millis>,
}

/// Both versions of the blueprint, each with and without an isolation check. They are checked once per process.
pub(crate) fn blueprints() -> Vec<Blueprint> {
    static CHECKED: OnceLock<Vec<Blueprint>> = OnceLock::new();
    CHECKED
        .get_or_init(|| {
            let replaced = |text: &str, past: &str, new: &str| {
                assert!(text.contains(past), "{past} is not in the blueprint");
                text.replace(past, new)
            };
            let next_version = |text: &str| {
                let text = replaced(text, "version: 1.0.0", "version: 2.0.0");
                replaced(
                    &text,
                    "enableRbacAuthorization: true",
                    "enableRbacAuthorization: true\n        edition: second",
                )
            };
            let plain = include_str!("tenant.yaml").to_owned();
            let proved = replaced(&plain, "\nexports:", concat!(include_str!("proof.yaml"), "exports:"));
            let texts = [plain.clone(), next_version(&plain), proved.clone(), next_version(&proved)];
            texts.iter().map(|text| Blueprint::check(text).unwrap().blueprint).collect()
        })
        .clone()
}

/// Sends a request: through the queue or over HTTP.
pub(crate) fn send(shared: &Arc<Shared>, letter: &Letter) {
    shared.open.fetch_add(1, Ordering::Relaxed);
    shared.hub.note("send", &letter.body);
    shared.ledger().consents.asked(&letter.id, &letter.body);
    let letter = Arc::new(letter.clone());
    let scenario = Arc::clone(shared);
    if letter.by_http {
        shared.hub.spawn(0, None, async move { by_http(&scenario, &letter).await });
        return;
    }
    let begins = {
        let mut sessions = shared.sessions.lock().unwrap();
        let session = sessions.entry(letter.tenant).or_default();
        session.waiting.push_back(Arc::clone(&letter));
        !std::mem::replace(&mut session.held, true)
    };
    if begins {
        let tenant = letter.tenant;
        shared.hub.spawn(0, None, async move {
            while let Some(letter) = next(&scenario, tenant) {
                settle(&scenario, letter).await;
            }
        });
    }
}

fn next(shared: &Shared, tenant: usize) -> Option<Arc<Letter>> {
    let mut sessions = shared.sessions.lock().unwrap();
    let session = sessions.get_mut(&tenant)?;
    let next = session.waiting.pop_front();
    session.held = next.is_some();
    next
}

/// How the delivery of an invocation ended.
enum Delivered {
    Answered(Answer),
    /// The worker crashed or was killed.
    Died,
}

/// Gives an invocation to a random running worker and waits for the result, or for the host's timeout.
async fn deliver(
    shared: &Arc<Shared>,
    function: Function,
    trigger: Trigger,
    about: Option<usize>,
) -> Delivered {
    let (owner, app) = loop {
        let chosen = {
            let workers = shared.workers();
            let alive: Vec<_> = workers.iter().filter(|worker| worker.alive).collect();
            (!alive.is_empty()).then(|| {
                let index = usize::try_from(shared.faults().below(alive.len() as u64)).unwrap_or(0);
                (alive[index].owner, Arc::clone(&alive[index].app))
            })
        };
        match chosen {
            Some(chosen) => break chosen,
            None => shared.hub.sleep(1000).await,
        }
    };
    let id = format!("{}-{}", function.name(), shared.hub.now());
    let invocation = Invocation { function, id: Some(id), traceparent: None, trigger };
    let slot = Slot::new();
    let end = OnDrop(Arc::clone(&slot));
    let scenario = Arc::clone(shared);
    shared.hub.spawn(owner, about, async move {
        let answer = app.call(invocation).await;
        scenario.perhaps_die(owner, "C10 before acknowledgement").await;
        end.0.put(Some(answer));
    });
    match select(Box::pin(slot.take()), shared.hub.sleep(FUNCTION_TIMEOUT)).await {
        Either::Left((Some(answer), _)) => Delivered::Answered(answer),
        Either::Left((None, _)) => Delivered::Died,
        Either::Right(_) => {
            shared.hit("function timeout");
            shared.kill(owner);
            Delivered::Died
        }
    }
}

/// Reports that a task has ended even if the task was dropped: then without an answer.
struct OnDrop(Arc<Slot<Option<Answer>>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.put(None);
    }
}

fn message(body: &Value) -> Trigger {
    Trigger::Message(Message {
        body: body.to_string().into_bytes(),
        message_id: None,
        session_id: None,
        delivery_count: None,
        sequence_number: None,
        enqueued_at: None,
        correlation_id: None,
        content_type: None,
        application_properties: BTreeMap::new(),
        metadata_trusted: true,
    })
}

/// Delivers a request until the product has completed it, or until it is dead-lettered.
async fn settle(shared: &Arc<Shared>, letter: Arc<Letter>) {
    for _ in 0..MAX_DELIVERIES {
        let lost = shared.faulty().is_some_and(|plan| shared.faults().permille(plan.lock_lost));
        if lost {
            shared.hit("lock lost");
            let (scenario, same) = (Arc::clone(shared), Arc::clone(&letter));
            let span = shared.faults().within(0, 20_000);
            shared.hub.spawn(0, None, async move {
                scenario.hub.sleep(span).await;
                let _ = deliver(&scenario, Function::Requests, message(&same.body), Some(same.tenant)).await;
            });
        }
        if tried(shared, &letter, Function::Requests).await {
            return;
        }
    }
    shared.hit("dead-lettered");
    let scenario = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        // The dead-letter queue has no limit of deliveries: the message is delivered until it is completed.
        while !tried(&scenario, &letter, Function::DeadLetter).await {
            let span = scenario.faults().within(200, 5_000);
            let slower = if scenario.plan.profile == Profile::Days { 60 } else { 1 };
            scenario.hub.sleep(slower * span).await;
        }
    });
}

/// Delivers a message once; returns whether the product has completed it.
async fn tried(shared: &Arc<Shared>, letter: &Letter, function: Function) -> bool {
    begun(shared, letter);
    match deliver(shared, function, message(&letter.body), Some(letter.tenant)).await {
        Delivered::Answered(Answer::Done { .. }) => {
            shared.hub.note("done", &letter.id);
            acknowledged(shared, letter);
            shared.open.fetch_sub(1, Ordering::Relaxed);
            true
        }
        Delivered::Answered(Answer::TryAgain { .. } | Answer::Http { .. }) => {
            shared.hit("redelivered");
            shared.hub.sleep(20).await;
            false
        }
        Delivered::Died => {
            let span = shared.faults().within(1_000, 60_000);
            shared.hub.sleep(span).await;
            false
        }
    }
}

/// Records when a delivery begins, which is the earliest instant at which the request can have an effect.
fn begun(shared: &Shared, letter: &Letter) {
    if !letter.poison {
        shared.history().begun(&letter.id, letter.tenant, &letter.body, shared.hub.now());
    }
}

/// Invariant I9: an acknowledged request is on record. No valid request is rejected for an unexpected reason.
fn acknowledged(shared: &Shared, letter: &Letter) {
    let id = &letter.id;
    let answer = shared.ledger().answers.get(id).cloned();
    if let Some(answer) = &answer {
        let response = match answer["code"].as_str() {
            Some(code) => Response::Rejected(code.to_owned()),
            None => Response::Accepted,
        };
        shared.history().answered(id, response, shared.hub.now());
    }
    match answer.as_ref().map(|answer| (answer["decision"].as_str(), answer["code"].as_str())) {
        Some((Some("rejected"), Some(_))) if letter.poison => shared.hit("poison refused"),
        // The answer to a request without an id can't be found here; `at_rest` checks that there is one.
        None if letter.poison && letter.body.get("requestId").is_none() => shared.hit("poison refused"),
        Some((Some("accepted"), _)) if !letter.poison => {}
        Some((Some("rejected"), Some(code))) if EXPECTED.contains(&code) => {}
        Some(_) => shared.wrong("I3", format!("request {id} was answered {}", answer.unwrap_or_default())),
        None => shared.wrong("I9", format!("request {id} was acknowledged and is not on record")),
    }
}

/// Acts as a client over HTTP that repeats a request until there is an answer.
async fn by_http(shared: &Arc<Shared>, letter: &Letter) {
    if letter.body["action"] == "read" {
        return read(shared, letter).await;
    }
    loop {
        begun(shared, letter);
        let is_retry = letter.body["action"] == "retry";
        let tenant = letter.body["tenantId"].as_str().unwrap_or_default().to_owned();
        let call = HttpCall {
            method: "POST".to_owned(),
            path: "/api/tenants".to_owned(),
            query: BTreeMap::new(),
            params: if is_retry {
                BTreeMap::from([("tenantId".to_owned(), tenant)])
            } else {
                BTreeMap::new()
            },
            headers: BTreeMap::new(),
            body: Some(letter.body.to_string().into_bytes()),
            identities: Value::Null,
        };
        let function = if is_retry { Function::Retry } else { Function::Tenants };
        let delivered = deliver(shared, function, Trigger::Http(call), Some(letter.tenant)).await;
        if let Delivered::Answered(Answer::Http { status, body, .. }) = delivered
            && status < 500
        {
            agrees(shared, letter, &body);
            acknowledged(shared, letter);
            shared.open.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        shared.hub.sleep(5_000).await;
    }
}

/// Invariant I25: the answer over HTTP is the answer on record.
fn agrees(shared: &Shared, letter: &Letter, body: &str) {
    // An invalid request may have no answer under its id.
    if letter.poison {
        return;
    }
    let response: Value = serde_json::from_str(body).unwrap_or_default();
    let kept = shared.ledger().answers.get(&letter.id).cloned().unwrap_or_default();
    let differs = |member: &str| !response[member].is_null() && response[member] != kept[member];
    if ["decision", "code", "operationId"].into_iter().any(differs) {
        shared
            .wrong("I25", format!("request {} was answered {response}, and on record is {kept}", letter.id));
    }
}

/// Acts as a client that reads a tenant over HTTP.
async fn read(shared: &Arc<Shared>, letter: &Letter) {
    let tenant = letter.body["tenantId"].as_str().unwrap_or_default().to_owned();
    let call = HttpCall {
        method: "GET".to_owned(),
        path: format!("/api/tenants/{tenant}"),
        query: BTreeMap::new(),
        params: BTreeMap::from([("tenantId".to_owned(), tenant)]),
        headers: BTreeMap::new(),
        body: None,
        identities: Value::Null,
    };
    begun(shared, letter);
    loop {
        let delivered =
            deliver(shared, Function::Tenants, Trigger::Http(call.clone()), Some(letter.tenant)).await;
        if let Delivered::Answered(Answer::Http { status, body, .. }) = delivered
            && status < 500
        {
            let shown: Value = serde_json::from_str(&body).unwrap_or_default();
            let response = match (status, shown["status"].as_str()) {
                (200, Some(status)) => Response::Shown(status.to_owned(), !shown["suspended"].is_null()),
                _ => Response::NoTenant,
            };
            shared.hit("read");
            shared.history().answered(&letter.id, response, shared.hub.now());
            shared.open.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        shared.hub.sleep(5_000).await;
    }
}

/// Delivers a wake-up about a tenant at an instant of the broker's own clock, or shortly after.
pub(crate) fn schedule(shared: &Arc<Shared>, tenant: &TenantId, at: Millis) {
    let (scenario, about) = (Arc::clone(shared), shared.number_of(tenant.as_str()));
    let body = json!({ "tenantId": tenant });
    let late = shared.faults().within(0, 1_500);
    shared.hub.spawn(0, None, async move {
        scenario.hub.sleep_until(at + late).await;
        for _ in 0..MAX_DELIVERIES {
            match deliver(&scenario, Function::Wakeup, message(&body), about).await {
                Delivered::Answered(Answer::Done { .. }) => return,
                Delivered::Answered(_) => scenario.hub.sleep(20).await,
                Delivered::Died => scenario.hub.sleep(10_000).await,
            }
        }
    });
}

/// Calls a timer function on random workers, every `every` milliseconds.
pub(crate) fn tick(shared: &Arc<Shared>, function: Function, every: Millis) {
    let scenario = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        loop {
            scenario.hub.sleep(every).await;
            let _ = deliver(&scenario, function, Trigger::Timer(Timer::default()), None).await;
        }
    });
}

/// Calls a timer function once, now.
pub(crate) fn once(shared: &Arc<Shared>, function: Function) {
    let scenario = Arc::clone(shared);
    scenario.open.fetch_add(1, Ordering::Relaxed);
    shared.hub.spawn(0, None, async move {
        let _ = deliver(&scenario, function, Trigger::Timer(Timer::default()), None).await;
        scenario.open.fetch_sub(1, Ordering::Relaxed);
    });
}
