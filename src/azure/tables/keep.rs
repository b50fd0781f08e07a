//! Saves one entity on condition of its version, and finds out reliably whether the save succeeded.
//!
//! Each save writes an id of its own into the entity. If there was no answer, or a repeated request was refused, the
//! writer reads the entity. If the entity has the id of the save, the save has succeeded. If the entity has another
//! version than the one that was to be replaced, the save has failed and can't succeed later, because its condition
//! does not hold any more. If the version is still the same, the outcome is unknown.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    entity::{check_size, pack, text, unpack},
    index::{Entry, NAMED_BYTES},
    service::{Entity, RowKey, Service, Table, TableError},
};
use crate::ports::{ETag, StoreError, Stored};

/// A kind of row that is saved by compare-and-swap; each partition has one such row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowKind {
    pub(super) table: Table,
    row: &'static str,
}

/// The rows with tenants' documents.
pub(super) const TENANTS: RowKind = RowKind { table: Table::Tenants, row: "document" };
/// The rows with request records.
pub(super) const REQUESTS: RowKind = RowKind { table: Table::Requests, row: "record" };

impl RowKind {
    pub(super) fn row_key(self, key: &str) -> RowKey<'_> {
        RowKey { table: self.table, partition: key, row: self.row }
    }
}

/// A row to be saved.
pub(super) struct Draft<'a> {
    pub(super) key: &'a str,
    pub(super) json: String,
    pub(super) due_at: Option<Timestamp>,
    /// Properties for people who read the table; the program does not read them.
    pub(super) plain: Vec<(&'static str, String)>,
}

/// One attempt to save a row.
pub(super) struct Save<'a> {
    pub(super) kind: RowKind,
    pub(super) key: &'a str,
    /// The id of this save. Two saves of the same content have different ids.
    pub(super) id: String,
    /// The version to be replaced; `None` if the row must not exist yet.
    pub(super) seen: Option<&'a str>,
}

/// The properties of an entity, without its content.
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) due_at: Option<Timestamp>,
    save_id: String,
}

/// The names of the properties that a [`Head`] is read from.
const HEAD: &str = "SaveId,DueAt,DueRow,DueTag";

impl Head {
    fn of(entity: &Entity, etag: String) -> Self {
        Self {
            version: Version { etag, entry: Entry::named_in(entity) },
            due_at: text(entity, "DueAt").and_then(|at| at.parse().ok()),
            save_id: text(entity, "SaveId").unwrap_or_default().to_owned(),
        }
    }
}

/// The version of an entity: the ETag of Table Storage, and the index entry that this version names, so that the next
/// save need not read it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) etag: String,
    pub(super) entry: Option<Entry>,
}

impl Version {
    /// The version as the store's callers get it: one line per part, because no part contains a line break.
    fn to_etag(&self) -> ETag {
        ETag(match &self.entry {
            Some(entry) => format!("{}\n{}\n{}", self.etag, entry.row, entry.etag),
            None => self.etag.clone(),
        })
    }

    fn read(etag: &ETag) -> Self {
        let mut lines = etag.0.split('\n').map(str::to_owned);
        let etag = lines.next().unwrap_or_default();
        let entry = lines.next().zip(lines.next()).map(|(row, etag)| Entry { row, etag });
        Self { etag, entry }
    }
}

impl Service {
    /// Reads the content under a key, or says why it can't be read; `None` if there is no such row.
    pub(super) async fn load(
        &self,
        kind: RowKind,
        key: &str,
    ) -> Result<Option<Stored<Result<Vec<u8>, String>>>, StoreError> {
        let Some((entity, etag)) = self.get(kind.row_key(key), None).await? else { return Ok(None) };
        Ok(Some(Stored { value: unpack(&entity), etag: Head::of(&entity, etag).version.to_etag() }))
    }

