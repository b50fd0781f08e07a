//! Injects a fault at one chosen point: a request that is repeated, lost or unanswered, a worker that dies.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use serde_json::json;
use tenantry::ports::{ETag, Ports, StateStore, StoreError, Transport};
use tenantry_core::{
    steps::{Failure, Reply, Request},
    tenant::Tenant,
};
use tokio::sync::{Notify, RwLock};

use super::over::{Asked, Over, Wrapped};

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Every change reaches Azure twice; the second answer is the one that comes back.
    EveryChangeTwice,
    /// Every change reaches Azure three times; the last answer is the one that comes back.
    EveryChangeThrice,
    /// A change is refused every time, until the cause is removed.
    Refused,
    /// A change is made, and its answer is lost.
    AnswerLost,
    /// A change is not made, and the caller can't know.
    ChangeLost,
    /// A change can't be sent, and that is known.
    NotSent,
    /// The worker dies before a change goes out.
    DeathBeforeChange,
    /// The worker dies after a change was made.
    DeathAfterChange,
    /// The worker dies before the document is saved.
    DeathBeforeSave,
    /// The worker dies after the document was saved.
    DeathAfterSave,
    /// The document is saved, and the answer is lost.
    SaveUnanswered,
    /// The document is not saved, and the caller can't know.
    SaveLost,
}

impl Fault {
    /// Whether it hits a change, rather than a save.
    pub(crate) fn is_of_changes(self) -> bool {
        match self {
            Self::Refused
            | Self::AnswerLost
            | Self::ChangeLost
            | Self::NotSent
            | Self::DeathBeforeChange
            | Self::DeathAfterChange => true,
            Self::None
            | Self::EveryChangeTwice
            | Self::EveryChangeThrice
            | Self::DeathBeforeSave
            | Self::DeathAfterSave
            | Self::SaveUnanswered
            | Self::SaveLost => false,
        }
    }
}

/// The code of the refusal that lasts: a policy of the company forbids it.
pub(crate) const REFUSAL: &str = "RequestDisallowedByPolicy";

/// The point of the fault, counted from a tenant's sign-up to its removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// At the n-th change or save, counted from 1.
    Number(usize),
    /// At the n-th change of this name, counted from 1: concurrent changes come in any order.
    Change(String, usize),
}

/// Injects a fault into one change or save.
pub(crate) struct FaultInjector {
    plan: Arc<FaultPlan>,
    death: Notify,
    /// Held by every request in flight, so that a dead worker's last ones can be waited for.
    under_way: Arc<RwLock<()>>,
}

/// The fault and the progress towards its point, shared by all workers.
struct FaultPlan {
    fault: Fault,
    at: Spot,
    /// The name of every change so far.
    changes: Mutex<Vec<String>>,
    saves: AtomicUsize,
    removed: AtomicBool,
}

/// The name of a change: its method and path, the same in every run.
fn name(request: &Request) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let whole = path.split('/').map(|part| {
        // Random ids can't be compared.
        let drawn = part
            .split(['(', ')', '\'', '='])
            .any(|piece| piece.len() == 36 && piece.matches('-').count() == 4);
        if drawn && !part.ends_with("a001") { "*" } else { part }
    });
    format!("{} {}", request.method, whole.collect::<Vec<_>>().join("/"))
}

impl FaultInjector {
    pub(crate) fn new(fault: Fault, at: usize) -> Arc<Self> {
        Self::at(fault, Spot::Number(at))
    }

    pub(crate) fn at(fault: Fault, at: Spot) -> Arc<Self> {
        let plan = FaultPlan {
            fault,
            at,
            changes: Mutex::default(),
            saves: AtomicUsize::new(0),
            removed: AtomicBool::new(false),
        };
        Self::of(Arc::new(plan))
    }

    fn of(plan: Arc<FaultPlan>) -> Arc<Self> {
        Arc::new(Self { plan, death: Notify::new(), under_way: Arc::default() })
    }

    /// An injector of the same fault for another worker: the fault hits the worker that reaches its point first, and
    /// only that one dies.
    pub(crate) fn companion(&self) -> Arc<Self> {
        Self::of(Arc::clone(&self.plan))
    }

    /// Wraps the transport and the store of ports, so that they inject the fault.
    pub(crate) fn inject(self: &Arc<Self>, ports: &Ports) -> Ports {
        let transport = Arc::new(Faulty { inner: Arc::clone(&ports.transport), injector: Arc::clone(self) });
        let store = Arc::new(Wrapped(Faulty { inner: Arc::clone(&ports.store), injector: Arc::clone(self) }));
        Ports { transport, store, ..ports.clone() }
    }

    /// How often a document was saved so far, or was about to be.
    pub(crate) fn saves(&self) -> usize {
        self.plan.saves.load(Ordering::SeqCst)
    }

    /// Every change so far, made or about to be: its name, and how many of that name there were until then.
    pub(crate) fn changes(&self) -> Vec<Spot> {
        let changes = self.plan.changes.lock().unwrap();
        let until = |at: usize| changes[..=at].iter().filter(|name| **name == changes[at]).count();
        (0..changes.len()).map(|at| Spot::Change(changes[at].clone(), until(at))).collect()
    }

