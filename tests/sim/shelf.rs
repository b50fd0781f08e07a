//! The state itself, in maps, shared with the ledger rather than copied: most of a run's time went into copies.
//! They behave as `tests/suite/testkit/memory.rs` does, which the other stores are held against.

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
pub(crate) struct Shelf(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    tenants: BTreeMap<TenantId, (Arc<Tenant>, ETag)>,
    requests: BTreeMap<String, Stored<RequestRecord>>,
    untold: BTreeSet<(i64, String)>,
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

    /// What stands under an id is nothing that this version reads, until it is mended.
    pub(crate) fn spoil(&self, id: TenantId) {
        self.maps().spoilt.insert(id);
    }

    /// A request record that nobody can read, with something to tell.
    pub(crate) fn spoil_request(&self, key: &str) {
        self.maps().spoilt_requests.insert(key.to_owned());
    }

    /// A person has put it right.
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
            maps.untold.remove(&(past.value.at.as_millisecond(), past.value.key));
        }
        if !record.notices.is_empty() {
            maps.untold.insert((record.at.as_millisecond(), record.key.clone()));
        }
        Ok(etag)
    }

    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<Due> {
        let maps = self.maps();
        let readable = maps.tenants.values().filter(|(tenant, _)| !maps.spoilt.contains(&tenant.id));
        let tenants = readable.filter_map(|(tenant, _)| {
            Some((tenant.due_at?.as_millisecond(), Due::Tenant(tenant.id.clone())))
        });
        // Since ever, as far as anybody knows.
        let spoilt = maps.spoilt.iter().map(|id| (0, Due::Tenant(id.clone())));
        let spoilt = spoilt.chain(maps.spoilt_requests.iter().map(|key| (0, Due::Request(key.clone()))));
        let requests = maps.untold.iter().map(|(at, key)| (*at, Due::Request(key.clone())));
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
