//! How far a suspension has cut a tenant's access.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::StepName;

/// The steps that cut access during a suspension, and since when all of them have done so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessCut {
    /// The steps that depend on `tenant.suspended`: their objects are deleted or changed.
    pub steps: BTreeSet<StepName>,
    /// When the last of these steps was observed as deleted or matching; `None` before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}
