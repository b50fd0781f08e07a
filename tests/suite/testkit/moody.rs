//! A store that fails once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

/// A store that fails once, at the n-th thing that is asked of it, and answers nothing of what it did.
pub(crate) struct Moody {
    inner: Arc<dyn StateStore>,
    asked: AtomicUsize,
    fails_at: usize,
    undone: bool,
}

impl Moody {
    /// It does what it then says nothing of; 0 for never.
    pub(crate) fn new(inner: Arc<dyn StateStore>, fails_at: usize) -> Self {
        Self { inner, asked: AtomicUsize::new(0), fails_at, undone: false }
    }

    /// It does not even do it.
    pub(crate) fn idle(inner: Arc<dyn StateStore>, fails_at: usize) -> Self {
        Self { undone: true, ..Self::new(inner, fails_at) }
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn mood<T>(&self, work: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let fails = self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.fails_at;
        if fails && self.undone {
            return Err(StoreError::Unavailable("as told".to_owned()));
        }
        let done = work.await;
        if fails { Err(StoreError::Unavailable("as told".to_owned())) } else { done }
    }
}

impl StateStore for Moody {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        Box::pin(self.mood(self.inner.load(id)))
    }
    fn save<'a>(&'a self, of: &'a Tenant, seen: Option<&'a ETag>) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.mood(self.inner.save(of, seen)))
    }
    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.inner.list(after, limit)
    }
    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        Box::pin(self.mood(self.inner.request(key)))
    }
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.mood(self.inner.save_request(record, seen)))
    }
    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(self.mood(self.inner.blueprint(digest)))
    }
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.mood(self.inner.keep_blueprint(digest, text)))
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
