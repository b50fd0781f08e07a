//! The queues and the host: at least once, in sessions, with locks that get lost and a dead-letter queue that is fed
//! back in. What reaches the product goes through `Functions::call`, as in production.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, OnceLock, atomic::Ordering},
};

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tenantry::host::{Answer, Function, Functions as _, HttpCall, Invocation, Message, Timer, Trigger};
use tenantry_core::{blueprint::Blueprint, ids::TenantId};

use super::{exec::Millis, history::Told, profile::Profile, slot::Slot, world::Shared};

/// Deliveries before a message is dead-lettered: Service Bus's default.
const MAX_DELIVERIES: u32 = 10;
/// `functionTimeout` of host.json: the host kills the handler.
const FUNCTION_TIMEOUT: Millis = 600_000;

/// Refusals that a sender has to expect, because requests meet a tenant in whatever state it is.
const EXPECTED: [&str; 5] =
    ["tenant_exists", "unknown_tenant", "tenant_removed", "nothing_to_retry", "replace_not_allowed"];

/// One tenant's requests that wait for their turn.
#[derive(Default)]
pub(crate) struct Session {
    waiting: VecDeque<Arc<Letter>>,
    held: bool,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) at: Millis,
    pub(crate) tenant: usize,
    pub(crate) id: String,
    pub(crate) body: Value,
    pub(crate) by_http: bool,
    /// Nothing that may be taken in.
    pub(crate) poison: bool,
    /// Sent again that much later.
    pub(crate) again: Option<Millis>,
}

/// Both versions of the blueprint, and both with a proof of isolation at the end; checked once per process.
pub(crate) fn blueprints() -> Vec<Blueprint> {
    static CHECKED: OnceLock<Vec<Blueprint>> = OnceLock::new();
    CHECKED
        .get_or_init(|| {
            let replaced = |text: &str, past: &str, new: &str| {
                assert!(text.contains(past), "{past} is not in the blueprint");
                text.replace(past, new)
            };
            let later = |text: &str| {
                let text = replaced(text, "version: 1.0.0", "version: 2.0.0");
                replaced(
                    &text,
                    "enableRbacAuthorization: true",
                    "enableRbacAuthorization: true\n        edition: second",
                )
            };
            let plain = include_str!("tenant.yaml").to_owned();
            let proved = replaced(&plain, "\nexports:", concat!(include_str!("proof.yaml"), "exports:"));
            let texts = [plain.clone(), later(&plain), proved.clone(), later(&proved)];
            texts.iter().map(|text| Blueprint::check(text).unwrap().blueprint).collect()
        })
        .clone()
}

