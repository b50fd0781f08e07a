//! The tables of the state store, as maps that are shared with the ledger, because copies took most of a run's time.
//! They behave like `tests/suite/testkit/memory.rs`, with which the other stores are compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use jiff::Timestamp;
use tenantry::ports::{Due, ETag, Listed, RequestRecord, StoreError, Stored, Unreadable};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

#[derive(Default)]
pub(crate) struct Tables(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    tenants: BTreeMap<TenantId, (Arc<Tenant>, ETag)>,
    requests: BTreeMap<String, Stored<RequestRecord>>,
    unpublished: BTreeSet<(i64, String)>,
    history: BTreeMap<(TenantId, u64), HistoryRow>,
    blueprints: BTreeMap<String, String>,
    spoilt: BTreeSet<TenantId>,
    spoilt_requests: BTreeSet<String>,
    saves: u64,
}

const WHY: &str = "simulated: another schema";

impl Maps {
    fn version(&mut self, present: Option<&ETag>, seen: Option<&ETag>) -> Result<ETag, StoreError> {
        if present != seen {
            return Err(StoreError::Overtaken);
        }
        self.saves += 1;
        Ok(ETag(self.saves.to_string()))
    }
}

impl Tables {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap()
    }

    pub(crate) fn blueprint(&self, digest: &str) -> Option<String> {
        self.maps().blueprints.get(digest).cloned()
    }

    pub(crate) fn keep_blueprint(&self, digest: &str, text: &str) {
        self.maps().blueprints.entry(digest.to_owned()).or_insert_with(|| text.to_owned());
    }

    /// Makes a tenant's row unreadable until it is repaired.
    pub(crate) fn spoil(&self, id: TenantId) {
        self.maps().spoilt.insert(id);
    }

    /// Adds an unreadable request record, which is due because of events to publish.
    pub(crate) fn spoil_request(&self, key: &str) {
        self.maps().spoilt_requests.insert(key.to_owned());
    }

    /// Repairs a tenant's row, as a person would.
    pub(crate) fn mend(&self, id: &TenantId) {
        self.maps().spoilt.remove(id);
    }

    pub(crate) fn load(&self, id: &TenantId) -> Result<Option<Stored<Tenant>>, StoreError> {
        let maps = self.maps();
        let found = maps.tenants.get(id).cloned();
        if maps.spoilt.contains(id) {
            let etag = found.map_or_else(|| ETag("spoilt".to_owned()), |(_, etag)| etag);
            return Err(StoreError::Unreadable { why: WHY.to_owned(), etag });
        }
        Ok(found.map(|(tenant, etag)| Stored { value: Tenant::clone(&tenant), etag }))
    }

    /// Saves a document if `seen` is the present version. Returns the new version and the saved document.
    pub(crate) fn save(
        &self,
        tenant: &Tenant,
        seen: Option<&ETag>,
    ) -> Result<(ETag, Arc<Tenant>), StoreError> {
        let mut maps = self.maps();
        let present = maps.tenants.get(&tenant.id).map(|(_, etag)| etag.clone());
        let etag = maps.version(present.as_ref(), seen)?;
        let kept = Arc::new(tenant.clone());
        maps.tenants.insert(tenant.id.clone(), (Arc::clone(&kept), etag.clone()));
        Ok((etag, kept))
    }

    pub(crate) fn list(&self, after: Option<&TenantId>, limit: usize) -> Vec<Listed> {
        let maps = self.maps();
        let ids: BTreeSet<&TenantId> = maps.tenants.keys().chain(&maps.spoilt).collect();
        let ids = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after)).take(limit);
        let unreadable = |id: &TenantId| Unreadable { tenant_id: id.clone(), why: WHY.to_owned() };
        let row = |id: &TenantId| match maps.tenants.get(id).filter(|_| !maps.spoilt.contains(id)) {
            Some((tenant, _)) => Listed::Readable(Box::new(Tenant::clone(tenant))),
            None => Listed::Unreadable(unreadable(id)),
        };
        ids.map(row).collect()
    }

    pub(crate) fn request(&self, key: &str) -> Result<Option<Stored<RequestRecord>>, StoreError> {
        let maps = self.maps();
        if maps.spoilt_requests.contains(key) {
            return Err(StoreError::Unreadable { why: WHY.to_owned(), etag: ETag("spoilt".to_owned()) });
        }
        Ok(maps.requests.get(key).cloned())
    }

    pub(crate) fn save_request(
        &self,
        record: &RequestRecord,
        seen: Option<&ETag>,
    ) -> Result<ETag, StoreError> {
        let mut maps = self.maps();
        let present = maps.requests.get(&record.key).map(|stored| stored.etag.clone());
        let etag = maps.version(present.as_ref(), seen)?;
        let stored = Stored { value: record.clone(), etag: etag.clone() };
        if let Some(past) = maps.requests.insert(record.key.clone(), stored) {
            maps.unpublished.remove(&(past.value.at.as_millisecond(), past.value.key));
        }
        if !record.outbox.is_empty() {
            maps.unpublished.insert((record.at.as_millisecond(), record.key.clone()));
        }
        Ok(etag)
    }

    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<Due> {
        let maps = self.maps();
        let readable = maps.tenants.values().filter(|(tenant, _)| !maps.spoilt.contains(&tenant.id));
        let tenants = readable.filter_map(|(tenant, _)| {
            Some((tenant.due_at?.as_millisecond(), Due::Tenant(tenant.id.clone())))
        });
        // An unreadable row counts as due since the beginning of time, because its own time can't be read.
        let spoilt = maps.spoilt.iter().map(|id| (0, Due::Tenant(id.clone())));
        let spoilt = spoilt.chain(maps.spoilt_requests.iter().map(|key| (0, Due::Request(key.clone()))));
        let requests = maps.unpublished.iter().map(|(at, key)| (*at, Due::Request(key.clone())));
        let all: BTreeSet<(i64, Due)> = tenants.chain(requests).chain(spoilt).collect();
        let due = all.into_iter().take_while(|(at, _)| *at <= now.as_millisecond());
        due.map(|(_, due)| due).take(limit).collect()
    }

    pub(crate) fn append(&self, rows: &[HistoryRow]) {
        let mut maps = self.maps();
        for row in rows {
            maps.history.entry((row.tenant_id.clone(), row.number)).or_insert_with(|| row.clone());
        }
    }

    pub(crate) fn history(&self, id: &TenantId, limit: usize) -> Vec<HistoryRow> {
        let maps = self.maps();
        let rows = maps.history.range((id.clone(), 0)..=(id.clone(), u64::MAX));
        rows.rev().take(limit).map(|(_, row)| row.clone()).collect()
    }
}
