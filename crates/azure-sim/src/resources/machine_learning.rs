//! What the types of Azure Machine Learning have in common.

use crate::{
    path::last,
    reply::{Outcome, refuse},
    resources::{
        draft::Draft,
        names::hyphenated,
        profile::{NameRule, PollTypes},
    },
};

/// The api-version of Machine Learning.
pub(super) const VERSION: &str = "2024-10-01";
/// The types below which operations on endpoints and deployments are polled.
pub(super) const POLLS: PollTypes =
    PollTypes { status: "mfeOperationsStatus", location: "mfeOperationResults" };
/// How long an operation on an endpoint or a deployment may take.
pub(super) const TIMEOUT: Option<&str> = Some("PT1H");
/// The names of endpoints and deployments.
pub(super) const NAMES: NameRule = NameRule {
    allows: |name| hyphenated(name, 3, 32) && name.starts_with(|c: char| c.is_ascii_alphabetic()),
    text: "3 to 32 letters, digits and single hyphens, beginning with a letter and not ending in a hyphen",
};

/// Machine Learning's usual 400.
pub(super) fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "BadRequest", message)
}

/// Refuses while the parent is not ready. Microsoft's own clients get the same refusal (azure-sdk-for-net#36961).
pub(super) fn check_parent(draft: &Draft<'_>, what: &str) -> Outcome<()> {
    let Some(parent) = &draft.parent else { return Ok(()) };
    match parent.text("/properties/provisioningState") {
        "Succeeded" => Ok(()),
        state => bad(format!("The {what} '{}' is in {state} provisioning state.", last(&parent.id))),
    }
}