/// A request from a sender: into the queue or over HTTP.
pub(crate) fn send(shared: &Arc<Shared>, letter: &Letter) {
    shared.open.fetch_add(1, Ordering::Relaxed);
    shared.hub.note("send", &letter.body);
    shared.ledger().consents.asked(&letter.id, &letter.body);
    let letter = Arc::new(letter.clone());
    let world = Arc::clone(shared);
    if letter.by_http {
        shared.hub.spawn(0, None, async move { by_http(&world, &letter).await });
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
            while let Some(letter) = next(&world, tenant) {
                settle(&world, letter).await;
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

/// How a delivery came out.
enum Delivered {
    Answered(Answer),
    /// The worker died over it.
    Died,
}

/// Hands an invocation to some worker.
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
    let world = Arc::clone(shared);
    shared.hub.spawn(owner, about, async move {
        let answer = app.call(invocation).await;
        world.perhaps_die(owner, "C10 before acknowledgement").await;
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

/// Says that a task is gone, however it went.
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

/// Delivers a request until it is settled, or dead-lettered.
async fn settle(shared: &Arc<Shared>, letter: Arc<Letter>) {
    for _ in 0..MAX_DELIVERIES {
        let lost = shared.faulty().is_some_and(|plan| shared.faults().permille(plan.lock_lost));
        if lost {
            shared.hit("lock lost");
            let (world, same) = (Arc::clone(shared), Arc::clone(&letter));
            let span = shared.faults().within(0, 20_000);
            shared.hub.spawn(0, None, async move {
                world.hub.sleep(span).await;
                let _ = deliver(&world, Function::Signup, message(&same.body), Some(same.tenant)).await;
            });
        }
        if tried(shared, &letter, Function::Signup).await {
            return;
        }
    }
    shared.hit("dead-lettered");
    let world = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        // Nothing is dead-lettered from there: it comes again until it is taken.
        while !tried(&world, &letter, Function::DeadLetter).await {
            let span = world.faults().within(200, 5_000);
            let slower = if world.plan.profile == Profile::Days { 60 } else { 1 };
            world.hub.sleep(slower * span).await;
        }
    });
}

/// One delivery; true when the broker is told to complete the message.
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

/// Before this nothing that a letter asks for can have happened.
fn begun(shared: &Shared, letter: &Letter) {
    if !letter.poison {
        shared.history().begun(&letter.id, letter.tenant, &letter.body, shared.hub.now());
    }
}

/// I9: what is acknowledged is on record, and no sender is refused for no reason of his own.
fn acknowledged(shared: &Shared, letter: &Letter) {
    let id = &letter.id;
    let answer = shared.ledger().answers.get(id).cloned();
    if let Some(answer) = &answer {
        let told = match answer["code"].as_str() {
            Some(code) => Told::Rejected(code.to_owned()),
            None => Told::Accepted,
        };
        shared.history().answered(id, told, shared.hub.now());
    }
    match answer.as_ref().map(|answer| (answer["verdict"].as_str(), answer["code"].as_str())) {
        Some((Some("rejected"), Some(_))) if letter.poison => shared.hit("poison refused"),
        // Nothing in it says whose answer it is; that there is one is seen when all has come to rest.
        None if letter.poison && letter.body.get("requestId").is_none() => shared.hit("poison refused"),
        Some((Some("accepted"), _)) if !letter.poison => {}
        Some((Some("rejected"), Some(code))) if EXPECTED.contains(&code) => {}
        Some(_) => shared.wrong("I3", format!("request {id} was answered {}", answer.unwrap_or_default())),
        None => shared.wrong("I9", format!("request {id} was acknowledged and is not on record")),
    }
}

/// A person or program calls until there is an answer.
async fn by_http(shared: &Arc<Shared>, letter: &Letter) {
    if letter.body["action"] == "look" {
        return look(shared, letter).await;
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

/// What is told over HTTP is what is on record.
fn agrees(shared: &Shared, letter: &Letter, body: &str) {
    // Of what could not be read nobody keeps an answer under its id.
    if letter.poison {
        return;
    }
    let told: Value = serde_json::from_str(body).unwrap_or_default();
    let kept = shared.ledger().answers.get(&letter.id).cloned().unwrap_or_default();
    let differs = |member: &str| !told[member].is_null() && told[member] != kept[member];
    if ["verdict", "code", "operationId"].into_iter().any(differs) {
        shared.wrong("I25", format!("request {} was told {told}, and on record is {kept}", letter.id));
    }
}

/// Somebody looks how a tenant is.
async fn look(shared: &Arc<Shared>, letter: &Letter) {
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
            let told = match (status, shown["status"].as_str()) {
                (200, Some(word)) => Told::Shown(word.to_owned(), !shown["suspended"].is_null()),
                _ => Told::Nobody,
            };
            shared.hit("look");
            shared.history().answered(&letter.id, told, shared.hub.now());
            shared.open.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        shared.hub.sleep(5_000).await;
    }
}

/// A wake-up at an instant of the broker's own clock.
pub(crate) fn schedule(shared: &Arc<Shared>, tenant: &TenantId, at: Millis) {
    let (world, about) = (Arc::clone(shared), shared.number_of(tenant.as_str()));
    let body = json!({ "tenantId": tenant });
    let late = shared.faults().within(0, 1_500);
    shared.hub.spawn(0, None, async move {
        world.hub.sleep_until(at + late).await;
        for _ in 0..MAX_DELIVERIES {
            match deliver(&world, Function::Resume, message(&body), about).await {
                Delivered::Answered(Answer::Done { .. }) => return,
                Delivered::Answered(_) => world.hub.sleep(20).await,
                Delivered::Died => world.hub.sleep(10_000).await,
            }
        }
    });
}

/// A timer's function, on one worker again and again.
pub(crate) fn tick(shared: &Arc<Shared>, function: Function, every: Millis) {
    let world = Arc::clone(shared);
    shared.hub.spawn(0, None, async move {
        loop {
            world.hub.sleep(every).await;
            let _ = deliver(&world, function, Trigger::Timer(Timer::default()), None).await;
        }
    });
}

/// A timer's function, once and now.
pub(crate) fn once(shared: &Arc<Shared>, function: Function) {
    let world = Arc::clone(shared);
    world.open.fetch_add(1, Ordering::Relaxed);
    shared.hub.spawn(0, None, async move {
        let _ = deliver(&world, function, Trigger::Timer(Timer::default()), None).await;
        world.open.fetch_sub(1, Ordering::Relaxed);
    });
}
