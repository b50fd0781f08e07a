//! What the last proof of isolation came to.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether only the tenant reaches the tenant's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IsolationVerdict {
    /// All was read, and no rule is broken.
    Verified,
    /// A rule is broken.
    Violated,
    /// No rule is seen to be broken, but something that could hide it was not read.
    Inconclusive,
}

impl IsolationVerdict {
    /// The word in reports, history and logs.
    pub fn word(self) -> &'static str {
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
    /// Which rules are broken, by code, or what is not known; empty for a verified tenant. Cut to a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Over all that the verdict rests on, `sha256:<hex>`.
    pub digest: String,
    /// When it was looked.
    pub at: Timestamp,
}

/// A proof with what subscribers are told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// What is remembered.
    pub proof: Proof,
    /// The evidence in short, for the event's `data`.
    pub told: Value,
    /// How long a service that was not read wants to be left alone, if one said so.
    pub retry_after: Option<Duration>,
}
