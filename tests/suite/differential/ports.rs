//! Ports that record what the compared tenant and its neighbours do, and that let the other of these two sides continue
//! before each request and each save.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry::ports::{
    Clock, Credential, ETag, NoToken, Ports, ProbeToken, Prober, Publisher, RequestRecord, Scheduler, Scored,
    StateStore, TokenFor, Transport,
};
use tenantry_core::{
    ids::TenantId,
    isolation::ProbeTarget,
    steps::{Failure, Reply, Request},
    tenant::{CloudEvent, HistoryRow, Tenant},
};
use tokio::{runtime::Handle, task::block_in_place};

use super::{
    script::TENANT,
    trace::{Kind, Trace},
};
use crate::testkit::{
    edited,
    fixture::{Fixture, Jumping},
    over::{Asked, Over, Wrapped},
};

/// The compared tenant, or its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Tenant,
    Neighbours,
}

impl Who {
    fn of(id: &str) -> Self {
        if id == TENANT { Self::Tenant } else { Self::Neighbours }
    }
}

/// A leak between tenants that these ports inject, to test that the comparison finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leak {
    None,
    /// A neighbour's id gets into the tenant's document.
    Row,
    /// A neighbour's id gets into the body of a request for the tenant.
    Request,
    /// Each event of the tenant is published twice once a neighbour exists.
    Event,
    /// The tenant's `due_at` is a millisecond later once a neighbour exists.
    Time,
}

/// Records the traces of the compared tenant and of its neighbours, and knows which of these two sides is active.
pub(crate) struct Witness {
    active: Mutex<Who>,
    switches: AtomicUsize,
    /// Whether the compared tenant has nothing to do for at least a minute.
    quiet: AtomicBool,
    traces: Mutex<[Trace; 2]>,
    /// Azure refuses changes of a side to paths that contain one of its texts here.
    refused: Mutex<Vec<(Who, String)>>,
    /// The scheduled wake-ups that were not delivered yet.
    wakes: Mutex<Vec<(TenantId, Timestamp)>>,
    /// The ids of the neighbours that have been saved so far, one for each save.
    neighbours: Mutex<Vec<TenantId>>,
    azure: String,
    leak: Leak,
}

impl Witness {
    pub(crate) fn new(azure: &str, leak: Leak) -> Arc<Self> {
        Arc::new(Self {
            azure: azure.to_owned(),
            active: Mutex::new(Who::Tenant),
            switches: AtomicUsize::new(0),
            quiet: AtomicBool::new(false),
            traces: Mutex::default(),
            refused: Mutex::default(),
            wakes: Mutex::default(),
            neighbours: Mutex::default(),
            leak,
        })
    }

    /// The ports of a fixture, with recording. No call waits in them: a pass that would have to wait is requeued.
    pub(crate) fn watch(self: &Arc<Self>, fixture: &Fixture) -> Ports {
        Ports {
            store: Arc::new(Wrapped(Watched {
                inner: Arc::clone(&fixture.ports.store),
                witness: Arc::clone(self),
            })),
            transport: Arc::new(Watched {
                inner: Arc::clone(&fixture.ports.transport),
                witness: Arc::clone(self),
            }),
            publisher: Arc::new(Subscriber(Arc::clone(self))),
            scheduler: Arc::new(Agenda(Arc::clone(self))),
            clock: Arc::new(Still(Arc::clone(&fixture.clock))),
            prober: fixture.ports.prober.as_ref().map(|inner| {
                let (inner, witness) = (Arc::clone(inner), Arc::clone(self));
                Arc::new(Watched { inner, witness }) as Arc<dyn Prober>
            }),
        }
    }

    pub(crate) fn activate(&self, who: Who) {
        let mut active = self.active.lock().unwrap();
        if *active != who {
            *active = who;
            self.switches.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Relaxed);
    }

    /// Azure's refusal of a request; `None` if the request is sent.
    ///
    /// A subnet is changed by one request at a time, so there is one queue for all tenants of a stamp, and one of them
    /// has to wait. Here the compared tenant never waits.
    fn refusal(&self, who: Who, request: &Request) -> Option<Reply> {
        let refused_with = |status: u16, code: &str| {
            let body = json!({"error": {"code": code, "message": "Not here, and not now."}});
            Some(Reply { status, body, ..Reply::default() })
        };
        if !request.mutates() {
            return None;
        }
        let waits = who == Who::Neighbours && request.serial.is_some() && !self.quiet.load(Ordering::Relaxed);
        let refused = self.refused.lock().unwrap();
        if refused.iter().any(|(of, part)| *of == who && request.path.contains(part.as_str())) {
            return refused_with(403, "RequestDisallowedByPolicy");
        }
        if waits { refused_with(429, "RetryableErrorDueToAnotherOperation") } else { None }
    }

    pub(crate) fn switches(&self) -> usize {
        self.switches.load(Ordering::Relaxed)
    }

    fn active(&self) -> Who {
        *self.active.lock().unwrap()
    }

