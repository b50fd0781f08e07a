//! A PUT on its way: what is asked for, and what is there.

use serde_json::Value;

use crate::{
    call::Call,
    error::CloudError,
    path::Place,
    resources::profile::Profile,
    store::{Change, Look as _, Object},
};

/// A PUT on its way.
pub(crate) struct Draft<'a> {
    /// What is fixed about the resource's type.
    pub(crate) profile: &'static Profile,
    pub(crate) call: &'a Call,
    pub(crate) place: &'a Place,
    pub(crate) id: String,
    /// The caller's body.
    pub(crate) body: Value,
    /// The living resource that is changed.
    pub(crate) before: Option<Object>,
    /// The living resource that it is a part of.
    pub(crate) parent: Option<Object>,
    pub(crate) tenant: Option<String>,
}

impl Draft<'_> {
    /// The text at a JSON pointer into the caller's body, or nothing.
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

    /// The text at the same place of what is there already.
    pub(crate) fn text_before(&self, pointer: &str) -> Option<&str> {
        self.before.as_ref().map(|before| before.text(pointer))
    }
}
