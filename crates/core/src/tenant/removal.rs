//! Why the object of a step may be deleted, who has consented to it, and what Azure retains after deletion.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// Why the object of a step may be deleted. Only `engine::removal` creates one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Ground {
    /// The whole tenant is deprovisioned.
    TenantGoes,
    /// The plan no longer has the step.
    LeftPlan,
    /// It has never been ready in this incarnation, so nobody can be using it.
    NeverReady,
    /// A request has given consent.
    Consent(Consent),
}

/// A request's consent to recreate a step's object although it was in use.
///
/// It covers the steps that the request's answer named, lasts for that request's work, and is used up when the step is
/// ready again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// The request.
    pub request_id: String,
    /// When it was accepted.
    pub at: Timestamp,
}

/// A soft-deleted object that its service does not allow to be purged. It costs nothing but holds its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// The step that created it.
    pub step: StepName,
    /// Its resource id before deletion.
    pub resource_id: String,
    /// When its service purges it, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Retained {
    /// Whether it still holds its name.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// Whether it holds the name of this resource: same type and name, anywhere in Azure.
    pub fn holds_the_name_of(&self, resource_id: &str) -> bool {
        match (type_and_name(&self.resource_id), type_and_name(resource_id)) {
            (Some(held), Some(desired)) => held == desired,
            (None, _) | (_, None) => false,
        }
    }
}

/// The provider with type, and the name, of a resource id, in lower case.
fn type_and_name(id: &str) -> Option<(String, String)> {
    let (_, tail) = id.rsplit_once("/providers/")?;
    let (kind, name) = tail.rsplit_once('/')?;
    Some((kind.to_ascii_lowercase(), name.to_ascii_lowercase()))
}
