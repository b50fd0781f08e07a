//! The journal's record of one HTTP request.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An entry of the request journal: one HTTP request and its status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: Timestamp,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The HTTP status of the answer; 0 if the request was not carried out and the connection was cut without an
    /// answer.
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<String>,
    /// The caller that the activity log shows, if known: usually an object id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<String>,
    /// The header `traceparent` of the request (W3C Trace Context), if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
}
