//! What the resource types of Cognitive Services share.

use crate::{
    error::CloudError,
    reply::{Outcome, refuse},
    resources::{
        names::{begins_alphanumeric, has_only},
        profile::{NameRule, States},
    },
    store::{Change, Object, StoreQuery as _},
};

/// The api-version of the provider Microsoft.CognitiveServices.
pub(super) const VERSION: &str = "2024-10-01";
/// The provisioning states of Cognitive Services' resources while an operation runs.
pub(super) const STATES: States = States { creating: "Creating", updating: "Accepted", deleting: "Deleting" };
/// The rule for the names of accounts and model deployments.
pub(super) const NAMES: NameRule = NameRule {
    allows: |name| has_only(name, 2, 64, "-_.") && begins_alphanumeric(name),
    text: "2 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit",
};

/// Refuses a request with Cognitive Services' usual 400.
pub(super) fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "BadRequest", message)
}

/// The model deployments in the account with this id.
pub(super) fn deployments(change: &Change<'_>, account: &str) -> Result<Vec<Object>, CloudError> {
    let below = change.under(&format!("{}/deployments/", account.to_lowercase()))?;
    Ok(below.into_iter().filter(|object| object.deleted.is_none()).collect())
}
