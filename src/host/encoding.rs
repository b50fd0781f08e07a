//! Reads values as the Functions host encodes them: text doubly encoded, numbers in strings, bytes as base64, dates
//! with or without an offset.
//!
//! Source: azure-functions-host, `ScriptInvocationContextExtensions`. Some of Microsoft's documented samples show
//! single encoding, so both forms are read.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

/// The body of a queue message, and how it was encoded.
pub(super) struct Body {
    /// The bytes of the message: exact if [`Self::binary`], otherwise those of the text that the host sent.
    pub(super) bytes: Vec<u8>,
    /// Whether the value was base64. If so, the host had bytes and not text, and copied no members of the body into the
    /// metadata.
    pub(super) binary: bool,
}

/// Reads the value of a trigger whose `dataType` is binary. To be safe, also reads the forms of a trigger that has
/// another `dataType`.
///
/// The value has one of three forms, which are tried in this order:
/// 1. A text that begins with a quotation mark and is a JSON string literal: the host encoded the text twice, and one
///    layer is removed. Base64 has no quotation mark.
/// 2. Canonical base64: the bytes. It has precedence over a bare text such as `done`, because a binary trigger always
///    sends base64, and only this order keeps every body exact. Intake would refuse the bare text as a request in
///    either form.
/// 3. Anything else, such as a JSON text that is encoded once: the text itself. A JSON object or array has a brace or a
///    bracket, which base64 does not contain.
pub(super) fn body(text: &str) -> Body {
    if let Some(inner) = literal(text) {
        return Body { bytes: inner.into_bytes(), binary: false };
    }
    BASE64_STANDARD.decode(text).map_or_else(
        |_| Body { bytes: text.as_bytes().to_vec(), binary: false },
        |bytes| Body { bytes, binary: true },
    )
}

/// The text inside a JSON string literal; `None` if the text is no such literal.
fn literal(text: &str) -> Option<String> {
    if !text.trim_start().starts_with('"') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Reads a text, and removes one layer of JSON encoding if it is doubly encoded. An empty text is read as absent.
pub(super) fn text(value: &Value) -> Option<String> {
    let found = match value {
        Value::String(text) => literal(text).unwrap_or_else(|| text.clone()),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!found.is_empty()).then_some(found)
}

/// Reads a whole number: bare, in a string, or in a doubly encoded string.
pub(super) fn number(value: &Value) -> Option<u64> {
    text(value)?.parse().ok()
}

/// Reads an instant. Without an offset it is UTC, by the host's convention.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    let text = text(value)?;
    text.parse().ok().or_else(|| {
        let local: civil::DateTime = text.parse().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// Reads a JSON object: as it is, or as JSON in a text.
pub(super) fn object(value: &Value) -> Option<serde_json::Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members.clone()),
        Value::String(_) => serde_json::from_str(&text(value)?).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}