    /// Removes the cause of a refusal.
    pub(crate) fn give_in(&self) {
        self.plan.removed.store(true, Ordering::SeqCst);
    }

    /// Whether the point of the fault was reached.
    pub(crate) fn struck(&self) -> bool {
        let always = [Fault::None, Fault::EveryChangeTwice, Fault::EveryChangeThrice];
        if always.contains(&self.plan.fault) {
            return true;
        }
        match &self.plan.at {
            Spot::Number(number) if self.plan.fault.is_of_changes() => self.changes().len() >= *number,
            Spot::Number(number) => self.saves() >= *number,
            change @ Spot::Change(..) => self.changes().contains(change),
        }
    }

    /// The result of a worker's work, or `None` if it died. Its last requests have reached Azure by then.
    pub(crate) async fn mortal<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let done = tokio::select! {
            biased;
            () = self.death.notified() => None,
            done = work => Some(done),
        };
        if done.is_none() {
            drop(self.under_way.write().await);
        }
        done
    }

    /// The worker dies here: the future never ends.
    async fn die<T>(&self) -> T {
        self.death.notify_one();
        std::future::pending().await
    }
}

impl FaultPlan {
    /// Counts a change, and returns its fault.
    fn at_change(&self, request: &Request) -> Fault {
        let mut changes = self.changes.lock().unwrap();
        let name = name(request);
        changes.push(name.clone());
        let always = matches!(self.fault, Fault::EveryChangeTwice | Fault::EveryChangeThrice);
        let lasts = self.fault == Fault::Refused && !self.removed.load(Ordering::SeqCst);
        let here = match &self.at {
            Spot::Number(number) if lasts => {
                number.checked_sub(1).and_then(|at| changes.get(at)) == Some(&name)
            }
            Spot::Number(number) => changes.len() == *number,
            Spot::Change(at, number) => {
                let until = changes.iter().filter(|change| *change == at).count();
                *at == name && (until == *number || (lasts && until > *number))
            }
        };
        let over = self.fault == Fault::Refused && !lasts;
        if always || (here && !over) { self.fault } else { Fault::None }
    }

    /// Counts a save, and returns its fault.
    fn at_save(&self) -> Fault {
        if Spot::Number(self.saves.fetch_add(1, Ordering::SeqCst) + 1) == self.at {
            self.fault
        } else {
            Fault::None
        }
    }
}

struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    injector: Arc<FaultInjector>,
}

fn refusal() -> Reply {
    let body = json!({"error": {"code": REFUSAL, "message": "A policy of the company forbids it."}});
    Reply { status: 403, body, ..Reply::default() }
}

impl Faulty<dyn Transport> {
    /// Sends so that the request arrives even if its worker is dead by then.
    async fn deliver(&self, request: Request) -> Result<Reply, Failure> {
        let (transport, under_way) = (Arc::clone(&self.inner), Arc::clone(&self.injector.under_way));
        let sent = tokio::spawn(async move {
            let _under_way = under_way.read().await;
            transport.send(request).await
        });
        sent.await.unwrap()
    }
}

impl Transport for Faulty<dyn Transport> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            if !request.mutates() {
                return self.deliver(request).await;
            }
            match self.injector.plan.at_change(&request) {
                Fault::None
                | Fault::DeathBeforeSave
                | Fault::DeathAfterSave
                | Fault::SaveUnanswered
                | Fault::SaveLost => self.deliver(request).await,
                Fault::EveryChangeTwice => {
                    let _first = self.deliver(request.clone()).await;
                    self.deliver(request).await
                }
                Fault::EveryChangeThrice => {
                    let _first = self.deliver(request.clone()).await;
                    let _second = self.deliver(request.clone()).await;
                    self.deliver(request).await
                }
                Fault::Refused => Ok(refusal()),
                Fault::AnswerLost => {
                    let _lost = self.deliver(request).await;
                    Err(Failure::ambiguous("the answer was lost"))
                }
                Fault::ChangeLost => Err(Failure::ambiguous("the change was lost")),
                Fault::NotSent => Err(Failure::not_sent("there was no connection")),
                Fault::DeathBeforeChange => self.injector.die().await,
                Fault::DeathAfterChange => {
                    let _unread = self.deliver(request).await;
                    self.injector.die().await
                }
            }
        })
    }
}

impl Over for Faulty<dyn StateStore> {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        Box::pin(async move {
            match self.injector.plan.at_save() {
                Fault::DeathBeforeSave => self.injector.die().await,
                Fault::DeathAfterSave => {
                    let _unread = self.inner.save(tenant, seen).await;
                    self.injector.die().await
                }
                Fault::SaveUnanswered => {
                    let _unread = self.inner.save(tenant, seen).await;
                    Err(StoreError::Unavailable("the answer was lost".to_owned()))
                }
                Fault::SaveLost => Err(StoreError::Unavailable("the save was lost".to_owned())),
                Fault::None
                | Fault::EveryChangeTwice
                | Fault::EveryChangeThrice
                | Fault::Refused
                | Fault::AnswerLost
                | Fault::ChangeLost
                | Fault::NotSent
                | Fault::DeathBeforeChange
                | Fault::DeathAfterChange => self.inner.save(tenant, seen).await,
            }
        })
    }
}