    /// Reads the head of an entity; `None` if there is no such entity.
    pub(super) async fn head(&self, kind: RowKind, key: &str) -> Result<Option<Head>, TableError> {
        let got = self.get(kind.row_key(key), Some(HEAD)).await?;
        Ok(got.map(|(entity, etag)| Head::of(&entity, etag)))
    }

    /// Saves a row against the version that was read, and returns the new version.
    pub(super) async fn save(
        &self,
        kind: RowKind,
        draft: Draft<'_>,
        seen: Option<&ETag>,
    ) -> Result<ETag, StoreError> {
        let seen = seen.map(Version::read);
        let old = seen.as_ref().and_then(|version| version.entry.clone());
        let etag = seen.as_ref().map(|version| version.etag.as_str());
        let save = Save { kind, key: draft.key, id: fresh_id(), seen: etag };
        let mut entity = entity_of(&draft, &save.id).map_err(StoreError::Refused)?;
        let entry = match draft.due_at {
            None => None,
            Some(due_at) => match old.clone().filter(|old| old.serves(due_at)) {
                Some(old) => Some(old),
                None => Some(self.make_entry(&save, due_at).await?),
            },
        };
        if let Some(entry) = &entry {
            entry.name_in(&mut entity);
        }
        let made = entry.as_ref().filter(|entry| old.as_ref() != Some(*entry));
        let row_key = kind.row_key(draft.key);
        let saved = match etag {
            None => self.insert(row_key, entity).await,
            Some(etag) => self.update(row_key, &entity, etag).await,
        };
        let etag = match saved {
            Ok(etag) => etag,
            Err(TableError::Refused(why)) => {
                // Table Storage refuses this entity whenever it arrives, so the entry will never be named.
                self.drop_entry(made).await;
                return Err(StoreError::Refused(why));
            }
            Err(error) => self.settle(&save, made, error).await?,
        };
        self.drop_entry(old.as_ref().filter(|old| entry.as_ref() != Some(*old))).await;
        Ok(Version { etag, entry }.to_etag())
    }

    /// Finds out the result of a save that ended with an error, and returns the version that the save made.
    async fn settle(
        &self,
        save: &Save<'_>,
        made: Option<&Entry>,
        error: TableError,
    ) -> Result<String, StoreError> {
        let unknown = |why: String| {
            StoreError::Unavailable(format!("{why}; whether it was saved is unknown until it is read again"))
        };
        let why = match error {
            TableError::Unknown(why) => why,
            TableError::Absent | TableError::Conflict | TableError::Refused(_) => {
                "the answers contradict each other".to_owned()
            }
        };
        let head = match self.head(save.kind, save.key).await {
            Ok(head) => head,
            Err(_) => return Err(unknown(why)),
        };
        match &head {
            Some(head) if head.save_id == save.id => return Ok(head.version.etag.clone()),
            // The version is unchanged: the save may still be in flight.
            Some(head) if Some(head.version.etag.as_str()) == save.seen => return Err(unknown(why)),
            None if save.seen.is_none() => return Err(unknown(why)),
            Some(_) | None => {}
        }
        // The condition of the save can't hold any more. The entry is deleted, unless the current version names it:
        // then the save did succeed, and another writer has saved since.
        let named = head.and_then(|head| head.version.entry);
        self.drop_entry(made.filter(|made| named.as_ref() != Some(*made))).await;
        Err(StoreError::Overtaken)
    }
}

fn entity_of(draft: &Draft<'_>, save_id: &str) -> Result<Entity, String> {
    let mut entity = Entity::new();
    for (name, text) in &draft.plain {
        entity.insert((*name).to_owned(), text.as_str().into());
    }
    entity.insert("SaveId".to_owned(), save_id.into());
    if let Some(due_at) = draft.due_at {
        entity.insert("DueAt".to_owned(), due_at.to_string().into());
    }
    pack(&mut entity, draft.json.as_bytes());
    check_size(&entity, NAMED_BYTES)?;
    Ok(entity)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a save has nothing to be derived from: two of the same content differ"
)]
fn fresh_id() -> String {
    Uuid::new_v4().simple().to_string()
}
