//! The stored form of the document: JSON of bounded size whose schema is checked before anything else is read.

use serde::Deserialize;
use serde_json::Value;

use super::{Tenant, UnknownFields};
use crate::ids::TenantId;

/// The largest document, in bytes of UTF-8 JSON: what one entity of Table Storage holds (1 MiB), minus room for its
/// other properties (`docs/decisions/0020`).
pub const MAX_DOCUMENT_BYTES: usize = 900 * 1024;

/// The document is larger than one entity can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tenant's document has {bytes} bytes of {MAX_DOCUMENT_BYTES}; use fewer or smaller steps, or smaller parameters"
)]
pub struct TooLarge {
    /// The document's size in bytes.
    pub bytes: usize,
}

/// The stored text is not a document that this version can read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableDocument {
    /// The text is not JSON of the expected shape.
    #[error("the stored document can't be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The document has another schema, for example that of a later version.
    #[error("the stored document has schema {0:?}; this version reads {schema}", schema = Tenant::SCHEMA)]
    Schema(String),
    /// The document belongs to another tenant, which is named here.
    #[error("the stored document is that of the tenant {0}")]
    Other(TenantId),
}

impl Tenant {
    /// The document as JSON, the same in every store.
    ///
    /// # Errors
    /// [`TooLarge`] beyond [`MAX_DOCUMENT_BYTES`].
    pub fn to_json(&self) -> Result<String, TooLarge> {
        // A document holds only maps with text keys and finite numbers, so serializing it does not fail.
        let json = self.written().map_err(|_| TooLarge { bytes: usize::MAX })?;
        if json.len() > MAX_DOCUMENT_BYTES { Err(TooLarge { bytes: json.len() }) } else { Ok(json) }
    }

    /// Reads what [`Self::to_json`] wrote, now or in an earlier version.
    ///
    /// # Errors
    /// [`UnreadableDocument`] if it is not a document of a version that we know.
    pub fn from_json(json: &[u8]) -> Result<Self, UnreadableDocument> {
        let read = serde_json::from_slice::<Self>(json);
        // The layout of another version may differ altogether; then the schema version is the error to report.
        let schema = match &read {
            Ok(tenant) => tenant.schema.clone(),
            Err(_) => match serde_json::from_slice::<Head>(json) {
                Ok(head) => head.schema,
                Err(_) => Self::SCHEMA.to_owned(),
            },
        };
        if schema != Self::SCHEMA {
            return Err(UnreadableDocument::Schema(schema));
        }
        let mut tenant = read?;
        // A document of our own version serializes to the same text, so it has no unknown fields.
        if serde_json::to_string(&tenant)?.as_bytes() != json {
            tenant.nested_unknown = UnknownFields::of(&serde_json::from_slice(json)?, &tenant.as_value()?);
        }
        Ok(tenant)
    }

    /// Reads the document that is stored under an id.
    ///
    /// # Errors
    /// [`UnreadableDocument`] as for [`Self::from_json`], and if it is the document of another tenant.
    pub fn of_row(id: &TenantId, json: &[u8]) -> Result<Self, UnreadableDocument> {
        let tenant = Self::from_json(json)?;
        if tenant.id == *id { Ok(tenant) } else { Err(UnreadableDocument::Other(tenant.id)) }
    }

    /// The document as JSON, with the nested unknown fields that a later version wrote.
    fn written(&self) -> Result<String, serde_json::Error> {
        if self.nested_unknown.is_empty() {
            return serde_json::to_string(self);
        }
        let mut document = self.as_value()?;
        self.nested_unknown.put_back(&mut document);
        Ok(document.to_string())
    }

    /// The document as a value. The plan is converted directly, not through its text, because numbers would be parsed
    /// again.
    fn as_value(&self) -> Result<Value, serde_json::Error> {
        let mut document = serde_json::to_value(self)?;
        document["plan"] = serde_json::to_value(&*self.plan)?;
        Ok(document)
    }
}

/// The only member that all versions have.
#[derive(Deserialize)]
struct Head {
    schema: String,
}
