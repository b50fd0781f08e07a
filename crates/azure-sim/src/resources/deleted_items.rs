//! How the services of resource types show and purge soft-deleted resources.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    reply::{Outcome, Refusal},
    store::Object,
};

/// How callers purge a soft-deleted resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PurgeForm {
    /// By POST to `purge` below the path of the resource, as an operation that is polled by `Location` and usually
    /// takes this long in Azure.
    Post { seconds: u32 },
    /// By DELETE of the path of the resource, at once. The answer is 204 if there is no such resource.
    Delete,
}

/// The path of a soft-deleted resource, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeletedPath {
    pub(crate) location: String,
    /// The resource group that the resource was in; `None` if the service's path does not contain it.
    pub(crate) group: Option<String>,
    pub(crate) name: String,
}

/// How the service of a resource type shows and purges its soft-deleted resources.
pub(crate) trait DeletedItems: Sync {
    /// The segment of the path that stands for the type of soft-deleted resources, for example `deletedVaults`.
    fn collection(&self) -> &'static str;

    /// Whether the path of a soft-deleted resource contains the resource group that the resource was in.
    fn in_group(&self) -> bool;

    /// How callers purge a soft-deleted resource.
    fn purge_form(&self) -> PurgeForm;

    /// The refusal of a request because there is no soft-deleted resource with this name.
    fn missing(&self, name: &str) -> Refusal;

    /// The body with which the service shows a soft-deleted resource. `purged` is the time at which it will be purged.
    fn show(&self, object: &Object, path: &DeletedPath, purged: Option<Timestamp>) -> Value;

    /// Checks a request to purge a soft-deleted resource.
    ///
    /// # Errors
    /// The refusal of the purge, with the service's message.
    fn check_purge(&self, _object: &Object, _path: &DeletedPath) -> Outcome<()> {
        Ok(())
    }
}
