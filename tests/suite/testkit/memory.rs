//! The state in maps: the simplest implementation of a state store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

/// The model with which the other state stores are compared.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    tenants: BTreeMap<TenantId, Stored<Tenant>>,
    requests: BTreeMap<String, Stored<RequestRecord>>,
    history: BTreeMap<(TenantId, u64), HistoryRow>,
    blueprints: BTreeMap<String, String>,
    saves: u64,
}

impl Memory {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap()
    }
}

impl Maps {
    /// The next version, if the present version is `seen`; otherwise an error.
    fn version(&mut self, present: Option<&ETag>, seen: Option<&ETag>) -> Result<ETag, StoreError> {
        if present != seen {
            return Err(StoreError::Overtaken);
        }
        self.saves += 1;
        Ok(ETag(self.saves.to_string()))
    }
}

/// A tenant as a listing shows it: read from the stored row.
fn row(tenant: &Tenant) -> Listed {
    Listed::of_row(tenant.id.clone(), tenant.to_json().unwrap().as_bytes())
}

impl StateStore for Memory {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        Box::pin(async {
            let Some(stored) = self.maps().tenants.get(id).cloned() else { return Ok(None) };
            match row(&stored.value) {
                Listed::Readable(_) => Ok(Some(stored)),
                Listed::Unreadable(unreadable) => {
                    Err(StoreError::Unreadable { why: unreadable.why, etag: stored.etag })
                }
            }
        })
    }

    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            tenant.to_json().map_err(|error| StoreError::Refused(error.to_string()))?;
            let mut maps = self.maps();
            let present = maps.tenants.get(&tenant.id).map(|stored| stored.etag.clone());
            let etag = maps.version(present.as_ref(), seen)?;
            maps.tenants.insert(tenant.id.clone(), Stored { value: tenant.clone(), etag: etag.clone() });
            Ok(etag)
        })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            let maps = self.maps();
            let rows = maps.tenants.values().map(|stored| stored.value.clone());
            let rows = rows.filter(|tenant| after.is_none_or(|after| tenant.id > *after)).take(limit);
            Ok(rows.map(|tenant| row(&tenant)).collect())
        })
    }

    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        Box::pin(async move { Ok(self.maps().requests.get(key).cloned()) })
    }

    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let mut maps = self.maps();
            let present = maps.requests.get(&record.key).map(|stored| stored.etag.clone());
            let etag = maps.version(present.as_ref(), seen)?;
            maps.requests.insert(record.key.clone(), Stored { value: record.clone(), etag: etag.clone() });
            Ok(etag)
        })
    }

    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move { Ok(self.maps().blueprints.get(digest).cloned()) })
    }

    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.maps().blueprints.entry(digest.to_owned()).or_insert_with(|| text.to_owned());
            Ok(())
        })
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        Box::pin(async move {
            let maps = self.maps();
            let tenants = maps.tenants.values().filter_map(|Stored { value: tenant, .. }| {
                Some((tenant.due_at?.as_millisecond(), Due::Tenant(tenant.id.clone())))
            });
            let requests = maps.requests.values().filter_map(|Stored { value: record, .. }| {
                let published = record.outbox.is_empty();
                (!published).then(|| (record.at.as_millisecond(), Due::Request(record.key.clone())))
            });
            let all: BTreeSet<(i64, Due)> = tenants.chain(requests).collect();
            let due = all.into_iter().take_while(|(at, _)| *at <= now.as_millisecond());
            Ok(due.map(|(_, due)| due).take(limit).collect())
        })
    }

    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut maps = self.maps();
            for row in rows {
                let key = (row.tenant_id.clone(), row.number);
                maps.history.entry(key).or_insert_with(|| row.clone());
            }
            Ok(())
        })
    }

    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        Box::pin(async move {
            let maps = self.maps();
            let rows = maps.history.range((id.clone(), 0)..=(id.clone(), u64::MAX));
            Ok(rows.rev().take(limit).map(|(_, row)| row.clone()).collect())
        })
    }
}
