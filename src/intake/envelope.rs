//! Bytes become the request's JSON: bare, or as the `data` of a CloudEvent.

use serde_json::{Map, Value};

use super::{Fault, MAX_BODY_BYTES, strict};

/// How often a JSON text may have been wrapped into a JSON string on its way; some senders and hosts do that.
const MAX_STRING_LAYERS: usize = 2;

/// The prefix of our request types.
const REQUEST_TYPE: &str = "io.tenantry.request.";

/// What a message holds.
#[derive(Debug)]
pub(super) struct Opened {
    /// The request.
    pub(super) body: Value,
    /// The action that the event's type names, if it came as a CloudEvent.
    pub(super) action: Option<String>,
    /// Where in the message the request stands: empty, or `/data`.
    pub(super) at: &'static str,
}

impl Opened {
    /// The request's id, if it is one: it goes into the attributes of events, which have limits of their own.
    pub(super) fn request_id(&self) -> Option<String> {
        let id = self.body.get("requestId")?.as_str()?;
        is_request_id(id).then(|| id.to_owned())
    }
}

/// Whether a text is an id of a request: printable ASCII without spaces, 1 to 128 characters.
pub(super) fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Opens a message.
///
/// # Errors
/// The one fault because of which no request can be read.
pub(super) fn open(body: &[u8]) -> Result<Opened, Fault> {
    let fault = |code, message: String| Fault::new("", code, message);
    if body.len() > MAX_BODY_BYTES {
        let message = format!("the message has {} bytes of {MAX_BODY_BYTES}", body.len());
        return Err(fault("too_large", message));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(fault("empty", "the message has no body".to_owned()));
    }
    if std::str::from_utf8(body).is_err() {
        return Err(fault("not_utf8", "the message is not UTF-8; JSON has to be".to_owned()));
    }
    let value = unwrap(body)?;
    match value {
        Value::Object(object) if object.contains_key("specversion") => cloud_event(object),
        Value::Object(_) => Ok(Opened { body: value, action: None, at: "" }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(fault("not_an_object", format!("the message is {}, not one JSON object", kind_of(&value))))
        }
    }
}

fn unwrap(body: &[u8]) -> Result<Value, Fault> {
    let not_json =
        |error: serde_json::Error| Fault::new("", "not_json", format!("the message is not JSON: {error}"));
    let mut value = strict::parse(body).map_err(not_json)?;
    for _ in 0..MAX_STRING_LAYERS {
        let Value::String(inner) = &value else { break };
        value = strict::parse(inner.as_bytes()).map_err(not_json)?;
    }
    Ok(value)
}

fn cloud_event(mut event: Map<String, Value>) -> Result<Opened, Fault> {
    if event.get("specversion").and_then(Value::as_str) != Some("1.0") {
        return Err(Fault::new("/specversion", "unsupported", "only CloudEvents 1.0 is read"));
    }
    let Some(kind) = event.get("type").and_then(Value::as_str) else {
        return Err(Fault::new("/type", "missing", "a CloudEvent has a type"));
    };
    let action = kind.strip_prefix(REQUEST_TYPE).and_then(|rest| rest.strip_suffix(".v1"));
    let Some(action) = action.map(str::to_owned) else {
        let message = format!("the type has the form {REQUEST_TYPE}<action>.v1");
        return Err(Fault::new("/type", "unknown_type", message));
    };
    match event.remove("data") {
        Some(body @ Value::Object(_)) => Ok(Opened { body, action: Some(action), at: "/data" }),
        Some(_) => Err(Fault::new("/data", "not_an_object", "the event's data is a JSON object")),
        None => {
            Err(Fault::new("/data", "missing", "the event's data holds the request; data_base64 is not read"))
        }
    }
}

/// A JSON value's kind, for people.
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
