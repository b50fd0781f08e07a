//! The state in redb: documents, request records, history, and an index of what is due.
//!
//! All four are in one file, so a document and its due entry change in one transaction.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};

use super::db::{Db, DbError};
use crate::{
    announce::HistoryRow,
    ids::TenantId,
    ports::{Due, ETag, RequestRecord, StateStore, StoreError, Stored},
    tenant::Tenant,
};

/// Key to (version, JSON).
type Documents = TableDefinition<'static, &'static str, (u64, &'static str)>;

const TENANTS: Documents = TableDefinition::new("tenants");
const REQUESTS: Documents = TableDefinition::new("requests");
/// (due at in milliseconds, `t/<tenant>` or `r/<request>`).
const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("due");
/// Which due entry a key has, so that the next save removes it.
const DUE_OF: TableDefinition<'static, &str, i64> = TableDefinition::new("due-of");
const HISTORY: TableDefinition<'static, (&str, u64), &str> = TableDefinition::new("history");

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The state store of the local world.
#[derive(Clone)]
pub struct LocalState {
    db: Db,
}

impl LocalState {
    /// Opens the tables, making them if need be.
    ///
    /// # Errors
    /// [`DbError`] if the file fails.
    pub async fn open(db: Db) -> Result<Self, DbError> {
        db.write(|txn| {
            txn.open_table(TENANTS)?;
            txn.open_table(REQUESTS)?;
            txn.open_table(DUE)?;
            txn.open_table(DUE_OF)?;
            txn.open_table(HISTORY)?;
            Ok::<(), DbError>(())
        })
        .await?;
        Ok(Self { db })
    }

    /// Ends every lease: their holders died with the process that had the file before. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub async fn end_leases(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut ended = 0;
        let mut after = None;
        loop {
            let page = self.list_now(after.as_ref(), 100)?;
            let Some(last) = page.last() else { return Ok(ended) };
            after = Some(last.id.clone());
            for tenant in page.into_iter().filter(|tenant| tenant.lease.is_some()) {
                let Some(Stored { value: mut tenant, etag }) = self.load_now(&tenant.id)? else { continue };
                tenant.lease = None;
                tenant.due_at = Some(now);
                self.save(&tenant, Some(&etag)).await?;
                ended += 1;
            }
        }
    }

    fn load_now(&self, id: &TenantId) -> Result<Option<Stored<Tenant>>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(TENANTS).map_err(DbError::from)?;
        let Some(row) = table.get(id.as_str()).map_err(DbError::from)? else { return Ok(None) };
        let (version, json) = row.value();
        Ok(Some(Stored { value: open(json)?, etag: ETag(version.to_string()) }))
    }

    fn list_now(&self, after: Option<&TenantId>, limit: usize) -> Result<Vec<Tenant>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(TENANTS).map_err(DbError::from)?;
        let from = after.map_or(String::new(), |after| format!("{after}\0"));
        let rows = table.range(from.as_str()..).map_err(DbError::from)?;
        rows.take(limit).map(|row| open(row.map_err(DbError::from)?.1.value().1)).collect()
    }

    async fn put(
        &self,
        table: Documents,
        key: String,
        json: String,
        seen: Option<&ETag>,
        due: (String, Option<Timestamp>),
    ) -> Result<ETag, StoreError> {
        let seen = seen.map(|etag| etag.0.clone());
        self.db
            .write(move |txn| {
                let mut rows = txn.open_table(table).map_err(DbError::from)?;
                let current = rows.get(key.as_str()).map_err(DbError::from)?.map(|row| row.value().0);
                if current.map(|version| version.to_string()) != seen {
                    return Err(StoreError::Overtaken);
                }
                let version = current.unwrap_or_default() + 1;
                rows.insert(key.as_str(), (version, json.as_str())).map_err(DbError::from)?;
                index(txn, &due.0, due.1)?;
                Ok(ETag(version.to_string()))
            })
            .await
    }
}

