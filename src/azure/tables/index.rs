//! The index of the documents that are due, kept consistent without transactions.
//!
//! Table Storage has no transaction over several tables, so an index entry and the document that it points to can't
//! change together. Instead, this invariant holds: **a document with a due instant names an entry of the index that
//! exists and has that instant or an earlier one.** The name of an entry ends in the id of the save that made it, so no
//! two saves use the same name.
//!
//! A save makes an entry if it needs a new one, then saves the document that names the entry, then deletes the entry
//! that the replaced version named. An entry that is at most [`SLACK`] before the new instant is kept, so that
//! extending a lease at every save needs no new entry. A crash after the first of these writes leaves an entry that no
//! document names; a crash after the second leaves the old entry, which no document names either. No crash leaves a
//! document without its entry.
//!
//! [`Service::due`] reads the entries up to now, and for each of them the head of its document. If the document names
//! the entry and is due, the document is returned. If the document names the entry but is due later, the entry is early
//! and is skipped. If the document does not name the entry, the entry is deleted, but only once the save that made it
//! can't succeed any more. The entry has the version that this save is to replace, and versions never repeat: if the
//! current version is another one, the save has failed or will fail, even if its request is still in flight. No later
//! save can name the entry either, because only the save that made it and versions that follow from that save name it.
//! As long as the current version is the one in the entry, the entry is kept; the next save of the document changes the
//! version. So reading the index writes to no document and never disturbs a worker.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    entity::text,
    keep::{Head, REQUESTS, RowKind, Save, TENANTS},
    service::{Entity, RowKey, Service, Table, TableError},
};
use crate::ports::{Due, StoreError};

/// How much earlier than its document an entry may be due, in milliseconds. It is longer than a lease, so that a busy
/// tenant makes few entries, and short, so that a read of the index finds few entries that are early.
const SLACK: i64 = 300_000;
/// The only partition of the index; its rows are ordered by their instants.
const PARTITION: &str = "due";
/// How many entries a page of the index has.
const PAGE: usize = 100;
/// How many documents' heads are read in parallel.
const AT_ONCE: usize = 8;
/// The most bytes that the name of an entry adds to a document's entity, whose size is checked before the entry is
/// made.
pub(super) const NAMED_BYTES: usize = 2 << 10;

/// An entry of the index, as a document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The row key: `<instant in milliseconds, 15 digits>_<t or r>_<key>_<id of the save>`.
    pub(super) row: String,
    /// The version of the entry, which is needed to delete it.
    pub(super) etag: String,
}

impl Entry {
    /// Returns the entry that a document's entity names.
    pub(super) fn named_in(entity: &Entity) -> Option<Self> {
        let (row, etag) = text(entity, "DueRow").zip(text(entity, "DueTag"))?;
        Some(Self { row: row.to_owned(), etag: etag.to_owned() })
    }

    /// Stores the name of this entry in a document's entity.
    pub(super) fn name_in(&self, entity: &mut Entity) {
        entity.insert("DueRow".to_owned(), self.row.as_str().into());
        entity.insert("DueTag".to_owned(), self.etag.as_str().into());
    }

    /// Whether this entry can serve a document that is due at an instant: the entry is not later, and at most [`SLACK`]
    /// earlier.
    pub(super) fn serves(&self, due_at: Timestamp) -> bool {
        self.at().is_some_and(|at| (at..=at + SLACK).contains(&due_at.as_millisecond()))
    }

    /// The instant at which the entry is due, in milliseconds since 1970.
    fn at(&self) -> Option<i64> {
        self.row.split('_').next()?.parse().ok()
    }

    /// The kind and the key of the document that the entry points to. A key may contain underscores; the other parts do
    /// not.
    fn points_to(&self) -> Option<(RowKind, &str)> {
        let (_, rest) = self.row.split_once('_')?;
        let (kind, rest) = rest.split_once('_')?;
        let (key, _) = rest.rsplit_once('_')?;
        match kind {
            "t" => Some((TENANTS, key)),
            "r" => Some((REQUESTS, key)),
            _ => None,
        }
    }
}

