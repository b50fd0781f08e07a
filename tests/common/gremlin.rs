//! Trouble at one chosen place: a request that is repeated, lost or unanswered, a worker that dies.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::{
    announce::HistoryRow,
    ids::TenantId,
    ports::{Due, ETag, RequestRecord, StateStore, StoreError, Stored, Wire, World},
    steps::{Failure, Reply, Request},
    tenant::Tenant,
};
use tokio::sync::{Notify, RwLock};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Every change reaches Azure twice; the second answer is the one that comes back.
    EveryChangeTwice,
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

/// Brings trouble to the n-th change or save, counted from 1 over a tenant's whole life.
pub(crate) struct Gremlin {
    trouble: Trouble,
    at: usize,
    changes: AtomicUsize,
    saves: AtomicUsize,
    death: Notify,
    /// Held by every request on its way, so that a dead worker's last ones can be waited for.
    under_way: Arc<RwLock<()>>,
}

impl Gremlin {
    pub(crate) fn new(trouble: Trouble, at: usize) -> Arc<Self> {
        Arc::new(Self {
            trouble,
            at,
            changes: AtomicUsize::new(0),
            saves: AtomicUsize::new(0),
            death: Notify::new(),
            under_way: Arc::default(),
        })
    }

    /// The same world with trouble in it.
    pub(crate) fn haunt(self: &Arc<Self>, world: &World) -> World {
        let wire = Arc::new(Haunted { inner: Arc::clone(&world.wire), gremlin: Arc::clone(self) });
        let store = Arc::new(Haunted { inner: Arc::clone(&world.store), gremlin: Arc::clone(self) });
        World { wire, store, ..world.clone() }
    }

    /// How often a document was saved so far, or was about to be.
    pub(crate) fn saves(&self) -> usize {
        self.saves.load(Ordering::SeqCst)
    }

    /// Whether the place of the trouble was reached.
    pub(crate) fn struck(&self) -> bool {
        let reached = match self.trouble {
            Trouble::None | Trouble::EveryChangeTwice => return true,
            Trouble::AnswerLost
            | Trouble::ChangeLost
            | Trouble::NotSent
            | Trouble::DeathBeforeChange
            | Trouble::DeathAfterChange => &self.changes,
            Trouble::DeathBeforeSave
            | Trouble::DeathAfterSave
            | Trouble::SaveUnanswered
            | Trouble::SaveLost => &self.saves,
        };
        reached.load(Ordering::SeqCst) >= self.at
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

    fn trouble_at(&self, count: &AtomicUsize) -> Trouble {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        if self.trouble == Trouble::EveryChangeTwice || number == self.at {
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
            match self.gremlin.trouble_at(&self.gremlin.changes) {
                Trouble::None
                | Trouble::DeathBeforeSave
                | Trouble::DeathAfterSave
                | Trouble::SaveUnanswered
                | Trouble::SaveLost => self.deliver(request).await,
                Trouble::EveryChangeTwice => {
                    let _first = self.deliver(request.clone()).await;
                    self.deliver(request).await
                }
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

impl StateStore for Haunted<dyn StateStore> {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        self.inner.load(id)
    }
    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            match self.gremlin.trouble_at(&self.gremlin.saves) {
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
                | Trouble::AnswerLost
                | Trouble::ChangeLost
                | Trouble::NotSent
                | Trouble::DeathBeforeChange
                | Trouble::DeathAfterChange => self.inner.save(tenant, seen).await,
            }
        })
    }
    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Tenant>, StoreError>> {
        self.inner.list(after, limit)
    }
    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        self.inner.request(key)
    }
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.inner.save_request(record, seen)
    }
    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        self.inner.due(now, limit)
    }
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.append(rows)
    }
    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        self.inner.history(id, limit)
    }
}
