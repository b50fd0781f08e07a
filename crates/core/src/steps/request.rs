//! What goes over the wire, as plain data.

use std::{collections::BTreeMap, fmt, time::Duration};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::retry_after::retry_after;
use crate::ids::{ApiVersion, ResourceId};

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
    /// Path and query, or the absolute URL that the service itself gave for polling. Of Resource Manager's own
    /// addresses only [`Self::arm`] and [`Self::arm_of`] make one, of Graph's only [`Self::graph`].
    pub path: String,
    /// The resource that the address names; for a list at a resource, and for what is done to it, that resource.
    pub about: Option<ResourceId>,
    /// Headers beyond the usual ones.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// What Azure changes one at a time, as a key: requests that mutate under the same key are not to be under way
    /// together, or they are refused. For private endpoints the id of their virtual network, in lower case.
    pub serial: Option<String>,
    /// Whether the answer is a list, of which every page is to be read; see [`super::Pages`].
    pub list: bool,
}

impl Request {
    /// A request without body and headers, to an address as it stands. For what a service itself has given there is
    /// [`Self::given`]; what is made of ids goes by the typed constructors.
    pub fn new(api: Api, method: Method, path: impl Into<String>) -> Self {
        let (about, headers, body, serial) = (None, Vec::new(), None, None);
        Self { api, method, path: path.into(), about, headers, body, serial, list: false }
    }

    /// A look at an address that the service itself has given, as that of an operation. The wire follows it on the
    /// service's own host only.
    pub fn given(api: Api, url: impl Into<String>) -> Self {
        Self::new(api, Method::Get, url)
    }

    /// A request to ARM about one resource.
    pub fn arm(method: Method, id: &ResourceId, version: &ApiVersion) -> Self {
        Self::arm_of(method, id, "", version)
    }

    /// A request to ARM about what is below a resource: a list (`/federatedIdentityCredentials`) or an action
    /// (`/purge`).
    pub fn arm_of(method: Method, id: &ResourceId, what: &'static str, version: &ApiVersion) -> Self {
        let request = Self::new(Api::Arm, method, format!("{id}{what}?api-version={version}"));
        Self { about: Some(id.clone()), ..request }
    }

    /// A request to Graph.
    pub fn graph(method: Method, path: GraphPath) -> Self {
        Self::new(Api::Graph, method, path.0)
    }

    /// With a further parameter in its query; the value is encoded already.
    #[must_use]
    pub fn with_query(mut self, name: &'static str, encoded: &str) -> Self {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{mark}{name}={encoded}", self.path);
        self
    }

    /// As a request for a list, of which every page is to be read.
    #[must_use]
    pub fn every_page(mut self) -> Self {
        self.list = true;
        self
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

    /// How long the service wants to be left alone, in whichever form it says so; see [`super::retry_after()`].
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(|name| self.header(name))
    }
}

/// An address within Graph, made of words of this program and of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphPath(String);

impl GraphPath {
    /// A collection, e.g. `/v1.0/applications`.
    pub fn of(collection: &'static str) -> Self {
        Self(collection.to_owned())
    }

    /// The object of this collection with an alternate key; any text is encoded within its quotes.
    #[must_use]
    pub fn keyed(self, key: &'static str, value: &str) -> Self {
        Self(format!("{}({key}='{}')", self.0, odata_key(value)))
    }

    /// The object of this collection with an id.
    #[must_use]
    pub fn item(self, id: &ObjectId) -> Self {
        Self(format!("{}/{}", self.0, id.0))
    }

    /// What is below it, e.g. `/restore`.
    #[must_use]
    pub fn then(self, what: &'static str) -> Self {
        Self(self.0 + what)
    }
}

/// The id of an object in Graph: one segment of a path, whatever the service says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectId(String);

impl ObjectId {
    /// An id as Graph gave it; `None` for what could be read as another path. What no path keeps as it is is encoded.
    pub fn read(text: &str) -> Option<Self> {
        let leads_away = |c: char| c.is_control() || c.is_whitespace() || "/\\%?#".contains(c);
        let fits = !text.bytes().all(|b| b == b'.') && !text.contains(leads_away);
        fits.then(|| Self(odata_key(text)))
    }
}

/// Everything but what RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A value as an OData string key or a path segment: quotes doubled, the rest percent-encoded.
pub fn odata_key(value: &str) -> String {
    utf8_percent_encode(&value.replace('\'', "''"), SEGMENT).to_string()
}
