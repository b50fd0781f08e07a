//! What the resource types of the provider Microsoft.Network share.

use crate::{
    error::CloudError,
    path::last,
    reply::Refusal,
    resources::profile::{PollTypes, States},
    store::{Change, Object, StoreQuery as _},
};

/// The api-version of the network provider.
pub(super) const VERSION: &str = "2024-03-01";
/// The types of the network provider's operations in the paths of poll URLs.
pub(super) const POLLS: PollTypes = PollTypes { status: "operations", location: "operationResults" };
/// The provisioning states of the network provider's resources while an operation runs.
pub(super) const STATES: States = States { creating: "Updating", updating: "Updating", deleting: "Deleting" };

/// The refusal of a request because the resource `what`, to which the resource `by` refers, does not exist.
pub(super) fn dangling(what: &str, by: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidResourceReference",
        format!(
            "Resource {what} referenced by resource {by} was not found. Please make sure that it exists."
        ),
    )
}

/// The refusal of a request because a resource to which it refers is not ready. Callers may retry it.
pub(super) fn not_ready(message: String) -> Refusal {
    Refusal::new(429, "RetryableError", "A retryable error occurred.")
        .because("ReferencedResourceNotProvisioned", message)
}

/// The refusal of a request because an operation runs on the resource. `doing` describes the operation.
pub(super) fn busy(change: &Change<'_>, object: &Object, doing: &str) -> Result<Refusal, CloudError> {
    retryable(
        change,
        object,
        &format!("The resource '{}' is {doing} by another operation.", last(&object.id)),
    )
}

/// The refusal of a request because an operation runs on `object`. Callers may retry it: `Retry-After` says when,
/// unless the operation ends within a second.
pub(super) fn retryable(change: &Change<'_>, object: &Object, message: &str) -> Result<Refusal, CloudError> {
    let refusal = Refusal::new(429, "RetryableErrorDueToAnotherOperation", message);
    let running = change.running(object)?;
    Ok(match running.and_then(|operation| operation.pause(change.now)) {
        Some(seconds) => refusal.with("Retry-After", seconds.to_string()),
        None => refusal,
    })
}
