//! Trouble at one chosen place: a request that is repeated, lost or unanswered, a worker that dies.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use serde_json::json;
use tenantry::ports::{ETag, StateStore, StoreError, Wire, World};
use tenantry_core::{
    steps::{Failure, Reply, Request},
    tenant::Tenant,
};
use tokio::sync::{Notify, RwLock};

use super::over::{Asked, Over, Wrapped};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Every change reaches Azure twice; the second answer is the one that comes back.
    EveryChangeTwice,
    /// Every change reaches Azure three times; the last answer is the one that comes back.
    EveryChangeThrice,
    /// A change is refused for good: as often as it is asked for, until the cause is removed.
    Refused,
    /// A change is made, and its answer is lost.
    AnswerLost,
    /// A change is not made, and nobody knows.
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
    /// The document is saved, and nobody is told.
    SaveUnanswered,
    /// The document is not saved, and nobody knows.
    SaveLost,
}

impl Trouble {
    /// Whether it comes to a change, rather than to a save.
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

/// Where the trouble comes, over a tenant's whole life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// At the n-th change or save, counted from 1.
    Number(usize),
    /// At the n-th change of this name, counted from 1: what is under way together comes in any order.
    Change(String, usize),
}

/// Brings trouble to one change or save.
pub(crate) struct Gremlin {
    plot: Arc<Plot>,
    death: Notify,
    /// Held by every request on its way, so that a dead worker's last ones can be waited for.
    under_way: Arc<RwLock<()>>,
}

/// What is to happen, and how far it has come, for all workers together.
struct Plot {
    trouble: Trouble,
    at: Spot,
    /// The name of every change so far.
    changes: Mutex<Vec<String>>,
    saves: AtomicUsize,
    removed: AtomicBool,
}

/// What a change is called: its method and path, the same in every life.
fn name(request: &Request) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let whole = path.split('/').map(|part| {
        // What is drawn at random has no name that could be compared.
        let drawn =
            part.split(['(', ')', '\'', '=']).any(|word| word.len() == 36 && word.matches('-').count() == 4);
        if drawn && !part.ends_with("a001") { "*" } else { part }
    });
    format!("{} {}", request.method, whole.collect::<Vec<_>>().join("/"))
}

impl Gremlin {
    pub(crate) fn new(trouble: Trouble, at: usize) -> Arc<Self> {
        Self::at(trouble, Spot::Number(at))
    }

    pub(crate) fn at(trouble: Trouble, at: Spot) -> Arc<Self> {
        let plot = Plot {
            trouble,
            at,
            changes: Mutex::default(),
            saves: AtomicUsize::new(0),
            removed: AtomicBool::new(false),
        };
        Self::of(Arc::new(plot))
    }

    fn of(plot: Arc<Plot>) -> Arc<Self> {
        Arc::new(Self { plot, death: Notify::new(), under_way: Arc::default() })
    }

    /// The same trouble for another worker: it comes to whichever of them gets there, and only that one dies of it.
    pub(crate) fn companion(&self) -> Arc<Self> {
        Self::of(Arc::clone(&self.plot))
    }

    /// The same world with trouble in it.
    pub(crate) fn haunt(self: &Arc<Self>, world: &World) -> World {
        let wire = Arc::new(Haunted { inner: Arc::clone(&world.wire), gremlin: Arc::clone(self) });
        let store = Arc::new(Wrapped(Haunted { inner: Arc::clone(&world.store), gremlin: Arc::clone(self) }));
        World { wire, store, ..world.clone() }
    }

    /// How often a document was saved so far, or was about to be.
    pub(crate) fn saves(&self) -> usize {
        self.plot.saves.load(Ordering::SeqCst)
    }

    /// Every change so far, made or about to be: its name, and how many of that name there were until then.
    pub(crate) fn changes(&self) -> Vec<Spot> {
        let changes = self.plot.changes.lock().unwrap();
        let until = |at: usize| changes[..=at].iter().filter(|name| **name == changes[at]).count();
        (0..changes.len()).map(|at| Spot::Change(changes[at].clone(), until(at))).collect()
    }

    /// The cause of a refusal is removed.
    pub(crate) fn give_in(&self) {
        self.plot.removed.store(true, Ordering::SeqCst);
    }

