//! Reads the value of an HTTP trigger, which describes an HTTP request as JSON.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::encoding;

/// An HTTP request as the host describes it, without function keys, tokens and cookies.
///
/// These secrets are dropped while parsing: the host has checked them already, and a value that is dropped can't be
/// logged.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// The method, in upper case.
    pub method: String,
    /// The path as it was sent, such as `/api/tenants/contoso`, without the query.
    pub path: String,
    /// The query parameters, decoded by the host, which joins repeated ones with a comma. `code`, a function key, is
    /// left out.
    pub query: BTreeMap<String, String>,
    /// The values of the route's parameters, decoded by the host; unused optional ones are absent.
    pub params: BTreeMap<String, String>,
    /// The values of each header, by its name in lower case. Headers that carry keys or tokens are left out.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body; `None` if the request has none. The host drops the body of a request without `Content-Length`, so a
    /// chunked request has `None` too.
    pub body: Option<Vec<u8>>,
    /// The authenticated caller, in the host's own form: a list of .NET `ClaimsIdentity` objects, or null.
    pub identities: Value,
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpCall")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("params", &self.params)
            .field("header_names", &self.headers.keys().collect::<Vec<_>>())
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// Whether a header carries a key, a token or a cookie. App Service adds `x-ms-token-<provider>-..` for signed-in
/// callers.
fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "proxy-authorization"
            | "cookie"
            | "x-functions-key"
            | "x-functions-clientid"
            | "x-zumo-auth"
    ) || name.starts_with("x-ms-token-")
}

impl HttpCall {
    pub(super) fn parse(request: &Map<String, Value>) -> Self {
        let member = |name: &str| request.get(name).unwrap_or(&Value::Null);
        let url = member("Url").as_str().unwrap_or_default();
        let headers = headers(member("Headers"));
        let mut query = texts(member("Query"));
        query.retain(|name, _| !name.eq_ignore_ascii_case("code"));
        Self {
            method: member("Method").as_str().unwrap_or_default().to_ascii_uppercase(),
            path: path(url),
            query,
            params: texts(member("Params")),
            body: body(member("Body"), &headers),
            headers,
            identities: member("Identities").clone(),
        }
    }

    /// Whether the request was sent with a body that the host has dropped, as the host does with every chunked body.
    /// Such a request must not be treated as one without a body.
    pub fn lost_its_body(&self) -> bool {
        let encodings = self.headers.get("transfer-encoding").map(Vec::as_slice).unwrap_or_default();
        let chunked = encodings
            .iter()
            .any(|codings| codings.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("chunked")));
        chunked && self.body.is_none() && !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// The first value of a header. `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.first().map(String::as_str)
    }
}

/// The path of an absolute URL, without its query and fragment.
fn path(url: &str) -> String {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.find('/').map_or("/", |at| after_scheme.split_at(at).1);
    path.split(['?', '#']).next().unwrap_or("/").to_owned()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let members = encoding::object(value).unwrap_or_default();
    members
        .into_iter()
        .filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text)),
            Value::Number(number) => Some((name, number.to_string())),
            Value::Bool(flag) => Some((name, flag.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect()
}

fn headers(value: &Value) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in encoding::object(value).unwrap_or_default() {
        let name = name.to_ascii_lowercase();
        if is_secret(&name) {
            continue;
        }
        let values = headers.entry(name).or_default();
        match value {
            Value::Array(items) => values.extend(items.iter().filter_map(Value::as_str).map(str::to_owned)),
            Value::String(text) => values.push(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
    }
    headers
}

/// Reads the body. The host writes the body of two media types, `application/octet-stream` and `multipart/*`, as
/// base64, and any other as text.
fn body(value: &Value, headers: &BTreeMap<String, Vec<String>>) -> Option<Vec<u8>> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        // In a sample of Microsoft's documentation the host has parsed the JSON body; the body is serialized again.
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Some(value.to_string().into_bytes());
        }
    };
    let media_type = headers.get("content-type").and_then(|values| values.first()).map(String::as_str);
    let binary = media_type.is_some_and(|media_type| {
        let media_type = media_type.to_ascii_lowercase();
        media_type.starts_with("application/octet-stream") || media_type.starts_with("multipart/")
    });
    if binary && let Ok(bytes) = BASE64_STANDARD.decode(text) {
        return Some(bytes);
    }
    Some(text.as_bytes().to_vec())
}
