//! A state store that wraps another one. By default it forwards every call.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

/// The future of a store's call.
pub(crate) type Asked<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What a wrapping store does differently from the wrapped one. [`Wrapped`] makes a state store of it.
pub(crate) trait Over: Send + Sync {
    /// The wrapped store.
    fn inner(&self) -> &dyn StateStore;

    /// Wraps every call that is forwarded to the other store.
    fn each<'a, T: Send + 'a>(&'a self, work: Asked<'a, T>) -> Asked<'a, T> {
        work
    }

    /// See [`StateStore::load`].
    fn load<'a>(&'a self, id: &'a TenantId) -> Asked<'a, Option<Stored<Tenant>>> {
        self.each(self.inner().load(id))
    }
    /// See [`StateStore::save`].
    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        self.each(self.inner().save(tenant, seen))
    }
    /// See [`StateStore::list`].
    fn list<'a>(&'a self, after: Option<&'a TenantId>, limit: usize) -> Asked<'a, Vec<Listed>> {
        self.each(self.inner().list(after, limit))
    }
    /// See [`StateStore::request`].
    fn request<'a>(&'a self, key: &'a str) -> Asked<'a, Option<Stored<RequestRecord>>> {
        self.each(self.inner().request(key))
    }
    /// See [`StateStore::save_request`].
    fn save_request<'a>(&'a self, record: &'a RequestRecord, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        self.each(self.inner().save_request(record, seen))
    }
    /// See [`StateStore::blueprint`].
    fn blueprint<'a>(&'a self, digest: &'a str) -> Asked<'a, Option<String>> {
        self.each(self.inner().blueprint(digest))
    }
    /// See [`StateStore::keep_blueprint`].
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> Asked<'a, ()> {
        self.each(self.inner().keep_blueprint(digest, text))
    }
    /// See [`StateStore::due`].
    fn due(&self, now: Timestamp, limit: usize) -> Asked<'_, Vec<Due>> {
        self.each(self.inner().due(now, limit))
    }
    /// See [`StateStore::append`].
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> Asked<'a, ()> {
        self.each(self.inner().append(rows))
    }
    /// See [`StateStore::history`].
    fn history<'a>(&'a self, id: &'a TenantId, limit: usize) -> Asked<'a, Vec<HistoryRow>> {
        self.each(self.inner().history(id, limit))
    }
}

/// The state store that is made of an [`Over`].
pub(crate) struct Wrapped<T>(pub(crate) T);

impl<T: Over> StateStore for Wrapped<T> {
    fn load<'a>(&'a self, id: &'a TenantId) -> Asked<'a, Option<Stored<Tenant>>> {
        self.0.load(id)
    }
    fn save<'a>(&'a self, tenant: &'a Tenant, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        self.0.save(tenant, seen)
    }
    fn list<'a>(&'a self, after: Option<&'a TenantId>, limit: usize) -> Asked<'a, Vec<Listed>> {
        self.0.list(after, limit)
    }
    fn request<'a>(&'a self, key: &'a str) -> Asked<'a, Option<Stored<RequestRecord>>> {
        self.0.request(key)
    }
    fn save_request<'a>(&'a self, record: &'a RequestRecord, seen: Option<&'a ETag>) -> Asked<'a, ETag> {
        self.0.save_request(record, seen)
    }
    fn blueprint<'a>(&'a self, digest: &'a str) -> Asked<'a, Option<String>> {
        self.0.blueprint(digest)
    }
    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> Asked<'a, ()> {
        self.0.keep_blueprint(digest, text)
    }
    fn due(&self, now: Timestamp, limit: usize) -> Asked<'_, Vec<Due>> {
        self.0.due(now, limit)
    }
    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> Asked<'a, ()> {
        self.0.append(rows)
    }
    fn history<'a>(&'a self, id: &'a TenantId, limit: usize) -> Asked<'a, Vec<HistoryRow>> {
        self.0.history(id, limit)
    }
}