    fn traces(&self) -> MutexGuard<'_, [Trace; 2]> {
        self.traces.lock().unwrap()
    }

    pub(crate) fn see(&self, who: Who, kind: Kind, what: impl Into<String>) {
        self.traces()[who as usize].see(kind, what.into());
    }

    pub(crate) fn trace(&self, who: Who) -> Trace {
        self.traces()[who as usize].clone().settled(&self.azure)
    }

    pub(crate) fn refuse(&self, who: Who, part: &str) {
        self.refused.lock().unwrap().push((who, part.to_owned()));
    }

    pub(crate) fn relent(&self, who: Who) {
        self.refused.lock().unwrap().retain(|(of, _)| *of != who);
    }

    /// Removes and returns a due wake-up of one side.
    pub(crate) fn woken(&self, who: Who, now: Timestamp) -> Option<TenantId> {
        let mut wakes = self.wakes.lock().unwrap();
        let at = wakes.iter().position(|(id, at)| Who::of(id.as_str()) == who && *at <= now)?;
        Some(wakes.remove(at).0)
    }

    pub(crate) fn next_wake(&self, who: Who) -> Option<Timestamp> {
        let wakes = self.wakes.lock().unwrap();
        wakes.iter().filter(|(id, _)| Who::of(id.as_str()) == who).map(|(_, at)| *at).min()
    }

    fn neighbour(&self) -> Option<String> {
        self.neighbours.lock().unwrap().first().map(ToString::to_string)
    }
}

/// Lets the other side continue. The caller then works without interruption, so that nothing depends on how long the
/// work takes.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn at_once<T>(work: impl Future<Output = T>) -> T {
    yield_once().await;
    block_in_place(|| Handle::current().block_on(work))
}

struct Watched<T: ?Sized> {
    inner: Arc<T>,
    witness: Arc<Witness>,
}

impl Transport for Watched<dyn Transport> {
    fn send(&self, mut request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            yield_once().await;
            let (witness, who) = (&self.witness, self.witness.active());
            if witness.leak == Leak::Request
                && who == Who::Tenant
                && let (Some(neighbour), Some(Value::Object(body))) = (witness.neighbour(), &mut request.body)
            {
                body.insert("neighbour".to_owned(), json!(neighbour));
            }
            let body = request.body.clone().unwrap_or_default();
            let what = format!("{} {} {:?} {body}", request.method, request.path, request.headers);
            witness.see(who, Kind::Request, what);
            if let Some(refusal) = witness.refusal(who, &request) {
                return Ok(refusal);
            }
            let answer = block_in_place(|| Handle::current().block_on(self.inner.send(request.clone())));
            if let Ok(reply) = &answer {
                witness.traces()[who as usize].learn(&request, reply);
            }
            answer
        })
    }
}

impl Prober for Watched<dyn Prober> {
    fn location(&self) -> &str {
        self.inner.location()
    }

    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>> {
        Box::pin(at_once(self.inner.token(of, is_for)))
    }

    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>> {
        Box::pin(at_once(self.inner.call(target, with)))
    }
}

impl Over for Watched<dyn StateStore> {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn each<'a, T: Send + 'a>(&'a self, work: Asked<'a, T>) -> Asked<'a, T> {
        Box::pin(at_once(work))
    }

    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        Box::pin(async move {
            let mut tenant = tenant.clone();
            match (Who::of(tenant.id.as_str()), self.witness.leak, self.witness.neighbour()) {
                (Who::Neighbours, ..) => self.witness.neighbours.lock().unwrap().push(tenant.id.clone()),
                (Who::Tenant, Leak::Row, Some(neighbour)) => {
                    tenant.spec.tags.insert("neighbour".to_owned(), neighbour);
                }
                (Who::Tenant, Leak::Time, Some(_)) => {
                    let delay = jiff::SignedDuration::from_millis(1);
                    tenant.due_at = tenant.due_at.map(|due| due + delay);
                }
                (Who::Tenant, ..) => {}
            }
            let saved = at_once(self.inner.save(&tenant, seen)).await;
            // A lease's holder contains the number of the pass, which the worker counts over all tenants.
            tenant = edited(&tenant, |document| {
                if let Some(lease) = document.get_mut("lease") {
                    lease["holder"] = "somebody".into();
                }
            });
            let who = Who::of(tenant.id.as_str());
            self.witness.traces()[who as usize].learn_proofs(&tenant);
            let row = format!("{} {}", tenant.to_json().unwrap(), saved.is_ok());
            self.witness.see(who, Kind::Row, row);
            saved
        })
    }

    fn save_request<'a>(&'a self, record: &'a RequestRecord, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        Box::pin(async move {
            let saved = at_once(self.inner.save_request(record, seen)).await;
            let whose =
                record.tenant_id.as_ref().map_or_else(|| self.witness.active(), |id| Who::of(id.as_str()));
            self.witness.see(whose, Kind::Row, format!("{} {}", json!(record), saved.is_ok()));
            saved
        })
    }

    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> Asked<'a, ()> {
        for row in rows {
            self.witness.see(Who::of(row.tenant_id.as_str()), Kind::History, json!(row).to_string());
        }
        self.each(self.inner.append(rows))
    }
}

struct Subscriber(Arc<Witness>);

impl Publisher for Subscriber {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        for event in events {
            let whose = event.tenantid.as_deref().map_or_else(|| self.0.active(), Who::of);
            let extra = self.0.leak == Leak::Event && whose == Who::Tenant && self.0.neighbour().is_some();
            for _ in 0..=usize::from(extra) {
                self.0.see(whose, Kind::Event, json!(event).to_string());
            }
        }
        Box::pin(async {
            yield_once().await;
            Ok(())
        })
    }
}

struct Agenda(Arc<Witness>);

impl Scheduler for Agenda {
    fn schedule<'a>(&'a self, id: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        self.0.wakes.lock().unwrap().push((id.clone(), at));
        Box::pin(async { Ok(()) })
    }
}

/// A clock that does not move while the work of one instant is done; a wait on it never ends.
struct Still(Arc<Jumping>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}