/// An instant as milliseconds in 15 digits, so that the texts sort like the instants; an instant before 1970 becomes
/// 1970.
fn digits(at: Timestamp) -> String {
    format!("{:015}", at.as_millisecond().max(0))
}

impl Service {
    /// Makes the entry for a save, so that the document is found when it is due.
    pub(super) async fn make_entry(&self, save: &Save<'_>, due_at: Timestamp) -> Result<Entry, TableError> {
        let Save { kind, key, id: save_id, seen } = save;
        let kind = if kind.table == Table::Tenants { "t" } else { "r" };
        let row = format!("{}_{kind}_{key}_{save_id}", digits(due_at));
        let row_key = RowKey { table: Table::Due, partition: PARTITION, row: &row };
        let entity = Entity::from_iter([("For".to_owned(), Value::from(seen.unwrap_or_default()))]);
        let etag = match self.insert(row_key, entity).await {
            Ok(etag) => etag,
            // An earlier try without an answer may have made the entry; no other save makes one of this name.
            Err(error @ (TableError::Conflict | TableError::Unknown(_))) => {
                self.get(row_key, Some("For")).await?.ok_or(error)?.1
            }
            Err(error) => return Err(error),
        };
        Ok(Entry { row, etag })
    }

    /// Deletes an entry that no document names or will name. If that fails, a later read of the index deletes the
    /// entry.
    pub(super) async fn drop_entry(&self, entry: Option<&Entry>) {
        let Some(entry) = entry else { return };
        let row_key = RowKey { table: Table::Due, partition: PARTITION, row: &entry.row };
        match self.delete(row_key, &entry.etag).await {
            Ok(()) | Err(TableError::Absent) => {}
            Err(error) => tracing::debug!(entry = entry.row, ?error, "an index entry was not deleted"),
        }
    }

    /// The documents that are due, the longest overdue first.
    pub(super) async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let mut found: BTreeSet<(i64, Due)> = BTreeSet::new();
        let mut from = None;
        if limit == 0 {
            return Ok(Vec::new());
        }
        'pages: loop {
            // The row keys continue with `_` after the digits, which sorts before `a`, so the filter includes this
            // millisecond.
            let filter = format!("PartitionKey eq '{PARTITION}' and RowKey lt '{}a'", digits(now));
            let (page, next) = self.page(Table::Due, filter, PAGE, from).await?;
            let reads = stream::iter(page).map(|entity| self.resolve(entity)).buffered(AT_ONCE);
            let mut reads = std::pin::pin!(reads);
            while let Some(read) = reads.next().await {
                let Some((entry_at, found_due)) = read? else { continue };
                // No document is due before its entry, so no later entry can belong to a document that is due earlier.
                if found.iter().nth(limit - 1).is_some_and(|(at, _)| *at <= entry_at) {
                    break 'pages;
                }
                found.extend(found_due.filter(|(at, _)| *at <= now.as_millisecond()));
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
        Ok(found.into_iter().take(limit).map(|(_, due)| due).collect())
    }

    /// Returns an entry's instant and, if the document that the entry points to names it, that document with its due
    /// instant. Deletes the entry if its save has failed.
    async fn resolve(&self, entity: Entity) -> Result<Option<(i64, Option<(i64, Due)>)>, StoreError> {
        let property = |name| text(&entity, name).unwrap_or_default().to_owned();
        let entry = Entry { row: property("RowKey"), etag: property("odata.etag") };
        let Some(((kind, key), at)) = entry.points_to().zip(entry.at()) else {
            tracing::warn!(entry = entry.row, "an index entry has an unknown form");
            return Ok(None);
        };
        let Some(Head { version, due_at, .. }) = self.head(kind, key).await? else {
            // The save that made the entry creates the document, and may still succeed.
            return Ok(Some((at, None)));
        };
        if version.entry.as_ref().is_some_and(|named| named.row == entry.row) {
            let due = if kind.table == Table::Tenants {
                key.parse().map(Due::Tenant).ok()
            } else {
                Some(Due::Request(key.to_owned()))
            };
            return Ok(Some((at, due_at.map(Timestamp::as_millisecond).zip(due))));
        }
        if version.etag != property("For") {
            self.drop_entry(Some(&entry)).await;
        }
        Ok(Some((at, None)))
    }
}
