//! Parses the bytes of a message to the JSON of a request, which is the whole message or the `data` of a CloudEvent.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use tenantry_core::{pointer, spelling::did_you_mean};

use super::{Fault, MAX_BODY_BYTES, strict};

/// How often a JSON text may be wrapped in a JSON string; some senders and hosts do that.
const MAX_STRING_LAYERS: usize = 2;

/// The byte order mark, as a character.
const MARK: char = '\u{feff}';

/// The attributes that CloudEvents defines. Others are extensions of the sender.
const ATTRIBUTES: [&str; 8] =
    ["specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time"];

/// The prefix of the types of CloudEvents that are requests.
const REQUEST_TYPE: &str = "io.tenantry.request.";

/// A message that was parsed to JSON.
#[derive(Debug)]
pub(super) struct Opened {
    /// The JSON of the request.
    pub(super) body: Value,
    /// The action that the type of a CloudEvent names; `None` if the message is no CloudEvent.
    pub(super) action: Option<String>,
    /// The pointer of the request within the message: empty, `/data` or `/data_base64`.
    pub(super) at: &'static str,
}

impl Opened {
    /// The request id; `None` if it is absent or invalid. The id becomes an attribute of events, whose values are
    /// limited.
    pub(super) fn request_id(&self) -> Option<String> {
        let id = self.body.get("requestId")?.as_str()?;
        is_request_id(id).then(|| id.to_owned())
    }
}

/// Whether a text is a request id: printable ASCII without spaces, 1 to 128 characters.
pub(super) fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Parses a message.
///
/// # Errors
/// The fault that makes the request unreadable.
pub(super) fn open(body: &[u8]) -> Result<Opened, Fault> {
    let object = object(body)?;
    if object.contains_key("specversion") {
        return cloud_event(object);
    }
    Ok(Opened { body: Value::Object(object), action: None, at: "" })
}

/// Parses the JSON object in a message, which may be wrapped in a JSON string.
///
/// # Errors
/// The fault that makes the message unreadable.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Fault> {
    if body.len() > MAX_BODY_BYTES {
        let message = format!("the message has {} bytes of {MAX_BODY_BYTES}", body.len());
        return Err(Fault::new("", "too_large", message));
    }
    let text = text(body)?;
    if text.trim_matches(|c: char| c.is_ascii_whitespace()).is_empty() {
        return Err(Fault::new("", "empty", "the message has no body"));
    }
    match unwrap(&text, "")? {
        Value::Object(object) => Ok(object),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            let message = format!("the message is {}, not one JSON object", kind_of(&other));
            Err(Fault::new("", "not_an_object", message))
        }
    }
}

/// Decodes a message. A byte order mark, which some editors and shells add, is removed and says whether the text is
/// UTF-16; without one the text is UTF-8.
///
/// # Errors
/// The fault of a message that is neither.
pub fn text(body: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let text = match body {
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest).ok().map(Cow::Borrowed),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => std::str::from_utf8(body).ok().map(Cow::Borrowed),
    };
    text.ok_or_else(|| {
        Fault::new("", "not_utf8", "the message is neither UTF-8 nor, behind a byte order mark, UTF-16")
    })
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Option<String> {
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    char::decode_utf16(units.iter().copied().map(read)).collect::<Result<_, _>>().ok()
}

/// Parses a JSON text. If the value is a string, the content of the string is parsed too, up to [`MAX_STRING_LAYERS`]
/// times. `at` is the pointer of the text within the message.
fn unwrap(text: &str, at: &str) -> Result<Value, Fault> {
    let parse = |text: &str| {
        strict::parse(text.as_bytes())
            .map_err(|error| Fault::new(at, "not_json", format!("the message is not JSON: {error}")))
    };
    let mut value = parse(text)?;
    for _ in 0..MAX_STRING_LAYERS {
        let Value::String(inner) = &value else { break };
        value = parse(unmarked(inner))?;
    }
    Ok(value)
}

/// Removes the byte order mark from a text within JSON, if it has one.
fn unmarked(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn cloud_event(mut event: Map<String, Value>) -> Result<Opened, Fault> {
    if event.get("specversion").and_then(Value::as_str) != Some("1.0") {
        return Err(Fault::new("/specversion", "unsupported", "only CloudEvents 1.0 is read"));
    }
    if let Some(name) = event.keys().find(|name| !is_attribute(name)) {
        let near = did_you_mean(name, ATTRIBUTES);
        let message = format!("a CloudEvent's attributes have names of a-z and 0-9; {near}");
        let at = format!("/{}", pointer::segment(name));
        return Err(Fault::new(at, "unknown_member", message.trim_end_matches([';', ' '])));
    }
    let Some(kind) = event.get("type").and_then(Value::as_str) else {
        return Err(Fault::new("/type", "missing", "a CloudEvent has a type"));
    };
    let action = kind.strip_prefix(REQUEST_TYPE).and_then(|rest| rest.strip_suffix(".v1"));
    let Some(action) = action.map(str::to_owned) else {
        let message = format!("the type has the form {REQUEST_TYPE}<action>.v1");
        return Err(Fault::new("/type", "unknown_type", message));
    };
    let (body, at) = data(&mut event)?;
    match body {
        Value::Object(_) => Ok(Opened { body, action: Some(action), at }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Fault::new(at, "not_an_object", "the event's data is a JSON object"))
        }
    }
}

/// Returns the data of a CloudEvent and its pointer. The data is JSON, JSON in a string, or base64.
fn data(event: &mut Map<String, Value>) -> Result<(Value, &'static str), Fault> {
    let mut given = |name: &str| event.remove(name).filter(|value| !value.is_null());
    let (data, base64, content) = (given("data"), given("data_base64"), given("datacontenttype"));
    let is_json = content.as_ref().is_none_or(|content| content.as_str().is_some_and(is_json_type));
    match (data, base64) {
        (Some(_), Some(_)) => {
            Err(Fault::new("/data_base64", "contradiction", "an event has data or data_base64, not both"))
        }
        (None, None) => Err(Fault::new("/data", "missing", "the event's data holds the request")),
        (Some(Value::String(_)), None) | (None, Some(_)) if !is_json => {
            Err(Fault::new("/datacontenttype", "unsupported", "a request is application/json"))
        }
        (Some(Value::String(text)), None) => Ok((unwrap(unmarked(&text), "/data")?, "/data")),
        (Some(other), None) => Ok((other, "/data")),
        (None, Some(base64)) => {
            const AT: &str = "/data_base64";
            let bytes = base64.as_str().and_then(|base64| STANDARD.decode(base64).ok());
            let bytes =
                bytes.ok_or_else(|| Fault::new(AT, "not_base64", "the event's data is not base64"))?;
            let text = text(&bytes).map_err(|fault| Fault { pointer: AT.to_owned(), ..fault })?;
            Ok((unwrap(&text, AT)?, AT))
        }
    }
}

/// Whether a CloudEvent may have a member of this name. Sources: CloudEvents 1.0.2, "Attribute Naming Convention", and
/// JSON Event Format, 3.1.
fn is_attribute(name: &str) -> bool {
    name == "data_base64"
        || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

/// Whether a media type means JSON. Sources: CloudEvents JSON Event Format, 3.1; RFC 6839, 3.1.
fn is_json_type(content: &str) -> bool {
    let kind = content.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(kind.as_str(), "application/json" | "text/json") || kind.ends_with("+json")
}

/// The type of a JSON value, as a text for people.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
