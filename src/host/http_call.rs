//! The value of an HTTP trigger: an HTTP request, described as JSON.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::encoding;

/// An HTTP request as the host describes it, without the secrets that the host puts in.
///
/// Function keys, tokens and cookies are dropped while parsing: the host has checked them already, and what is dropped
/// can't be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// The method, in upper case.
    pub method: String,
    /// The path as it was sent, such as `/api/tenants/contoso`, without the query.
    pub path: String,
    /// The query, decoded; repeated keys come joined by a comma. Without `code`, which is a function key.
    pub query: BTreeMap<String, String>,
    /// The values of the route's parameters, decoded by the host; unused optional ones are absent.
    pub params: BTreeMap<String, String>,
    /// The headers with lower-case names, without those that carry keys or tokens.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body. The host leaves it out of a request that has no `Content-Length`, so a chunked one has none.
    pub body: Option<Vec<u8>>,
    /// The caller, in the host's own form: a list of .NET `ClaimsIdentity` objects, or null.
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

/// Headers that carry a key, a token or a session. App Service adds `x-ms-token-<provider>-..` for signed-in callers.
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

    /// Whether the request was sent with a body that the host has dropped, as it drops every chunked one. Such a body
    /// must not be treated as empty.
    pub fn lost_its_body(&self) -> bool {
        let encodings = self.headers.get("transfer-encoding").map(Vec::as_slice).unwrap_or_default();
        let chunked = encodings
            .iter()
            .any(|codings| codings.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("chunked")));
        chunked && self.body.is_none() && !matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }

    /// The first value of a header; the name in lower case.
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

/// The host writes a body of one of two media types as base64 and any other as text.
fn body(value: &Value, headers: &BTreeMap<String, Vec<String>>) -> Option<Vec<u8>> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        // The documentation's sample shows a host that parses JSON bodies; their text is as good.
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
