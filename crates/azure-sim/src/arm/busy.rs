//! Refusals because a long-running operation runs on a resource.

use crate::{
    error::CloudError,
    reply::Refusal,
    resources::resource_type::ResourceType,
    store::{Change, Object, StoreQuery as _, Work},
};

/// Whether an operation runs on an object that deletes or purges it.
pub(super) fn is_being_deleted(change: &Change<'_>, object: &Object) -> Result<bool, CloudError> {
    let Some(operation) = &object.busy else { return Ok(false) };
    Ok(change.operation(operation)?.is_some_and(|operation| operation.work != Work::Write))
}

/// The refusal of a request because an operation runs on the resource, with the service's own status and message.
pub(super) fn busy(
    change: &Change<'_>,
    kind: &dyn ResourceType,
    object: &Object,
) -> Result<Refusal, CloudError> {
    let deleting = is_being_deleted(change, object)?;
    kind.busy(change, object, if deleting { "being deleted" } else { "being changed" })
}
