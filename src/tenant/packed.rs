//! The document as a store holds it: JSON split over properties that fit Table Storage.
//!
//! A string property holds at most 64 KiB, that is 32 Ki UTF-16 units (Microsoft, Table service data model); an entity
//! holds 1 MiB. Both are kept with room to spare.

use serde::Deserialize;

use super::Tenant;

/// UTF-16 units in one property.
const MAX_UNITS: usize = 32_000;
/// The largest document, as UTF-8 bytes of JSON.
pub const MAX_DOCUMENT_BYTES: usize = 900 * 1024;

/// A document in pieces, each of which fits one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The pieces in order; joined they are the JSON.
    pub parts: Vec<String>,
}

/// The document has outgrown what one entity holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tenant's document has {bytes} bytes of {MAX_DOCUMENT_BYTES}; use fewer or smaller steps, or smaller parameters"
)]
pub struct TooLarge {
    /// Its size.
    pub bytes: usize,
}

/// What a store holds is not a document of a version that this program reads.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableDocument {
    /// Not JSON of the expected shape.
    #[error("the stored document can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a later version.
    #[error("the stored document has schema {0}; this version reads {schema}", schema = Tenant::SCHEMA)]
    Schema(String),
}

impl Packed {
    /// Serialises and splits.
    ///
    /// # Errors
    /// [`TooLarge`] beyond [`MAX_DOCUMENT_BYTES`].
    pub fn new(tenant: &Tenant) -> Result<Self, TooLarge> {
        // A document holds only maps with text keys and finite numbers: it always serialises.
        let json = serde_json::to_string(tenant).map_err(|_| TooLarge { bytes: usize::MAX })?;
        if json.len() > MAX_DOCUMENT_BYTES {
            return Err(TooLarge { bytes: json.len() });
        }
        Ok(Self { parts: split(json) })
    }

    /// Joins and reads.
    ///
    /// # Errors
    /// [`UnreadableDocument`] if it is not a document of a version that we know.
    pub fn open(&self) -> Result<Tenant, UnreadableDocument> {
        match self.parts.as_slice() {
            [only] => read(only),
            parts => read(&parts.concat()),
        }
    }
}

/// The one member that every version has.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

fn read(json: &str) -> Result<Tenant, UnreadableDocument> {
    let read = serde_json::from_str::<Tenant>(json);
    // Another version may have another shape altogether; then the version is what has to be told.
    let schema = match &read {
        Ok(tenant) => tenant.schema.clone(),
        Err(_) => match serde_json::from_str::<Head>(json) {
            Ok(head) => head.schema,
            Err(_) => Tenant::SCHEMA.to_owned(),
        },
    };
    if schema != Tenant::SCHEMA {
        return Err(UnreadableDocument::Schema(schema));
    }
    Ok(read?)
}

fn split(json: String) -> Vec<String> {
    if json.len() <= MAX_UNITS {
        return vec![json];
    }
    let (mut parts, mut start, mut units) = (Vec::new(), 0, 0);
    for (at, character) in json.char_indices() {
        if units + character.len_utf16() > MAX_UNITS {
            parts.push(json[start..at].to_owned());
            (start, units) = (at, 0);
        }
        units += character.len_utf16();
    }
    parts.push(json[start..].to_owned());
    parts
}
