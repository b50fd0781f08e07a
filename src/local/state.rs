//! The state in redb: documents, request records, history, blueprint texts, and an index of what is due.
//!
//! All tables are in one file, so a document and its due entry change in one transaction.

use azure_sim::{
    db::{Db, DbError},
    pairing::Mark,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};
use tenantry_core::{
    ids::TenantId,
    tenant::{HistoryRow, Tenant},
};

use crate::ports::{Due, ETag, Listed, RequestRecord, StateStore, StoreError, Stored};

/// A table of JSON documents: key to (version, JSON).
type Documents = TableDefinition<'static, &'static str, (u64, &'static str)>;

const TENANTS: Documents = TableDefinition::new("tenants");
const REQUESTS: Documents = TableDefinition::new("requests");
/// The index of what is due: (due time in milliseconds since 1970, `t/<tenant>` or `r/<request key>`).
const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("due");
/// The due time of each key in [`DUE`], with which the next save finds the entry to replace.
const DUE_OF: TableDefinition<'static, &str, i64> = TableDefinition::new("due-of");
/// Facts about the file: `mark`, as JSON; `changes`, their number; `clock`, the latest instant of any change, in
/// milliseconds since 1970.
const META: TableDefinition<'static, &str, &str> = TableDefinition::new("meta");
const HISTORY: TableDefinition<'static, (&str, u64), &str> = TableDefinition::new("history");
/// Blueprint texts by digest.
const BLUEPRINTS: TableDefinition<'static, &str, &str> = TableDefinition::new("blueprints");

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
            txn.open_table(META)?;
            txn.open_table(BLUEPRINTS)?;
            Ok::<(), DbError>(())
        })
        .await?;
        Ok(Self { db })
    }

    /// The recorded mark of the simulated Azure beside the file, with the file's current number of changes.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let read = self.db.read()?;
        let table = read.open_table(META).map_err(DbError::from)?;
        let Some(mark) = table.get("mark").map_err(DbError::from)? else { return Ok(None) };
        // An unreadable mark counts as none: state and simulated Azure then do not match, and a person decides.
        let mark = serde_json::from_str::<Mark>(mark.value()).ok();
        Ok(mark.map(|mark| Mark { changes: number(&table, "changes"), ..mark }))
    }

    /// Saves the mark that the file shares with the simulated Azure beside it.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub async fn keep_mark(&self, mark: &Mark) -> Result<(), StoreError> {
        let json = to_json(mark)?;
        self.db
            .write(move |txn| {
                txn.open_table(META)?.insert("mark", json.as_str())?;
                Ok::<(), DbError>(())
            })
            .await?;
        Ok(())
    }

    /// How often documents and request records were saved to the file.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn changes(&self) -> Result<u64, StoreError> {
        let read = self.db.read()?;
        Ok(number(&read.open_table(META).map_err(DbError::from)?, "changes"))
    }

    /// The latest instant of any change: the clock of a later process must not start before it.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub fn latest(&self) -> Result<Timestamp, StoreError> {
        let read = self.db.read()?;
        let latest = number(&read.open_table(META).map_err(DbError::from)?, "clock");
        let latest = i64::try_from(latest).ok().and_then(|latest| Timestamp::from_millisecond(latest).ok());
        Ok(latest.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Ends every lease, because its holder has ended with the process that had the file open, and makes the tenant
    /// due. Returns how many leases were ended.
    ///
    /// # Errors
    /// [`StoreError`] if the file fails.
    pub async fn end_leases(&self, now: Timestamp) -> Result<usize, StoreError> {
        let store: &dyn StateStore = self;
        let mut ended = 0;
        let mut after = None;
        loop {
            let page = self.list_now(after.as_ref(), 100)?;
            let Some(last) = page.last() else { return Ok(ended) };
            after = Some(last.id().clone());
            let (tenants, _) = Listed::sorted_out(page);
            for tenant in tenants.into_iter().filter(|tenant| tenant.lease().is_some()) {
                let end = |tenant: &mut Tenant| {
                    tenant.lease()?;
                    tenant.end_lease();
                    tenant.due_at = Some(now);
                    Some(())
                };
                ended += usize::from(store.update(&tenant.id, end).await?.is_some());
            }
        }
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

    async fn put(&self, row: Row, seen: Option<&ETag>) -> Result<ETag, StoreError> {
        let Row { table, key, json, due, at } = row;
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
                count(txn, at)?;
                Ok(ETag(version.to_string()))
            })
            .await
    }
}

/// A document or request record to be saved.
struct Row {
    table: Documents,
    key: String,
    json: String,
    /// The key of its due entry, and when it is due; `None` deletes the entry.
    due: (String, Option<Timestamp>),
    /// The instant of the change, as recorded in the row.
    at: Timestamp,
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

fn from_json<T: DeserializeOwned>(json: &str, etag: &ETag) -> Result<T, StoreError> {
    let unreadable =
        |error: serde_json::Error| StoreError::Unreadable { why: error.to_string(), etag: etag.clone() };
    serde_json::from_str(json).map_err(unreadable)
}

/// A number in the table [`META`]; 0 if there is none.
fn number(table: &impl ReadableTable<&'static str, &'static str>, key: &str) -> u64 {
    table.get(key).ok().flatten().and_then(|found| found.value().parse().ok()).unwrap_or_default()
}

/// Counts a change, and records its instant if that is the latest of all changes.
fn count(txn: &WriteTransaction, at: Timestamp) -> Result<(), DbError> {
    let mut table = txn.open_table(META)?;
    let (changes, clock) = (number(&table, "changes"), number(&table, "clock"));
    let clock = clock.max(u64::try_from(at.as_millisecond()).unwrap_or_default());
    table.insert("changes", changes.saturating_add(1).to_string().as_str())?;
    table.insert("clock", clock.to_string().as_str())?;
    Ok(())
}

/// Replaces the due entry of a key; `None` deletes it.
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
            let (key, at) = (tenant.id.to_string(), tenant.updated_at);
            self.put(Row { table: TENANTS, key, json, due, at }, seen).await
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
            self.put(Row { table: REQUESTS, key, json, due, at: record.at }, seen).await
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
