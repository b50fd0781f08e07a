//! A request as the services see it.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::reply::{Outcome, refuse};

/// A request, completely read.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The method, upper case.
    pub(crate) method: String,
    /// The path as sent, still percent-encoded.
    pub(crate) path: String,
    /// The query as sent, without the question mark.
    pub(crate) query_text: String,
    /// The query, decoded; names in lower case.
    pub(crate) query: BTreeMap<String, String>,
    /// The headers that matter here, by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub(crate) body: Vec<u8>,
    /// Scheme and authority under which the caller reached the simulator: poll URLs begin with it.
    pub(crate) base: String,
}

impl Call {
    /// Whether the request can change something.
    pub(crate) fn mutates(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// A header, or the empty string.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Path and query, for the journal.
    pub(crate) fn target(&self) -> String {
        if self.query_text.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query_text)
        }
    }

    /// The body as a JSON object.
    ///
    /// # Errors
    /// A 400 with ARM's message, if the body is anything else.
    pub(crate) fn json(&self) -> Outcome<Value> {
        match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) if value.is_object() => Ok(value),
            Ok(_) => refuse(
                400,
                "InvalidRequestContent",
                "The request content was invalid: a JSON object is expected.",
            ),
            Err(e) => refuse(
                400,
                "InvalidRequestContent",
                format!("The request content was invalid and could not be deserialized: '{e}'."),
            ),
        }
    }
}

/// Parses a query, or a form in a body: names in lower case.
pub(crate) fn form(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name).to_lowercase(), decode(value)))
        .collect()
}
