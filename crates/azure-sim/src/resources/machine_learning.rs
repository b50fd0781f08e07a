//! What the resource types of Azure Machine Learning share.

use crate::{
    path::last,
    reply::{Outcome, refuse},
    resources::{
        draft::Draft,
        names::hyphenated,
        profile::{NameRule, PollTypes},
    },
};

/// The api-version of the provider Microsoft.MachineLearningServices.
pub(super) const VERSION: &str = "2024-10-01";
/// The types of operations on online endpoints and deployments in the paths of poll URLs.
pub(super) const POLLS: PollTypes =
    PollTypes { status: "mfeOperationsStatus", location: "mfeOperationResults" };
/// The timeout of an operation on an online endpoint or deployment, as its answers state it: an hour.
pub(super) const TIMEOUT: Option<&str> = Some("PT1H");
/// The rule for the names of online endpoints and deployments.
pub(super) const NAMES: NameRule = NameRule {
    allows: |name| hyphenated(name, 3, 32) && name.starts_with(|c: char| c.is_ascii_alphabetic()),
    text: "3 to 32 letters, digits and single hyphens, beginning with a letter and not ending in a hyphen",
};

/// Refuses a request with Machine Learning's usual 400.
pub(super) fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "BadRequest", message)
}

/// Refuses a PUT while the parent resource is not ready. `what` names the kind of parent. The message is the one that
/// Azure sends (azure-sdk-for-net#36961).
pub(super) fn check_parent(draft: &Draft<'_>, what: &str) -> Outcome<()> {
    let Some(parent) = &draft.parent else { return Ok(()) };
    match parent.text("/properties/provisioningState") {
        "Succeeded" => Ok(()),
        state => bad(format!("The {what} '{}' is in {state} provisioning state.", last(&parent.id))),
    }
}
