//! What the types of the network provider have in common.

use crate::{
    error::CloudError,
    path::last,
    reply::Refusal,
    resources::profile::{PollTypes, States},
    store::{Change, Look as _, Object},
};

/// The api-version of the network provider.
pub(super) const VERSION: &str = "2024-03-01";
/// Where its operations are asked about.
pub(super) const POLLS: PollTypes = PollTypes { status: "operations", location: "operationResults" };
/// The states of what it makes.
pub(super) const STATES: States = States { creating: "Updating", updating: "Updating", deleting: "Deleting" };

/// The refusal for a reference that leads nowhere.
pub(super) fn dangling(what: &str, by: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidResourceReference",
        format!(
            "Resource {what} referenced by resource {by} was not found. Please make sure that it exists."
        ),
    )
}

/// The refusal while what is referred to is not ready.
pub(super) fn not_ready(message: String) -> Refusal {
    Refusal::new(429, "RetryableError", "A retryable error occurred.")
        .because("ReferencedResourceNotProvisioned", message)
}

/// The refusal for a resource of the provider on which an operation runs.
pub(super) fn busy(change: &Change<'_>, object: &Object, doing: &str) -> Result<Refusal, CloudError> {
    retryable(
        change,
        object,
        &format!("The resource '{}' is {doing} by another operation.", last(&object.id)),
    )
}

/// The refusal while an operation runs on `object`; it says when to come again, if that is worth a wait.
pub(super) fn retryable(change: &Change<'_>, object: &Object, message: &str) -> Result<Refusal, CloudError> {
    let refusal = Refusal::new(429, "RetryableErrorDueToAnotherOperation", message);
    let running = change.running(object)?;
    Ok(match running.and_then(|operation| operation.pause(change.now)) {
        Some(seconds) => refusal.with("Retry-After", seconds.to_string()),
        None => refusal,
    })
}