    /// Whether the place of the trouble was reached.
    pub(crate) fn struck(&self) -> bool {
        let always = [Trouble::None, Trouble::EveryChangeTwice, Trouble::EveryChangeThrice];
        if always.contains(&self.plot.trouble) {
            return true;
        }
        match &self.plot.at {
            Spot::Number(number) if self.plot.trouble.is_of_changes() => self.changes().len() >= *number,
            Spot::Number(number) => self.saves() >= *number,
            change @ Spot::Change(..) => self.changes().contains(change),
        }
    }

    /// What a worker does, or `None` if it died over it. Its last requests have reached Azure by then.
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

    /// The worker dies here: it never goes on.
    async fn die<T>(&self) -> T {
        self.death.notify_one();
        std::future::pending().await
    }
}

impl Plot {
    /// The trouble that a change meets, which is counted.
    fn at_change(&self, request: &Request) -> Trouble {
        let mut changes = self.changes.lock().unwrap();
        let name = name(request);
        changes.push(name.clone());
        let always = matches!(self.trouble, Trouble::EveryChangeTwice | Trouble::EveryChangeThrice);
        let lasts = self.trouble == Trouble::Refused && !self.removed.load(Ordering::SeqCst);
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
        let over = self.trouble == Trouble::Refused && !lasts;
        if always || (here && !over) { self.trouble } else { Trouble::None }
    }

    /// The trouble that a save meets, which is counted.
    fn at_save(&self) -> Trouble {
        if Spot::Number(self.saves.fetch_add(1, Ordering::SeqCst) + 1) == self.at {
            self.trouble
        } else {
            Trouble::None
        }
    }
}

struct Haunted<T: ?Sized> {
    inner: Arc<T>,
    gremlin: Arc<Gremlin>,
}

fn refusal() -> Reply {
    let body = json!({"error": {"code": REFUSAL, "message": "A policy of the company forbids it."}});
    Reply { status: 403, body, ..Reply::default() }
}

impl Haunted<dyn Wire> {
    /// Sends so that the request arrives even if whoever sent it is dead by then.
    async fn deliver(&self, request: Request) -> Result<Reply, Failure> {
        let (wire, under_way) = (Arc::clone(&self.inner), Arc::clone(&self.gremlin.under_way));
        let sent = tokio::spawn(async move {
            let _under_way = under_way.read().await;
            wire.send(request).await
        });
        sent.await.unwrap()
    }
}

impl Wire for Haunted<dyn Wire> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(async move {
            if !request.mutates() {
                return self.deliver(request).await;
            }
            match self.gremlin.plot.at_change(&request) {
                Trouble::None
                | Trouble::DeathBeforeSave
                | Trouble::DeathAfterSave
                | Trouble::SaveUnanswered
                | Trouble::SaveLost => self.deliver(request).await,
                Trouble::EveryChangeTwice => {
                    let _first = self.deliver(request.clone()).await;
                    self.deliver(request).await
                }
                Trouble::EveryChangeThrice => {
                    let _first = self.deliver(request.clone()).await;
                    let _second = self.deliver(request.clone()).await;
                    self.deliver(request).await
                }
                Trouble::Refused => Ok(refusal()),
                Trouble::AnswerLost => {
                    let _lost = self.deliver(request).await;
                    Err(Failure::ambiguous("the answer was lost"))
                }
                Trouble::ChangeLost => Err(Failure::ambiguous("the change was lost")),
                Trouble::NotSent => Err(Failure::not_sent("there was no connection")),
                Trouble::DeathBeforeChange => self.gremlin.die().await,
                Trouble::DeathAfterChange => {
                    let _unread = self.deliver(request).await;
                    self.gremlin.die().await
                }
            }
        })
    }
}

impl Over for Haunted<dyn StateStore> {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        Box::pin(async move {
            match self.gremlin.plot.at_save() {
                Trouble::DeathBeforeSave => self.gremlin.die().await,
                Trouble::DeathAfterSave => {
                    let _unread = self.inner.save(tenant, seen).await;
                    self.gremlin.die().await
                }
                Trouble::SaveUnanswered => {
                    let _unread = self.inner.save(tenant, seen).await;
                    Err(StoreError::Unavailable("the answer was lost".to_owned()))
                }
                Trouble::SaveLost => Err(StoreError::Unavailable("the save was lost".to_owned())),
                Trouble::None
                | Trouble::EveryChangeTwice
                | Trouble::EveryChangeThrice
                | Trouble::Refused
                | Trouble::AnswerLost
                | Trouble::ChangeLost
                | Trouble::NotSent
                | Trouble::DeathBeforeChange
                | Trouble::DeathAfterChange => self.inner.save(tenant, seen).await,
            }
        })
    }
}
