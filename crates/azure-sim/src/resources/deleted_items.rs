//! How a service shows and purges soft-deleted resources.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    reply::{Outcome, Refusal},
    store::Object,
};

/// How a deleted resource is purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PurgeForm {
    /// By POST to `purge` below it, followed by `Location`; Azure's usual seconds.
    Post { seconds: u32 },
    /// By DELETE, at once; 204 if there is none.
    Delete,
}

/// The path of a soft-deleted resource, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeletedPath {
    pub(crate) location: String,
    /// The resource group that contained it, where the service needs it.
    pub(crate) group: Option<String>,
    pub(crate) name: String,
}

/// The soft-deleted resources of a type.
pub(crate) trait DeletedItems: Sync {
    /// The type of the soft-deleted items, for example `deletedVaults`.
    fn collection(&self) -> &'static str;

    /// Whether their path names the resource group that contained one.
    fn in_group(&self) -> bool;

    /// How one is purged.
    fn purge_form(&self) -> PurgeForm;

    /// The refusal if there is none of a name.
    fn missing(&self, name: &str) -> Refusal;

    /// A soft-deleted item as the service shows it; `purged` is its scheduled purge date.
    fn show(&self, object: &Object, path: &DeletedPath, purged: Option<Timestamp>) -> Value;

    /// Refuses to purge one.
    ///
    /// # Errors
    /// The refusal with the service's message.
    fn check_purge(&self, _object: &Object, _path: &DeletedPath) -> Outcome<()> {
        Ok(())
    }
}
