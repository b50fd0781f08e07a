//! A state in which the text of a blueprint is lost or spoilt.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

/// A state whose text of one blueprint is lost or spoilt, or that does not answer when asked for it.
pub(crate) struct Spoilt {
    pub(crate) inner: Arc<dyn StateStore>,
    pub(crate) text: Result<Option<String>, StoreError>,
}

impl StateStore for Spoilt {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        self.inner.load(id)
    }
    fn save<'a>(&'a self, of: &'a Tenant, seen: Option<&'a ETag>) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.inner.save(of, seen)
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
        self.inner.request(key)
    }
    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        self.inner.save_request(record, seen)
    }
    fn blueprint<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async { self.text.clone() })
    }
    fn keep_blueprint<'a>(&'a self, of: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.keep_blueprint(of, text)
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
