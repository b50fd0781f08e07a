//! A PUT that is being processed: the requested and the existing resource.

use serde_json::Value;

use crate::{
    call::Call,
    error::CloudError,
    path::ResourcePath,
    resources::profile::Profile,
    store::{Change, Object, StoreQuery as _},
};

/// A PUT that is being processed.
pub(crate) struct Draft<'a> {
    /// The constant properties of the resource's type.
    pub(crate) profile: &'static Profile,
    pub(crate) call: &'a Call,
    pub(crate) path: &'a ResourcePath,
    pub(crate) id: String,
    /// The caller's body.
    pub(crate) body: Value,
    /// The existing resource that is updated.
    pub(crate) before: Option<Object>,
    /// The existing parent resource.
    pub(crate) parent: Option<Object>,
    pub(crate) tenant: Option<String>,
}

impl Draft<'_> {
    /// The text at a JSON pointer into the caller's body, or the empty string.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The soft-deleted resource that still holds the id, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn deleted(&self, change: &Change<'_>) -> Result<Option<Object>, CloudError> {
        Ok(change.object(&self.id)?.filter(|object| object.deleted.is_some()))
    }

    /// The text at the same pointer of the existing resource.
    pub(crate) fn text_before(&self, pointer: &str) -> Option<&str> {
        self.before.as_ref().map(|before| before.text(pointer))
    }
}
