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
    /// The step has never been ready in this incarnation, so nobody can be using its object.
    NeverReady,
    /// A request has given consent to recreate the object.
    Consent(Consent),
}

/// A request's consent to recreate a step's object although it was in use.
///
/// The consent covers the steps that the answer to the request named. It lasts for the work of that request, and is
/// used up when the step is ready again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// The request's id.
    pub request_id: String,
    /// When the request was accepted.
    pub at: Timestamp,
}

/// A soft-deleted object that its service does not allow to be purged. Such an object costs nothing but holds its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retained {
    /// The step that created the object.
    pub step: StepName,
    /// The object's resource id before the deletion.
    pub resource_id: String,
    /// When the service purges the object, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Retained {
    /// Whether the object still holds its name; true as long as its purge date is unknown or has not come.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// Whether the object holds the name of the resource `resource_id`: same type and name, anywhere in Azure.
    pub fn holds_the_name_of(&self, resource_id: &str) -> bool {
        match (type_and_name(&self.resource_id), type_and_name(resource_id)) {
            (Some(held), Some(desired)) => held == desired,
            (None, _) | (_, None) => false,
        }
    }
}

/// The resource type and the name in a resource id, both in lower case.
fn type_and_name(id: &str) -> Option<(String, String)> {
    let (_, tail) = id.rsplit_once("/providers/")?;
    let (kind, name) = tail.rsplit_once('/')?;
    Some((kind.to_ascii_lowercase(), name.to_ascii_lowercase()))
}