fn open(json: &str) -> Result<Tenant, StoreError> {
    Tenant::from_json(json.as_bytes()).map_err(|error| StoreError::Refused(error.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

fn from_json<T: DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Refused(error.to_string()))
}

/// Replaces the due entry of a key.
fn index(txn: &WriteTransaction, key: &str, due: Option<Timestamp>) -> Result<(), DbError> {
    let (mut entries, mut of) = (txn.open_table(DUE)?, txn.open_table(DUE_OF)?);
    let due = due.map(|due| due.as_millisecond());
    let old = of.get(key)?.map(|old| old.value());
    if old == due {
        return Ok(());
    }
    if let Some(old) = old {
        entries.remove((old, key))?;
        of.remove(key)?;
    }
    if let Some(due) = due {
        entries.insert((due, key), ())?;
        of.insert(key, due)?;
    }
    Ok(())
}

impl StateStore for LocalState {
    fn load<'a>(&'a self, id: &'a TenantId) -> BoxFuture<'a, Result<Option<Stored<Tenant>>, StoreError>> {
        Box::pin(async move { self.load_now(id) })
    }

    fn save<'a>(
        &'a self,
        tenant: &'a Tenant,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let json = tenant.to_json().map_err(|error| StoreError::Refused(error.to_string()))?;
            let due = (format!("t/{}", tenant.id), tenant.due_at);
            self.put(TENANTS, tenant.id.to_string(), json, seen, due).await
        })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Tenant>, StoreError>> {
        Box::pin(async move { self.list_now(after, limit) })
    }

    fn request<'a>(
        &'a self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Stored<RequestRecord>>, StoreError>> {
        Box::pin(async move {
            let read = self.db.read()?;
            let table = read.open_table(REQUESTS).map_err(DbError::from)?;
            let Some(row) = table.get(key).map_err(DbError::from)? else { return Ok(None) };
            let (version, json) = row.value();
            Ok(Some(Stored { value: from_json(json)?, etag: ETag(version.to_string()) }))
        })
    }

    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let due = (!record.notices.is_empty()).then_some(record.at);
            let due = (format!("r/{}", record.key), due);
            self.put(REQUESTS, record.key.clone(), to_json(record)?, seen, due).await
        })
    }

    fn due(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<Vec<Due>, StoreError>> {
        Box::pin(async move {
            let read = self.db.read()?;
            let table = read.open_table(DUE).map_err(DbError::from)?;
            let until = now.as_millisecond() + 1;
            let mut due = Vec::new();
            for row in table.range(..(until, "")).map_err(DbError::from)?.take(limit) {
                let key = row.map_err(DbError::from)?.0.value().1.to_owned();
                match key.split_once('/') {
                    Some(("t", id)) => due.extend(id.parse().map(Due::Tenant)),
                    Some((_, key)) => due.push(Due::Request(key.to_owned())),
                    None => {}
                }
            }
            Ok(due)
        })
    }

    fn append<'a>(&'a self, rows: &'a [HistoryRow]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| Ok((row.tenant_id.to_string(), row.number, to_json(row)?)))
                .collect::<Result<_, StoreError>>()?;
            self.db
                .write(move |txn| {
                    let mut table = txn.open_table(HISTORY).map_err(DbError::from)?;
                    for (tenant, number, json) in &rows {
                        let key = (tenant.as_str(), *number);
                        if table.get(key).map_err(DbError::from)?.is_none() {
                            table.insert(key, json.as_str()).map_err(DbError::from)?;
                        }
                    }
                    Ok(())
                })
                .await
        })
    }

    fn history<'a>(
        &'a self,
        id: &'a TenantId,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<HistoryRow>, StoreError>> {
        Box::pin(async move {
            let read = self.db.read()?;
            let table = read.open_table(HISTORY).map_err(DbError::from)?;
            let rows = table.range((id.as_str(), 0)..=(id.as_str(), u64::MAX)).map_err(DbError::from)?;
            rows.rev().take(limit).map(|row| from_json(row.map_err(DbError::from)?.1.value())).collect()
        })
    }
}
