//! The state in redb: documents, request records, history, blueprint texts, and an index of what is due.
//!
//! All tables are in one file, so a document and its due entry change in one transaction.

mod tables;
mod whole;

pub use whole::RowState;

use azure_sim::db::{Db, DbError};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use redb::ReadableTable as _;
use serde::{Serialize, de::DeserializeOwned};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

use self::tables::{BLUEPRINTS, DUE, DUE_OF, HISTORY, LEASES, META, REQUESTS, Row, TENANTS, due_key};
use crate::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

fn from_json<T: DeserializeOwned>(json: &str, etag: &ETag) -> Result<T, StoreError> {
    let unreadable =
        |error: serde_json::Error| StoreError::Unreadable { why: error.to_string(), etag: etag.clone() };
    serde_json::from_str(json).map_err(unreadable)
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The state store of the local environment.
#[derive(Clone)]
pub struct LocalState {
    db: Db,
}

impl LocalState {
    /// Opens the tables, creating them if necessary.
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
            txn.open_table(LEASES)?;
            txn.open_table(META)?;
            txn.open_table(BLUEPRINTS)?;
            Ok::<(), DbError>(())
        })
        .await?;
        Ok(Self { db })
    }

    fn load_now(&self, id: &TenantId) -> Result<Option<Stored<Tenant>>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(TENANTS).map_err(DbError::from)?;
        let Some(row) = table.get(id.as_str()).map_err(DbError::from)? else { return Ok(None) };
        let (version, json) = row.value();
        let etag = ETag(version.to_string());
        match Tenant::of_row(id, json.as_bytes()) {
            Ok(value) => Ok(Some(Stored { value, etag })),
            Err(error) => Err(StoreError::Unreadable { why: error.to_string(), etag }),
        }
    }

    fn list_now(&self, after: Option<&TenantId>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(TENANTS).map_err(DbError::from)?;
        let from = after.map_or(String::new(), |after| format!("{after}\0"));
        let mut listed = Vec::new();
        for row in table.range(from.as_str()..).map_err(DbError::from)? {
            if listed.len() == limit {
                break;
            }
            let (key, value) = row.map_err(DbError::from)?;
            match key.value().parse() {
                Ok(id) => listed.push(Listed::of_row(id, value.value().1.as_bytes())),
                Err(_) => {
                    tracing::error!(key = key.value(), "a row of the tenants' table has a key that is no id");
                }
            }
        }
        Ok(listed)
    }
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
            let due = (due_key(&tenant.id), tenant.due_at);
            let (key, at) = (tenant.id.to_string(), tenant.updated_at);
            let lease = Some(tenant.lease().is_some());
            self.put(Row { table: TENANTS, key, json, due, lease, at }, seen).await
        })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a TenantId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
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
            let etag = ETag(version.to_string());
            Ok(Some(Stored { value: from_json(json, &etag)?, etag }))
        })
    }

    fn save_request<'a>(
        &'a self,
        record: &'a RequestRecord,
        seen: Option<&'a ETag>,
    ) -> BoxFuture<'a, Result<ETag, StoreError>> {
        Box::pin(async move {
            let due = (!record.outbox.is_empty()).then_some(record.at);
            let due = (format!("r/{}", record.key), due);
            let (key, json) = (record.key.clone(), to_json(record)?);
            self.put(Row { table: REQUESTS, key, json, due, lease: None, at: record.at }, seen).await
        })
    }

    fn blueprint<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let read = self.db.read()?;
            let table = read.open_table(BLUEPRINTS).map_err(DbError::from)?;
            Ok(table.get(digest).map_err(DbError::from)?.map(|row| row.value().to_owned()))
        })
    }

    fn keep_blueprint<'a>(&'a self, digest: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (digest, text) = (digest.to_owned(), text.to_owned());
            self.db
                .write(move |txn| {
                    let mut table = txn.open_table(BLUEPRINTS).map_err(DbError::from)?;
                    if table.get(digest.as_str()).map_err(DbError::from)?.is_none() {
                        table.insert(digest.as_str(), text.as_str()).map_err(DbError::from)?;
                    }
                    Ok(())
                })
                .await
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
            let mut found = Vec::new();
            for row in rows.rev() {
                if found.len() == limit {
                    break;
                }
                let (key, json) = row.map_err(DbError::from)?;
                match serde_json::from_str(json.value()) {
                    Ok(row) => found.push(row),
                    Err(error) => {
                        let number = key.value().1;
                        tracing::error!(tenant.id = %id, number, %error, "a row of history can't be read; it is left out");
                    }
                }
            }
            Ok(found)
        })
    }
}
