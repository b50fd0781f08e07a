//! Saving: one entity, one condition, and an answer that can be believed.
//!
//! Each save writes an id of its own into the entity. So whoever got no answer, or a refusal after a repeat, reads
//! back and knows: its id there means that it has saved; another version than the one it had read means that it has
//! not and never will, for the condition can't hold any more; the same version means that nobody knows yet.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    entity::{check_size, pack, text, unpack},
    index::{Entry, NAMED_BYTES},
    service::{Entity, Place, Service, Table, Trouble},
};
use crate::ports::{ETag, StoreError, Stored};

/// A kind of thing that is saved by compare-and-swap, one to a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf {
    pub(super) table: Table,
    row: &'static str,
}

/// Tenants' documents.
pub(super) const TENANTS: Shelf = Shelf { table: Table::Tenants, row: "document" };
/// Request records.
pub(super) const REQUESTS: Shelf = Shelf { table: Table::Requests, row: "record" };

impl Shelf {
    pub(super) fn place(self, key: &str) -> Place<'_> {
        Place { table: self.table, partition: key, row: self.row }
    }
}

/// Something to be saved.
pub(super) struct Draft<'a> {
    pub(super) key: &'a str,
    pub(super) json: String,
    pub(super) due_at: Option<Timestamp>,
    /// What a person sees beside the bytes.
    pub(super) plain: Vec<(&'static str, String)>,
}

/// One try to save: under which key, in place of which version.
pub(super) struct Save<'a> {
    pub(super) shelf: Shelf,
    pub(super) key: &'a str,
    /// Tells this save from every other of the same content.
    pub(super) id: String,
    /// The version that it wants to replace; none where nothing is to stand there yet.
    pub(super) seen: Option<&'a str>,
}

/// What an entity says of itself without its bytes.
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) due_at: Option<Timestamp>,
    save_id: String,
}

/// The properties of a [`Head`].
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

/// The version of an entity: that of Table Storage, and the index entry that this version names, so that whoever saves
/// upon it need not read it first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) etag: String,
    pub(super) entry: Option<Entry>,
}

impl Version {
    /// As the port carries it: lines, for no part can hold a line break.
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
    /// What stands under a key: its bytes, or why there is no telling what they are.
    pub(super) async fn load(
        &self,
        shelf: Shelf,
        key: &str,
    ) -> Result<Option<Stored<Result<Vec<u8>, String>>>, StoreError> {
        let Some((entity, etag)) = self.get(shelf.place(key), None).await? else { return Ok(None) };
        Ok(Some(Stored { value: unpack(&entity), etag: Head::of(&entity, etag).version.to_etag() }))
    }

    /// What an entity says of itself.
    pub(super) async fn head(&self, shelf: Shelf, key: &str) -> Result<Option<Head>, Trouble> {
        let got = self.get(shelf.place(key), Some(HEAD)).await?;
        Ok(got.map(|(entity, etag)| Head::of(&entity, etag)))
    }

    /// Saves against the version that was read.
    pub(super) async fn save(
        &self,
        shelf: Shelf,
        draft: Draft<'_>,
        seen: Option<&ETag>,
    ) -> Result<ETag, StoreError> {
        let seen = seen.map(Version::read);
        let old = seen.as_ref().and_then(|version| version.entry.clone());
        let etag = seen.as_ref().map(|version| version.etag.as_str());
        let save = Save { shelf, key: draft.key, id: fresh_id(), seen: etag };
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
        let place = shelf.place(draft.key);
        let saved = match etag {
            None => self.insert(place, entity).await,
            Some(etag) => self.update(place, &entity, etag).await,
        };
        let etag = match saved {
            Ok(etag) => etag,
            Err(Trouble::Refused(why)) => {
                // What was refused once is refused whenever it arrives.
                self.drop_entry(made).await;
                return Err(StoreError::Refused(why));
            }
            Err(trouble) => self.settle(&save, made, trouble).await?,
        };
        self.drop_entry(old.as_ref().filter(|old| entry.as_ref() != Some(*old))).await;
        Ok(Version { etag, entry }.to_etag())
    }

    /// Finds out what became of a save, and returns the version that it made.
    async fn settle(
        &self,
        save: &Save<'_>,
        made: Option<&Entry>,
        trouble: Trouble,
    ) -> Result<String, StoreError> {
        let unknown = |why: String| {
            StoreError::Unavailable(format!("{why}; whether it was saved is unknown until it is read again"))
        };
        let why = match trouble {
            Trouble::Unknown(why) => why,
            Trouble::Absent | Trouble::Conflict | Trouble::Refused(_) => "the answers contradict".to_owned(),
        };
        let head = match self.head(save.shelf, save.key).await {
            Ok(head) => head,
            Err(_) => return Err(unknown(why)),
        };
        match &head {
            Some(head) if head.save_id == save.id => return Ok(head.version.etag.clone()),
            // As it was when it was read: the save may still be on its way.
            Some(head) if Some(head.version.etag.as_str()) == save.seen => return Err(unknown(why)),
            None if save.seen.is_none() => return Err(unknown(why)),
            Some(_) | None => {}
        }
        // The condition can't hold any more. The entry goes, unless it has been taken over: then it was saved after
        // all, and somebody else has saved upon it.
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
