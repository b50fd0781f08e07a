//! What is due, found without a transaction.
//!
//! Table Storage changes one entity at a time across tables, so an index and what it points to can't change together.
//! Instead, this holds at every instant: **a document with a due instant names an entry of the index that is there and
//! stands at or before that instant.** An entry's name ends in the id of the save that made it, so no two saves ever
//! have the same.
//!
//! A save makes an entry if it needs one, then saves the document that names it, then drops the entry that the
//! replaced version named. An entry that stands no more than [`SLACK`] before the new instant is kept, so that a lease
//! extended at every save costs nothing here. A death after the first write leaves an entry that nobody names; a death
//! after the second leaves the old one, which nobody names either. No death leaves a document without its entry.
//!
//! [`Service::due`] reads the entries up to now, and the head of what each points to. Named, and due: it is due. Named,
//! and due later: the entry is early, nothing is to be done. Not named: dropped, but only if the save that made it can't
//! succeed any more. The entry says which version that save wants to replace, and versions don't come back: if the
//! present one is another, that save is over, whatever may still be on its way. Nobody can name the entry later either,
//! since it is only ever named by the save that made it and by versions upon that one. While the version is still the
//! one that the entry waits for, it is left alone; the next save of the document makes it another. So nothing that is
//! found here is ever written to, and a look disturbs nobody who is at work.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::{
    entity::text,
    keep::{Head, REQUESTS, Save, Shelf, TENANTS},
    service::{Entity, Place, Service, Table, Trouble},
};
use crate::ports::{Due, StoreError};

/// How early an entry may stand, in milliseconds. Longer than a lease, so that one who works makes few entries; short,
/// so that a look finds few that are not due yet.
const SLACK: i64 = 300_000;
/// The one partition of the index: it is read from its beginning.
const PARTITION: &str = "due";
/// Entries in one page.
const PAGE: usize = 100;
/// Heads that are read at the same time.
const AT_ONCE: usize = 8;
/// Bytes that an entity needs at most to name an entry; it is named only after the entity's size was checked.
pub(super) const NAMED_BYTES: usize = 2 << 10;

/// An entry, as a document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// `<instant in milliseconds, 15 digits>_<t or r>_<key>_<id of the save>`.
    pub(super) row: String,
    /// Its version, without which it can't be deleted.
    pub(super) etag: String,
}

impl Entry {
    /// The entry that an entity names.
    pub(super) fn named_in(entity: &Entity) -> Option<Self> {
        let (row, etag) = text(entity, "DueRow").zip(text(entity, "DueTag"))?;
        Some(Self { row: row.to_owned(), etag: etag.to_owned() })
    }

    /// Has an entity name it.
    pub(super) fn name_in(&self, entity: &mut Entity) {
        entity.insert("DueRow".to_owned(), self.row.as_str().into());
        entity.insert("DueTag".to_owned(), self.etag.as_str().into());
    }

    /// Whether it stands early enough for something due at this instant, and not much too early.
    pub(super) fn serves(&self, due_at: Timestamp) -> bool {
        self.at().is_some_and(|at| (at..=at + SLACK).contains(&due_at.as_millisecond()))
    }

    /// Where it stands, in milliseconds since 1970.
    fn at(&self) -> Option<i64> {
        self.row.split('_').next()?.parse().ok()
    }

    /// What it points to. A key may have underscores in it; the parts around it have none.
    fn points_to(&self) -> Option<(Shelf, &str)> {
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

/// Milliseconds in 15 digits, so that text is ordered as time is; what was due before 1970 is due since then.
fn digits(at: Timestamp) -> String {
    format!("{:015}", at.as_millisecond().max(0))
}

impl Service {
    /// Makes the entry of a save, so that what is saved is found when it is due.
    pub(super) async fn make_entry(&self, save: &Save<'_>, due_at: Timestamp) -> Result<Entry, Trouble> {
        let Save { shelf, key, id: save_id, seen } = save;
        let kind = if shelf.table == Table::Tenants { "t" } else { "r" };
        let row = format!("{}_{kind}_{key}_{save_id}", digits(due_at));
        let place = Place { table: Table::Due, partition: PARTITION, row: &row };
        let entity = Entity::from_iter([("For".to_owned(), Value::from(seen.unwrap_or_default()))]);
        let etag = match self.insert(place, entity).await {
            Ok(etag) => etag,
            // It may have been made by a try that was not answered; nobody else makes one of this name.
            Err(trouble @ (Trouble::Conflict | Trouble::Unknown(_))) => {
                self.get(place, Some("For")).await?.ok_or(trouble)?.1
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(Entry { row, etag })
    }

    /// Drops an entry that no document names or will name, if there is one to drop. If that fails, a look at what is due
    /// does it later.
    pub(super) async fn drop_entry(&self, entry: Option<&Entry>) {
        let Some(entry) = entry else { return };
        let place = Place { table: Table::Due, partition: PARTITION, row: &entry.row };
        match self.delete(place, &entry.etag).await {
            Ok(()) | Err(Trouble::Absent) => {}
            Err(trouble) => tracing::debug!(entry = entry.row, ?trouble, "an index entry was left behind"),
        }
    }

    /// What is due, the longest overdue first.
    pub(super) async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<Due>, StoreError> {
        let mut found: BTreeSet<(i64, Due)> = BTreeSet::new();
        let mut from = None;
        if limit == 0 {
            return Ok(Vec::new());
        }
        'pages: loop {
            // What comes right after all names of this millisecond, for the names go on with a lower character.
            let filter = format!("PartitionKey eq '{PARTITION}' and RowKey lt '{}a'", digits(now));
            let (page, next) = self.page(Table::Due, filter, PAGE, from).await?;
            let looks = stream::iter(page).map(|entity| self.look(entity)).buffered(AT_ONCE);
            let mut looks = std::pin::pin!(looks);
            while let Some(look) = looks.next().await {
                let Some((entry_at, sight)) = look? else { continue };
                // Nothing that an entry points to is due before the entry, so what follows can't be earlier.
                if found.iter().nth(limit - 1).is_some_and(|(at, _)| *at <= entry_at) {
                    break 'pages;
                }
                found.extend(sight.filter(|(at, _)| *at <= now.as_millisecond()));
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
        Ok(found.into_iter().take(limit).map(|(_, due)| due).collect())
    }

    /// Where an entry stands, and what it points to with its instant, if that names it; drops it if that is over.
    async fn look(&self, entity: Entity) -> Result<Option<(i64, Option<(i64, Due)>)>, StoreError> {
        let property = |name| text(&entity, name).unwrap_or_default().to_owned();
        let entry = Entry { row: property("RowKey"), etag: property("odata.etag") };
        let Some(((shelf, key), at)) = entry.points_to().zip(entry.at()) else {
            tracing::warn!(entry = entry.row, "an index entry that nobody here has written");
            return Ok(None);
        };
        let Some(Head { version, due_at, .. }) = self.head(shelf, key).await? else {
            // It waits for the first version, which may still come.
            return Ok(Some((at, None)));
        };
        if version.entry.as_ref().is_some_and(|named| named.row == entry.row) {
            let due = if shelf.table == Table::Tenants {
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
