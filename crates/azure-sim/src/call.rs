//! The HTTP request that a service of the simulated Azure handles.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::reply::{Outcome, refuse};

/// An HTTP request to the simulated Azure, with its whole body.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The method, in upper case.
    pub(crate) method: String,
    /// The path, normalised by [`crate::path::normalised`] but still percent-encoded.
    pub(crate) path: String,
    /// The query as sent, without the question mark; empty if there is none.
    pub(crate) query_text: String,
    /// The decoded query: parameter names in lower case, with their values.
    pub(crate) query: BTreeMap<String, String>,
    /// All headers, by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    /// The bytes of the body.
    pub(crate) body: Vec<u8>,
    /// The scheme and authority under which the caller reached the simulated Azure. Poll URLs begin with it.
    pub(crate) base: String,
}

impl Call {
    /// Whether the method is one that can change something: any other than GET, HEAD and OPTIONS.
    pub(crate) fn mutates(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// The value of a header, given by its lower-case name, or the empty string.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The path with the query, for the journal.
    pub(crate) fn target(&self) -> String {
        if self.query_text.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query_text)
        }
    }

    /// Parses the body as a JSON object.
    ///
    /// # Errors
    /// A refusal with 400 and ARM's message, if the body is anything else.
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

/// Parses a URL's query or a form in a body. The names become lower case, names and values are decoded.
pub(crate) fn form(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name).to_lowercase(), decode(value)))
        .collect()
}
