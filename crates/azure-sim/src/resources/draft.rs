//! A parsed PUT of a resource, with the existing resource.

use serde_json::Value;

use crate::{
    call::Call,
    error::CloudError,
    path::ResourcePath,
    resources::profile::Profile,
    store::{Change, Object, StoreQuery as _},
};

/// A parsed PUT of a resource, with the existing resource and its parent.
pub(crate) struct Draft<'a> {
    /// The constant properties of the resource's type.
    pub(crate) profile: &'static Profile,
    pub(crate) call: &'a Call,
    pub(crate) path: &'a ResourcePath,
    pub(crate) id: String,
    /// The body of the request.
    pub(crate) body: Value,
    /// The existing resource, which the PUT updates; `None` if the PUT creates the resource.
    pub(crate) before: Option<Object>,
    /// The parent resource; `None` if the resource is not a child of another one.
    pub(crate) parent: Option<Object>,
    pub(crate) tenant: Option<String>,
}

impl Draft<'_> {
    /// The text at a JSON pointer into the body of the request; empty if there is no text.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The soft-deleted resource with the same id, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn deleted(&self, change: &Change<'_>) -> Result<Option<Object>, CloudError> {
        Ok(change.object(&self.id)?.filter(|object| object.deleted.is_some()))
    }

    /// The text at a JSON pointer into the existing resource; empty if there is no text. `None` if there is no existing
    /// resource.
    pub(crate) fn text_before(&self, pointer: &str) -> Option<&str> {
        self.before.as_ref().map(|before| before.text(pointer))
    }
}
