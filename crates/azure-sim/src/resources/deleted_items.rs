//! How a service shows and purges what it keeps after a deletion.

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

/// Where a deleted resource is looked for, as the path has it in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeletedPlace {
    pub(crate) location: String,
    /// The resource group that it was in, where the service asks for it.
    pub(crate) group: Option<String>,
    pub(crate) name: String,
}

/// The deleted resources of a type.
pub(crate) trait DeletedItems: Sync {
    /// Their type, for example `deletedVaults`.
    fn collection(&self) -> &'static str;

    /// Whether their path names the resource group that one was in.
    fn in_group(&self) -> bool;

    /// How one is purged.
    fn purge_form(&self) -> PurgeForm;

    /// The refusal where there is none of a name.
    fn missing(&self, name: &str) -> Refusal;

    /// One as the service shows it; `purged` is when it is going to be purged by itself.
    fn show(&self, object: &Object, place: &DeletedPlace, purged: Option<Timestamp>) -> Value;

    /// Refuses to purge one.
    ///
    /// # Errors
    /// The refusal in the service's own words.
    fn check_purge(&self, _object: &Object, _place: &DeletedPlace) -> Outcome<()> {
        Ok(())
    }
}
