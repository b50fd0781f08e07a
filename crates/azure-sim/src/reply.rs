//! The services' answers: a reply, or a refusal in the service's own envelope.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::CloudError;

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Value),
    Xml(String),
}

/// An answer before the common headers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Body>,
    /// The tenant of the object that was touched, for the journal.
    pub(crate) tenant: Option<String>,
}

impl Reply {
    /// A status without a body.
    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, tenant: None }
    }

    /// A status with a JSON body.
    pub(crate) const fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(Body::Json(body)), tenant: None }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the tenant of the object.
    pub(crate) fn of(mut self, tenant: Option<String>) -> Self {
        self.tenant = tenant;
        self
    }
}

/// A refused request, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// An inner code with its message: the relevant one when the outer one is only a wrapper.
    pub(crate) detail: Option<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal with a code and a message.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), detail: None, headers: Vec::new() }
    }

    /// Adds an inner code.
    pub(crate) fn because(mut self, code: &str, message: impl Into<String>) -> Self {
        self.detail = Some((code.to_owned(), message.into()));
        self
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// ARM's envelope.
    pub(crate) fn arm(self) -> Reply {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some((code, message)) = self.detail {
            error["details"] = json!([{ "code": code, "message": message }]);
        }
        Reply { headers: self.headers, ..Reply::json(self.status, json!({ "error": error })) }
    }

    /// Graph's envelope.
    pub(crate) fn graph(self, request_id: &str, now: Timestamp) -> Reply {
        let date = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let inner = json!({ "date": date, "request-id": request_id, "client-request-id": request_id });
        let error = json!({ "code": self.code, "message": self.message, "innerError": inner });
        Reply { headers: self.headers, ..Reply::json(self.status, json!({ "error": error })) }
    }

    /// Service Bus's envelope, which is XML.
    pub(crate) fn service_bus(self, request_id: &str, now: Timestamp) -> Reply {
        let Self { status, code, message, headers, .. } = self;
        let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let at = now.strftime("%Y-%m-%dT%H:%M:%S");
        let detail = format!("{code}: {message} TrackingId:{request_id}, Timestamp:{at}");
        let text = format!("<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>");
        Reply { headers, body: Some(Body::Xml(text)), ..Reply::empty(status) }
    }

    /// The envelope of Entra's token endpoint; the number of the error begins its message.
    pub(crate) fn entra(self, request_id: &str, now: Timestamp) -> Reply {
        let number = self.message.strip_prefix("AADSTS").and_then(|rest| rest.split(':').next());
        let number: Option<u32> = number.and_then(|digits| digits.parse().ok());
        let body = json!({
            "error": self.code, "error_description": self.message, "error_codes": [number],
            "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            "trace_id": request_id, "correlation_id": request_id,
        });
        Reply { headers: self.headers, ..Reply::json(self.status, body) }
    }

    /// The envelope of App Service's identity endpoint.
    pub(crate) fn app_service(self, request_id: &str) -> Reply {
        let body = json!({ "statusCode": self.status, "message": self.message, "correlationId": request_id });
        Reply { headers: self.headers, ..Reply::json(self.status, body) }
    }
}

/// Why a request was not carried out: the service refused it, or the simulator itself failed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The request was refused.
    Refused(Box<Refusal>),
    /// The state file failed.
    Error(CloudError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<CloudError> for Stop {
    fn from(error: CloudError) -> Self {
        Self::Error(error)
    }
}

/// Shorthand for the services' functions.
pub(crate) type Outcome<T = Reply> = Result<T, Stop>;

/// Refuses from within a function.
pub(crate) fn refuse<T>(status: u16, code: &str, message: impl Into<String>) -> Outcome<T> {
    Err(Refusal::new(status, code, message).into())
}
