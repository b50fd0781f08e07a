//! What the types of the network provider have in common.

use crate::{
    error::CloudError,
    path::last,
    reply::Refusal,
    resources::profile::{PollTypes, States},
    store::{Change, Object, StoreQuery as _},
};

/// The api-version of the network provider.
pub(super) const VERSION: &str = "2024-03-01";
/// The types below which its operations are polled.
pub(super) const POLLS: PollTypes = PollTypes { status: "operations", location: "operationResults" };
/// The provisioning states of its resources.
pub(super) const STATES: States = States { creating: "Updating", updating: "Updating", deleting: "Deleting" };

/// The refusal for a reference to a resource that does not exist.
pub(super) fn dangling(what: &str, by: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidResourceReference",
        format!(
            "Resource {what} referenced by resource {by} was not found. Please make sure that it exists."
        ),
    )
}

/// The refusal while a referenced resource is not ready.
pub(super) fn not_ready(message: String) -> Refusal {
    Refusal::new(429, "RetryableError", "A retryable error occurred.")
        .because("ReferencedResourceNotProvisioned", message)
}

/// The refusal for a resource of the provider with a running operation.
pub(super) fn busy(change: &Change<'_>, object: &Object, doing: &str) -> Result<Refusal, CloudError> {
    retryable(
        change,
        object,
        &format!("The resource '{}' is {doing} by another operation.", last(&object.id)),
    )
}

/// The refusal while an operation runs on `object`, with a `Retry-After` if a wait makes sense.
pub(super) fn retryable(change: &Change<'_>, object: &Object, message: &str) -> Result<Refusal, CloudError> {
    let refusal = Refusal::new(429, "RetryableErrorDueToAnotherOperation", message);
    let running = change.running(object)?;
    Ok(match running.and_then(|operation| operation.pause(change.now)) {
        Some(seconds) => refusal.with("Retry-After", seconds.to_string()),
        None => refusal,
    })
}
