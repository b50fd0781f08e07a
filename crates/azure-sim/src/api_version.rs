//! The query parameter `api-version`, which every service of Azure requires.

use crate::{
    call::Call,
    reply::{Outcome, refuse},
};

/// Refuses a request whose `api-version` is not `supported`, the only version that is simulated for the type `kind`.
pub(crate) fn check(call: &Call, kind: &str, supported: &str) -> Outcome<()> {
    match call.query.get("api-version").map(String::as_str) {
        Some(version) if version.eq_ignore_ascii_case(supported) => Ok(()),
        None | Some("") => refuse(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ),
        Some(version) => refuse(
            400,
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for API version '{version}' for type '{kind}'. \
                 The supported api-versions are '{supported}'."
            ),
        ),
    }
}
