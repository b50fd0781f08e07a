//! The state store of a run: tables in memory ([`super::tables`]), reached over a network with faults.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

use super::{exec::Owner, scenario::Shared, versions};

/// A worker's access to the state store.
pub(crate) struct SimStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) owner: Owner,
    pub(crate) worker: String,
}

/// What happens to one call of the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    Overtaken,
    Refused,
    AnswerLost,
}

impl SimStore {
    async fn way(&self) {
        let span = self.shared.faults().within(1, 40);
        self.shared.hub.sleep(span).await;
    }

    fn fate(&self, changes: bool) -> Fate {
        let shared = &self.shared;
        let Some(plan) = shared.faulty() else { return Fate::Fine };
        if shared.is_out(1) {
            return Fate::Refused;
        }
        let mut rng = shared.faults();
        let (fate, name) = if rng.permille(plan.unavailable) {
            (Fate::Refused, "store unavailable")
        } else if changes && rng.permille(plan.conflicts) {
            (Fate::Overtaken, "store conflict")
        } else if changes && rng.permille(plan.ambiguous) {
            (Fate::AnswerLost, "store ambiguous")
        } else {
            return Fate::Fine;
        };
        drop(rng);
        shared.hit(name);
        fate
    }

    fn unavailable<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("simulated".to_owned()))
    }

    async fn read<T>(&self, work: impl FnOnce() -> T) -> Result<T, StoreError> {
        self.way().await;
        if self.fate(false) == Fate::Refused {
            return Self::unavailable();
        }
        Ok(work())
    }

    /// Makes a change. The worker may crash before it, or after the store has accepted it.
    async fn change<T>(
        &self,
        versioned: bool,
        work: impl FnOnce(&Shared) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.way().await;
        self.shared.perhaps_die(self.owner, "C2 before save").await;
        let fate = self.fate(true);
        match fate {
            Fate::Refused => return Self::unavailable(),
            Fate::Fine | Fate::AnswerLost | Fate::Overtaken => {}
        }
        let done = work(&self.shared);
        self.shared.perhaps_die(self.owner, "C5 after save").await;
        let slow = self.shared.faulty().is_some_and(|plan| self.shared.faults().permille(plan.slow_saves));
        if slow {
            self.shared.hit("slow save");
            let span = self.shared.faults().within(10_000, 110_000);
            self.shared.hub.sleep(span).await;
        } else {
            self.way().await;
        }
        match fate {
            Fate::AnswerLost => Self::unavailable(),
            // As if the client had repeated the call after a lost answer, so that the repeat conflicts with the first
            // attempt.
            Fate::Overtaken if versioned => Err(StoreError::Overtaken),
            Fate::Overtaken | Fate::Fine | Fate::Refused => done,
        }
    }
}

impl StateStore for SimStore {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        Box::pin(async move {
            self.shared.perhaps_die(self.owner, "C0 before anything").await;
            self.read(|| self.shared.tables.load(id)).await?
        })
    }

    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.change(true, move |shared| {
            // Every second process has a later version of the program.
            let newer = shared.plan.mixed && self.owner.is_multiple_of(2);
            let written = if newer { &versions::marked(tenant) } else { tenant };
            let (etag, kept) = shared.tables.save(written, seen)?;
            let (id, status, epoch, version) = (&kept.id, kept.status, kept.epoch(), kept.version());
            shared.hub.note("save", &format_args!("{id} {status:?} e{epoch} v{version}"));
            let before = shared.ledger().saved(&self.worker, Arc::clone(&kept));
            shared.after_save(before.as_deref(), &kept);
            Ok(etag)
        }))
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(self.read(move || self.shared.tables.list(after, limit)))
    }

    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        Box::pin(async move { self.read(|| self.shared.tables.request(key)).await? })
    }

    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(self.change(true, move |shared| {
            let etag = shared.tables.save_request(record, seen)?;
            shared.hub.note("record", &record.key);
            shared.ledger().recorded(record);
            Ok(etag)
        }))
    }

    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(self.read(move || self.shared.tables.blueprint(digest)))
    }

    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.change(false, move |shared| {
            shared.tables.keep_blueprint(digest, text);
            shared.hub.note("blueprint", &digest);
            Ok(())
        }))
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        Box::pin(self.read(move || self.shared.tables.due(now, limit)))
    }

    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.change(false, move |shared| {
            shared.tables.append(rows);
            shared.ledger().appended(rows);
            Ok(())
        }))
    }

    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        Box::pin(self.read(move || self.shared.tables.history(id, limit)))
    }
}
