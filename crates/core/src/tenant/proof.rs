//! The last proof of isolation.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether only the tenant reaches the tenant's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IsolationVerdict {
    /// All evidence was read, and no rule is violated.
    Verified,
    /// A rule is violated.
    Violated,
    /// No violation was found, but evidence that could show one was not read.
    Inconclusive,
}

impl IsolationVerdict {
    /// The name in reports, history and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Violated => "violated",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A verdict with its reasons, as the document remembers the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The verdict.
    pub verdict: IsolationVerdict,
    /// The codes of the violated rules, or what is not known; empty for a verified tenant. Truncated to a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// `sha256:<hex>` over all that the verdict depends on.
    pub digest: String,
    /// When the evidence was read.
    pub at: Timestamp,
}

/// A proof with what is published about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The proof as the document records it.
    pub proof: Proof,
    /// A summary of the evidence, for the event's `data`.
    pub reported: Value,
    /// The longest `Retry-After` of the services that could not be read, if one asked for a pause.
    pub retry_after: Option<Duration>,
}
