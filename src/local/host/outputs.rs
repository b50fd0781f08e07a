//! Transforms a handler's outputs as the real host does.
//!
//! Source: azure-functions-host, `HttpScriptInvocationResultExtensions` and `FunctionBinding`. The host's
//! unexpected conversions are reproduced, so that a handler that does not expect them fails on a laptop first.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{app::Binding, encode};

/// A member of a handler's answer; case is ignored.
pub(super) fn member<'a>(answer: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    answer.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The messages, as texts, that the real host makes of the value of a Service Bus output.
///
/// A plain string that happens to be base64 is converted to bytes, and bytes to the text `System.Byte[]`. Only strings
/// inside an array arrive unchanged.
pub(super) fn messages(binding: &Binding, value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(item).collect(),
        Value::String(text) if !binding.is_binary() && BASE64_STANDARD.decode(text).is_ok() => {
            vec!["System.Byte[]".to_owned()]
        }
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(items)) => items.iter().map(item).collect(),
            Ok(object @ Value::Object(_)) => vec![item(&object)],
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | Err(_) => {
                vec![text.clone()]
            }
        },
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![item(value)],
    }
}

fn item(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => (if *flag { "True" } else { "False" }).to_owned(),
        Value::Null => String::new(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => indented(value),
    }
}

/// JSON as Newtonsoft writes it: indented, with dates in its own form.
fn indented(value: &Value) -> String {
    format!("{:#}", with_dates(value))
}

fn with_dates(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(date(text).unwrap_or_else(|| text.clone())),
        Value::Array(items) => items.iter().map(with_dates).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), with_dates(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Formats an ISO date as the real host does: trailing zeros are removed, and an offset is converted to the host's,
/// which is UTC here. `None` for any other text.
fn date(text: &str) -> Option<String> {
    let at = encode::iso_date(text)?;
    let has_offset = text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    let zone = match (has_offset, text.ends_with('Z')) {
        (true, _) => "+00:00",
        (false, true) => "Z",
        (false, false) => "",
    };
    Some(format!("{}{zone}", at.strftime("%Y-%m-%dT%H:%M:%S%.f")))
}

/// The response to the caller of an HTTP function.
///
/// # Errors
/// A message, if the output has a form with which the invocation fails.
pub(super) fn http_response(
    binding: Option<&Binding>,
    answer: &Map<String, Value>,
) -> Result<Response, String> {
    let outputs = match member(answer, "Outputs") {
        None | Some(Value::Null) => return Ok(StatusCode::NO_CONTENT.into_response()),
        Some(Value::Object(outputs)) => outputs,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err("Outputs is no object".to_owned());
        }
    };
    let value = binding.and_then(|binding| member(outputs, &binding.name));
    let Some(value) = value else { return Ok(plain(StatusCode::OK, "{}".to_owned())) };
    let Value::Object(response) = value else { return Err("the http output is no object".to_owned()) };
    let Some(body) = member(response, "body") else {
        // Without a body the object itself is the result: its status and headers are ignored.
        return Ok(plain(StatusCode::OK, indented(value)));
    };
    let status = member(response, "statusCode").or_else(|| member(response, "status"));
    let status = match status {
        None | Some(Value::Null) => 200,
        Some(Value::String(text)) => text.parse().map_err(|_| format!("`{text}` is no status"))?,
        Some(other) => other.as_u64().and_then(|n| u16::try_from(n).ok()).ok_or("the status is no number")?,
    };
    let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    let mut reply = plain(status, item(body));
    let headers = member(response, "headers").and_then(Value::as_object);
    for (name, value) in headers.into_iter().flatten() {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no header name"))?;
        let value: HeaderValue =
            item(value).parse().map_err(|_| format!("the value of {name} is refused"))?;
        reply.headers_mut().insert(name, value);
    }
    Ok(reply)
}

fn plain(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
