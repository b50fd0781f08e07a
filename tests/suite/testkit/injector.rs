//! Injects a fault at one chosen point: a request that is repeated, lost or unanswered, or a worker that crashes.

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

/// The fault that is injected. A change is a request that changes something in Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no fault.
    None,
    /// Every change reaches Azure twice; the caller gets the second answer.
    EveryChangeTwice,
    /// Every change reaches Azure three times; the caller gets the last answer.
    EveryChangeThrice,
    /// A change is refused every time, until the test removes the cause of the refusal.
    Refused,
    /// A change is made, but its answer is lost.
    AnswerLost,
    /// A change is not made, and the caller can't know that.
    ChangeLost,
    /// A change can't be sent, and the caller gets to know that.
    NotSent,
    /// The worker crashes before a change is sent.
    DeathBeforeChange,
    /// The worker crashes after a change is made.
    DeathAfterChange,
    /// The worker crashes before the document is saved.
    DeathBeforeSave,
    /// The worker crashes after the document is saved.
    DeathAfterSave,
    /// The document is saved, but the answer is lost.
    SaveUnanswered,
    /// The document is not saved, and the caller can't know that.
    SaveLost,
}

impl Fault {
    /// Whether the fault affects a change rather than a save.
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

/// The error code of `Fault::Refused`: a policy of the company forbids the change.
pub(crate) const REFUSAL: &str = "RequestDisallowedByPolicy";

/// The point of the fault, counted over a tenant's whole lifecycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The n-th change or save, counted from 1.
    Number(usize),
    /// The n-th change with this name, counted from 1. Concurrent changes come in any order, so their numbers differ
    /// between runs.
    Change(String, usize),
}

/// Injects a fault into one change or save of a worker.
pub(crate) struct FaultInjector {
    plan: Arc<FaultPlan>,
    death: Notify,
    /// Held for reading by every request in flight, so that the injector can wait for the last requests of a
    /// crashed worker.
    under_way: Arc<RwLock<()>>,
}

/// The fault, and what was counted towards its point so far. All workers share it.
struct FaultPlan {
    fault: Fault,
    at: Spot,
    /// The names of all changes so far.
    changes: Mutex<Vec<String>>,
    saves: AtomicUsize,
    removed: AtomicBool,
}

/// The name of a change: method and path without random ids, so that it is the same in every run.
fn name(request: &Request) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let whole = path.split('/').map(|part| {
        // Random ids differ between runs, so `*` replaces them.
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

    /// An injector for another worker that shares the fault: the worker that reaches the point first gets the fault,
    /// and only that worker crashes.
    pub(crate) fn companion(&self) -> Arc<Self> {
        Self::of(Arc::clone(&self.plan))
    }

    /// Ports whose transport and store inject the fault.
    pub(crate) fn inject(self: &Arc<Self>, ports: &Ports) -> Ports {
        let transport = Arc::new(Faulty { inner: Arc::clone(&ports.transport), injector: Arc::clone(self) });
        let store = Arc::new(Wrapped(Faulty { inner: Arc::clone(&ports.store), injector: Arc::clone(self) }));
        Ports { transport, store, ..ports.clone() }
    }

    /// How many saves were made or attempted so far.
    pub(crate) fn saves(&self) -> usize {
        self.plan.saves.load(Ordering::SeqCst)
    }

    /// All changes so far, made or attempted, each with its name and its number among the changes of this name.
    pub(crate) fn changes(&self) -> Vec<Spot> {
        let changes = self.plan.changes.lock().unwrap();
        let until = |at: usize| changes[..=at].iter().filter(|name| **name == changes[at]).count();
        (0..changes.len()).map(|at| Spot::Change(changes[at].clone(), until(at))).collect()
    }

    /// Removes the cause of a refusal (`Fault::Refused`).
    pub(crate) fn give_in(&self) {
        self.plan.removed.store(true, Ordering::SeqCst);
    }

    /// Whether the point of the fault was reached. Always true for faults without a point.
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

    /// Runs the work of a worker. Returns the result, or `None` if the worker crashed; then its last requests have
    /// reached Azure.
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

    /// Lets the worker crash: the future never completes.
    async fn die<T>(&self) -> T {
        self.death.notify_one();
        std::future::pending().await
    }
}

impl FaultPlan {
    /// Counts a change, and returns the fault for it.
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

    /// Counts a save, and returns the fault for it.
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
    /// Sends a request in a task of its own, so that it reaches Azure even if the worker crashes meanwhile.
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
