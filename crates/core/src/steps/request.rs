//! Requests and replies as plain data.

use std::{collections::BTreeMap, fmt, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::retry_after::retry_after;
use crate::ids::{ApiVersion, ResourceId};

/// Which service a request is for; the transport has its base URL and its token audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Azure Resource Manager.
    Arm,
    /// Microsoft Graph.
    Graph,
    /// The Event Grid topic.
    EventGrid,
}

/// The HTTP methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or replaces.
    Put,
    /// Creates or changes (Graph).
    Patch,
    /// Starts an action.
    Post,
    /// Deletes.
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

/// A request, without base URL and token.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The service that the request is for.
    pub api: Api,
    /// The HTTP method.
    pub method: Method,
    /// Path and query, or the absolute URL that the service gave for polling. Paths of Resource Manager are made only
    /// by [`Self::arm`] and [`Self::arm_of`], those of Graph only by [`Self::graph`].
    pub path: String,
    /// The resource in the path; for a list or an action below a resource, that resource. `None` for other services
    /// than Resource Manager.
    pub about: Option<ResourceId>,
    /// Headers besides those that the transport adds to every request.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body, if there is one.
    pub body: Option<Value>,
    /// A key under which Azure allows only one change at a time: parallel mutating requests with the same key would be
    /// refused. For private endpoints it is the id of their virtual network, in lower case.
    pub serial: Option<String>,
    /// Whether the answer is a list of which every page has to be read; see [`super::Pages`].
    pub list: bool,
}

impl Request {
    /// A request without body and headers, to a path that is used as it is. For a URL that a service gave use
    /// [`Self::given`]; for paths made of ids use the typed constructors.
    pub fn new(api: Api, method: Method, path: impl Into<String>) -> Self {
        let (about, headers, body, serial) = (None, Vec::new(), None, None);
        Self { api, method, path: path.into(), about, headers, body, serial, list: false }
    }

    /// A GET of a URL that the service itself gave, e.g. of an operation. The transport sends it only to the service's
    /// own host.
    pub fn given(api: Api, url: impl Into<String>) -> Self {
        Self::new(api, Method::Get, url)
    }

    /// A request to ARM about one resource.
    pub fn arm(method: Method, id: &ResourceId, version: &ApiVersion) -> Self {
        Self::arm_of(method, id, "", version)
    }

    /// A request to ARM below a resource: a list (`/federatedIdentityCredentials`) or an action (`/purge`).
    pub fn arm_of(method: Method, id: &ResourceId, what: &'static str, version: &ApiVersion) -> Self {
        let request = Self::new(Api::Arm, method, format!("{id}{what}?api-version={version}"));
        Self { about: Some(id.clone()), ..request }
    }

    /// A request to Graph.
    pub fn graph(method: Method, path: GraphPath) -> Self {
        Self::new(Api::Graph, method, path.0)
    }

    /// Adds a query parameter; `encoded` is its value, percent-encoded already.
    #[must_use]
    pub fn with_query(mut self, name: &'static str, encoded: &str) -> Self {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{mark}{name}={encoded}", self.path);
        self
    }

    /// Marks the request as one for a list of which every page has to be read.
    #[must_use]
    pub fn every_page(mut self) -> Self {
        self.list = true;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether the request can change something in Azure, so that sending it twice could matter.
    pub fn mutates(&self) -> bool {
        self.method != Method::Get
    }
}

/// The answer to a [`Request`].
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

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// How long the service asks not to be called, in any of the header forms; see [`super::retry_after()`].
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(|name| self.header(name))
    }
}

/// A path in Graph, made of constants and encoded keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphPath(String);

impl GraphPath {
    /// A collection, e.g. `/v1.0/applications`.
    pub fn of(collection: &'static str) -> Self {
        Self(collection.to_owned())
    }

    /// The object of this collection with the alternate key `key`; `value` is encoded here.
    #[must_use]
    pub fn keyed(self, key: &'static str, value: &str) -> Self {
        Self(format!("{}({key}='{}')", self.0, odata_key(value)))
    }

    /// The object of this collection with the id `id`.
    #[must_use]
    pub fn item(self, id: &ObjectId) -> Self {
        Self(format!("{}/{}", self.0, id.0))
    }

    /// Appends a constant, e.g. `/restore`.
    #[must_use]
    pub fn then(self, what: &'static str) -> Self {
        Self(self.0 + what)
    }
}

/// The id of an object in Graph: always one segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectId(String);

impl ObjectId {
    /// An id as Graph gave it, percent-encoded if needed; `None` if it could be read as another path.
    pub fn read(text: &str) -> Option<Self> {
        let leads_away = |c: char| c.is_control() || c.is_whitespace() || "/\\%?#".contains(c);
        let fits = !text.bytes().all(|b| b == b'.') && !text.contains(leads_away);
        fits.then(|| Self(odata_key(text)))
    }
}

/// Everything except the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value as an OData string key or a path segment: quotes doubled, the rest percent-encoded.
pub fn odata_key(value: &str) -> String {
    utf8_percent_encode(&value.replace('\'', "''"), SEGMENT).to_string()
}
