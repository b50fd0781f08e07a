//! How far a suspension has cut a tenant's access.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// Which steps cut access, and since when all of them have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessCut {
    /// The steps that depend on `tenant.suspended`: what they made is to go, or to be changed.
    pub steps: BTreeSet<StepName>,
    /// When the last of them was seen gone or as wanted; none before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}
