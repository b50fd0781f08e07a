//! The state itself, in maps, shared with the ledger rather than copied: most of a run's time went into copies.
//! They behave as `tests/common/memory.rs` does, which the other stores are held against.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use jiff::Timestamp;
use tenantry::{
    announce::HistoryRow,
    ids::TenantId,
    ports::{Due, ETag, Listed, RequestRecord, StoreError, Stored},
    tenant::Tenant,
};

#[derive(Default)]
pub(crate) struct Shelf(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    tenants: BTreeMap<TenantId, (Arc<Tenant>, ETag)>,
    requests: BTreeMap<String, Stored<RequestRecord>>,
    untold: BTreeSet<(i64, String)>,
    history: BTreeMap<(TenantId, u64), HistoryRow>,
    blueprints: BTreeMap<String, String>,
    saves: u64,
}

impl Maps {
    fn version(&mut self, present: Option<&ETag>, seen: Option<&ETag>) -> Result<ETag, StoreError> {
        if present != seen {
            return Err(StoreError::Overtaken);
        }
        self.saves += 1;
        Ok(ETag(self.saves.to_string()))
    }
}

impl Shelf {
    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.0.lock().unwrap()
    }

    pub(crate) fn blueprint(&self, digest: &str) -> Option<String> {
        self.maps().blueprints.get(digest).cloned()
    }

    pub(crate) fn keep_blueprint(&self, digest: &str, text: &str) {
        self.maps().blueprints.entry(digest.to_owned()).or_insert_with(|| text.to_owned());
    }

    pub(crate) fn load(&self, id: &TenantId) -> Option<Stored<Tenant>> {
        let found = self.maps().tenants.get(id).cloned();
        found.map(|(tenant, etag)| Stored { value: Tenant::clone(&tenant), etag })
    }

    /// Saves, and hands out what is kept.
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
        let rows = maps.tenants.values().map(|(tenant, _)| Tenant::clone(tenant));
        let rows = rows.filter(|tenant| after.is_none_or(|after| tenant.id > *after)).take(limit);
        rows.map(|tenant| Listed::Readable(Box::new(tenant))).collect()
    }

    pub(crate) fn request(&self, key: &str) -> Option<Stored<RequestRecord>> {
        self.maps().requests.get(key).cloned()
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
            maps.untold.remove(&(past.value.at.as_millisecond(), past.value.key));
        }
        if !record.notices.is_empty() {
            maps.untold.insert((record.at.as_millisecond(), record.key.clone()));
        }
        Ok(etag)
    }

    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<Due> {
        let maps = self.maps();
        let tenants = maps.tenants.values().filter_map(|(tenant, _)| {
            Some((tenant.due_at?.as_millisecond(), Due::Tenant(tenant.id.clone())))
        });
        let requests = maps.untold.iter().map(|(at, key)| (*at, Due::Request(key.clone())));
        let all: BTreeSet<(i64, Due)> = tenants.chain(requests).collect();
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
