//! What goes over the wire, as plain data.

use std::{collections::BTreeMap, fmt, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// Which service a request is for; the wire knows its address and its token audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Azure Resource Manager.
    Arm,
    /// Microsoft Graph.
    Graph,
    /// The Event Grid topic.
    EventGrid,
}

/// The methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks.
    Get,
    /// Makes or replaces.
    Put,
    /// Makes or changes (Graph).
    Patch,
    /// Starts an action.
    Post,
    /// Removes.
    Delete,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        })
    }
}

/// A request, without address and token.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// For which service.
    pub api: Api,
    /// How.
    pub method: Method,
    /// Path and query, or the absolute URL that the service itself gave for polling.
    pub path: String,
    /// Headers beyond the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// What Azure changes one at a time, as a key: requests that mutate under the same key are not to be under way
    /// together, or they are refused. For private endpoints the id of their virtual network, in lower case.
    pub serial: Option<String>,
}

impl Request {
    /// A request without body and headers.
    pub fn new(api: Api, method: Method, path: impl Into<String>) -> Self {
        Self { api, method, path: path.into(), headers: Vec::new(), body: None, serial: None }
    }

    /// A request to ARM about one resource.
    pub fn arm(method: Method, id: &str, api_version: &str) -> Self {
        Self::new(Api::Arm, method, format!("{id}?api-version={api_version}"))
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether sending it twice by mistake could matter.
    pub fn mutates(&self) -> bool {
        self.method != Method::Get
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The JSON body; `Null` when there is none.
    pub body: Value,
}

impl Reply {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// One header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The `Retry-After` header in its form with seconds, which is the one that Azure documents.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Everything but what RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value as an OData string key or a path segment: quotes doubled, the rest percent-encoded.
pub fn odata_key(value: &str) -> String {
    utf8_percent_encode(&value.replace('\'', "''"), SEGMENT).to_string()
}
