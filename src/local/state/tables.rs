//! The tables of the state file, and how a row is written with its entries in the indexes.

use azure_sim::db::DbError;
use jiff::Timestamp;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use tenantry_core::ids::TenantId;

use super::LocalState;
use crate::ports::{ETag, StoreError};

/// A table of JSON documents: key to (version, JSON).
pub(super) type Documents = TableDefinition<'static, &'static str, (u64, &'static str)>;

pub(super) const TENANTS: Documents = TableDefinition::new("tenants");
pub(super) const REQUESTS: Documents = TableDefinition::new("requests");
/// The index of what is due: (due time in milliseconds since 1970, `t/<tenant>` or `r/<request key>`).
pub(super) const DUE: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("due");
/// The due time of each key in [`DUE`], with which the next save finds the entry to replace.
pub(super) const DUE_OF: TableDefinition<'static, &str, i64> = TableDefinition::new("due-of");
/// The tenants whose documents have a lease.
pub(super) const LEASES: TableDefinition<'static, &str, ()> = TableDefinition::new("leases");
/// Facts about the file: `mark`, as JSON; `changes`, their number; `clock`, the latest instant of any change, in
/// milliseconds since 1970.
pub(super) const META: TableDefinition<'static, &str, &str> = TableDefinition::new("meta");
pub(super) const HISTORY: TableDefinition<'static, (&str, u64), &str> = TableDefinition::new("history");
/// Blueprint texts by digest.
pub(super) const BLUEPRINTS: TableDefinition<'static, &str, &str> = TableDefinition::new("blueprints");

/// A document or request record to be saved.
pub(super) struct Row {
    pub(super) table: Documents,
    pub(super) key: String,
    pub(super) json: String,
    /// The key of its due entry, and when it is due; `None` deletes the entry.
    pub(super) due: (String, Option<Timestamp>),
    /// For a tenant, whether its document has a lease.
    pub(super) lease: Option<bool>,
    /// The instant of the change, as recorded in the row.
    pub(super) at: Timestamp,
}

/// The key of a tenant's due entry.
pub(super) fn due_key(id: &TenantId) -> String {
    format!("t/{id}")
}

impl LocalState {
    /// Saves a row and its index entries, if the stored version is the one that the caller has read; `None` if the caller
    /// has found no row.
    pub(super) async fn put(&self, row: Row, seen: Option<&ETag>) -> Result<ETag, StoreError> {
        let Row { table, key, json, due, lease, at } = row;
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
                if let Some(has_lease) = lease {
                    note_lease(txn, &key, has_lease)?;
                }
                count(txn, at)?;
                Ok(ETag(version.to_string()))
            })
            .await
    }
}

/// A number in the table [`META`]; 0 if there is none.
pub(super) fn number(table: &impl ReadableTable<&'static str, &'static str>, key: &str) -> u64 {
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

/// Adds a tenant to the index of leases, or removes it.
fn note_lease(txn: &WriteTransaction, tenant: &str, has_lease: bool) -> Result<(), DbError> {
    let mut leases = txn.open_table(LEASES)?;
    if leases.get(tenant)?.is_some() == has_lease {
        return Ok(());
    }
    if has_lease {
        leases.insert(tenant, ())?;
    } else {
        leases.remove(tenant)?;
    }
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
