//! How the host encodes values: text doubly encoded, numbers in strings, bytes as base64, dates with or without offset.
//!
//! Source: azure-functions-host, `ScriptInvocationContextExtensions`. Some of Microsoft's documented samples show
//! single encoding, so both are read.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;

/// A trigger's body with its provenance.
pub(super) struct Body {
    /// The bytes, as exactly as the encoding allows.
    pub(super) bytes: Vec<u8>,
    /// True when the value was base64: then the host had bytes, not text, and did not copy members into the metadata.
    pub(super) binary: bool,
}

/// Reads the value of a trigger whose `dataType` is binary, and defensively the forms of one that isn't.
///
/// Three readings, in this order; none of them can be mistaken for a better one:
/// 1. A text that begins with a quotation mark and is a JSON string literal: the host encoded text twice. It is
///    unwrapped once. Base64 has no quotation mark.
/// 2. Canonical base64: the bytes. It has precedence over a bare text such as `done`, because a binary trigger always
///    sends base64, and only this order keeps every body exact; the bare text would be refused as a request in either
///    reading.
/// 3. Anything else, such as a JSON text encoded once: the text itself. A JSON object or array has a brace or a
///    bracket, which base64 has not.
pub(super) fn body(text: &str) -> Body {
    if let Some(inner) = literal(text) {
        return Body { bytes: inner.into_bytes(), binary: false };
    }
    BASE64_STANDARD.decode(text).map_or_else(
        |_| Body { bytes: text.as_bytes().to_vec(), binary: false },
        |bytes| Body { bytes, binary: true },
    )
}

/// The text inside a JSON string literal, if it is one.
fn literal(text: &str) -> Option<String> {
    if !text.trim_start().starts_with('"') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// A text, unwrapped once if it is doubly encoded. Empty and absent are the same.
pub(super) fn text(value: &Value) -> Option<String> {
    let found = match value {
        Value::String(text) => literal(text).unwrap_or_else(|| text.clone()),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!found.is_empty()).then_some(found)
}

/// A whole number: bare, in a string, or in a doubly encoded string.
pub(super) fn number(value: &Value) -> Option<u64> {
    text(value)?.parse().ok()
}

/// An instant: with an offset, or without one and then UTC by the host's convention.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    let text = text(value)?;
    text.parse().ok().or_else(|| {
        let local: civil::DateTime = text.parse().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// A JSON object: as it is, or written as text.
pub(super) fn object(value: &Value) -> Option<serde_json::Map<String, Value>> {
    match value {
        Value::Object(members) => Some(members.clone()),
        Value::String(_) => serde_json::from_str(&text(value)?).ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}
