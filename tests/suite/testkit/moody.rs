//! A state store that fails once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jiff::Timestamp;
use tenantry::ports::{Due, Listed, StateStore, StoreError};
use tenantry_core::{ids::TenantId, tenant::HistoryRow};

use super::over::{Asked, Over, Wrapped};

/// A state store whose n-th call fails. The call is carried out and its answer is lost, or it is not carried out.
pub(crate) struct Moody {
    inner: Arc<dyn StateStore>,
    asked: AtomicUsize,
    fails_at: usize,
    undone: bool,
}

impl Moody {
    /// A store whose call number `fails_at` is carried out but answered with an error; 0 means that no call fails.
    pub(crate) fn new(inner: Arc<dyn StateStore>, fails_at: usize) -> Wrapped<Self> {
        Wrapped(Self { inner, asked: AtomicUsize::new(0), fails_at, undone: false })
    }

    /// A store whose call number `fails_at` is not carried out and is answered with an error.
    pub(crate) fn idle(inner: Arc<dyn StateStore>, fails_at: usize) -> Wrapped<Self> {
        Wrapped(Self { undone: true, ..Self::new(inner, fails_at).0 })
    }

    /// How many calls were made that can fail.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn mood<T>(&self, work: Asked<'_, T>) -> Result<T, StoreError> {
        let fails = self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.fails_at;
        if fails && self.undone {
            return Err(StoreError::Unavailable("as the test says".to_owned()));
        }
        let done = work.await;
        if fails { Err(StoreError::Unavailable("as the test says".to_owned())) } else { done }
    }
}

impl Over for Moody {
    fn inner(&self) -> &dyn StateStore {
        &*self.inner
    }

    fn each<'a, T: Send + 'a>(&'a self, work: Asked<'a, T>) -> Asked<'a, T> {
        Box::pin(self.mood(work))
    }

    // Scans and calls for the history never fail, and are not counted.
    fn list<'a>(&'a self, after: Option<&'a TenantId>, limit: usize) -> Asked<'a, Vec<Listed>> {
        self.inner.list(after, limit)
    }
    fn due(&self, now: Timestamp, limit: usize) -> Asked<'_, Vec<Due>> {
        self.inner.due(now, limit)
    }
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> Asked<'a, ()> {
        self.inner.append(rows)
    }
    fn history<'a>(&'a self, id: &'a TenantId, limit: usize) -> Asked<'a, Vec<HistoryRow>> {
        self.inner.history(id, limit)
    }
}
