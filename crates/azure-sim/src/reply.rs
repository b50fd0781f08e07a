//! The services' answers: a reply, or a refusal in the service's own error format.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::CloudError;

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Json(Value),
    Xml(String),
    /// The request journal, of one tenant or of all; read while it is sent.
    Journal(Option<String>),
}

/// An answer, without the headers that all answers of a service have.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Body>,
    /// The tenant of the object that was read or changed, for the journal.
    pub(crate) tenant: Option<String>,
}

impl Reply {
    /// An answer with a status and no body.
    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, tenant: None }
    }

    /// An answer with a status and a JSON body.
    pub(crate) const fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(Body::Json(body)), tenant: None }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the tenant for the journal.
    pub(crate) fn of(mut self, tenant: Option<String>) -> Self {
        self.tenant = tenant;
        self
    }
}

/// The refusal of a request: status, error code and message, not yet in the format of a service.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    /// An inner error code with its message, where Azure wraps the actual error in a general one.
    pub(crate) detail: Option<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal with a code and a message.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), detail: None, headers: Vec::new() }
    }

    /// Sets the inner error code with its message.
    pub(crate) fn because(mut self, code: &str, message: impl Into<String>) -> Self {
        self.detail = Some((code.to_owned(), message.into()));
        self
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The refusal in ARM's error format.
    pub(crate) fn arm(self) -> Reply {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some((code, message)) = self.detail {
            error["details"] = json!([{ "code": code, "message": message }]);
        }
        Reply { headers: self.headers, ..Reply::json(self.status, json!({ "error": error })) }
    }

    /// The refusal in Graph's error format.
    pub(crate) fn graph(self, request_id: &str, now: Timestamp) -> Reply {
        let date = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        let inner = json!({ "date": date, "request-id": request_id, "client-request-id": request_id });
        let error = json!({ "code": self.code, "message": self.message, "innerError": inner });
        Reply { headers: self.headers, ..Reply::json(self.status, json!({ "error": error })) }
    }

    /// The refusal in Service Bus's error format, which is XML.
    pub(crate) fn service_bus(self, request_id: &str, now: Timestamp) -> Reply {
        let Self { status, code, message, headers, .. } = self;
        let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let at = now.strftime("%Y-%m-%dT%H:%M:%S");
        let detail = format!("{code}: {message} TrackingId:{request_id}, Timestamp:{at}");
        let text = format!("<Error><Code>{status}</Code><Detail>{detail}</Detail></Error>");
        Reply { headers, body: Some(Body::Xml(text)), ..Reply::empty(status) }
    }

    /// The refusal in the error format of Entra's token endpoint. The number of the error, which the format repeats, is
    /// read from the start of the message: `AADSTS700016: ...`.
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

    /// The refusal in the error format of App Service's managed identity endpoint.
    pub(crate) fn app_service(self, request_id: &str) -> Reply {
        let body = json!({ "statusCode": self.status, "message": self.message, "correlationId": request_id });
        Reply { headers: self.headers, ..Reply::json(self.status, body) }
    }
}

/// Why a request was not carried out: the service refused it, or the simulated Azure itself failed.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The request was refused.
    Refused(Box<Refusal>),
    /// The simulated Azure itself failed, for example because the state file can't be written.
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

/// The result of a service's function: usually a reply, or why there is none.
pub(crate) type Outcome<T = Reply> = Result<T, Stop>;

/// Returns a refusal as an error, to end a service's function with.
pub(crate) fn refuse<T>(status: u16, code: &str, message: impl Into<String>) -> Outcome<T> {
    Err(Refusal::new(status, code, message).into())
}
