//! The span of one HTTP request to a service, with only what it may contain.
//!
//! The span has the method, the host and the pattern of the path, and never the path itself, a query, a header or a
//! body. In the pattern, names are replaced by `{}`: there are many resources, and the address of an operation may
//! contain a secret.

use std::sync::Arc;

use reqwest::{Request, Url};

use super::client::{Answer, Lost};
use crate::telemetry::{KeyValue, Span, SpanKind};

/// The service that a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Arm,
    Graph,
    EventGrid,
    Bus,
    Tables,
    Entra,
    Inference,
}

impl Service {
    /// The service's name in spans and metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Graph => "graph",
            Self::EventGrid => "event-grid",
            Self::Bus => "service-bus",
            Self::Tables => "tables",
            Self::Entra => "entra",
            Self::Inference => "inference",
        }
    }

    /// Whether requests to the service carry the trace context. Service Bus would make an unknown header a property of
    /// the message (Microsoft, "Send Message"), and the other services do not use the trace context.
    fn takes_trace_context(self) -> bool {
        match self {
            Self::Arm | Self::Graph | Self::EventGrid => true,
            Self::Bus | Self::Tables | Self::Entra | Self::Inference => false,
        }
    }

    /// The path of a URL with `{}` instead of names.
    fn pattern(self, url: &Url) -> String {
        let path = url.path();
        match self {
            Self::Arm => {
                // An ARM path consists of pairs of a type and a name. After `providers` the name is kept, because it is
                // a part of the type.
                let mut before = "";
                let parts = path.trim_matches('/').split('/').enumerate().map(|(index, part)| {
                    let named = index % 2 == 1 && !before.eq_ignore_ascii_case("providers");
                    before = part;
                    if named { "{}" } else { part }
                });
                format!("/{}", parts.collect::<Vec<_>>().join("/"))
            }
            Self::Graph | Self::Tables | Self::Entra => {
                let parts = path.split('/').map(|part| match part.split_once('(') {
                    Some((kind, _)) => format!("{kind}({{}})"),
                    None if part.bytes().any(|b| b == b'-') || part.len() > 40 => "{}".to_owned(),
                    None => part.to_owned(),
                });
                parts.collect::<Vec<_>>().join("/")
            }
            Self::EventGrid | Self::Bus | Self::Inference => path.to_owned(),
        }
    }
}

/// What a request's span records about the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) service: Service,
    /// How often the request has been sent before.
    pub(super) resent: u32,
}

impl Call {
    pub(super) fn to(service: Service) -> Self {
        Self { service, resent: 0 }
    }

    /// Starts the span of a request, and adds the trace context to the request if the service uses it.
    pub(super) fn begin(self, request: &mut Request) -> Span {
        let (method, url) = (request.method().to_string(), request.url().clone());
        let name = || format!("{method} {}", self.service.pattern(&url));
        let span = Span::begin(SpanKind::Client, name, || {
            let mut attributes = vec![
                KeyValue::new("http.request.method", method.clone()),
                KeyValue::new("url.template", self.service.pattern(&url)),
                KeyValue::new("server.address", url.host_str().unwrap_or_default().to_owned()),
                KeyValue::new("server.port", i64::from(url.port_or_known_default().unwrap_or_default())),
                KeyValue::new("tenantry.service", self.service.as_str()),
            ];
            if self.resent > 0 {
                attributes.push(KeyValue::new("http.request.resend_count", i64::from(self.resent)));
            }
            attributes
        });
        if let Some(at) = span.at().filter(|_| self.service.takes_trace_context())
            && let Ok(header) = at.header().parse()
        {
            request.headers_mut().insert("traceparent", header);
        }
        span
    }
}

/// Records the outcome of a request in its span.
pub(super) fn ended(span: &mut Span, answer: Result<&Answer, &Lost>) {
    match answer {
        Ok(answer) => {
            span.set("http.response.status_code", i64::from(answer.status));
            let id =
                answer.headers.iter().find(|(name, _)| name == "x-ms-request-id" || name == "request-id");
            if let Some((_, id)) = id {
                span.set("azure.service.request.id", Arc::<str>::from(id.as_str()));
            }
            // A 404 is no error of the span: many reads expect it, and the step decides what it means.
            if answer.status >= 400 && answer.status != 404 {
                span.fail(answer.status.to_string());
            }
        }
        Err(lost) => span.fail(lost.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_traced_without_names() {
        let pattern = |service: Service, path: &str| {
            service.pattern(&format!("https://example.com{path}").parse().unwrap())
        };
        let cases = [
            (
                Service::Arm,
                "/subscriptions/0000-1/resourceGroups/rg-a/providers/Microsoft.MachineLearningServices/workspaces/mlw-a/onlineEndpoints/ep-a?api-version=1",
                "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.MachineLearningServices/workspaces/{}/onlineEndpoints/{}",
            ),
            (
                Service::Arm,
                "/subscriptions/1/providers/Microsoft.Network/locations/westeurope/operations/abc?t=1&s=secret",
                "/subscriptions/{}/providers/Microsoft.Network/locations/{}/operations/{}",
            ),
            (Service::Graph, "/v1.0/applications(uniqueName='a')", "/v1.0/applications({})"),
            (
                Service::Graph,
                "/v1.0/applications/5b0c7a1e-0000-4000-8000-000000000001/federatedIdentityCredentials(name='x')",
                "/v1.0/applications/{}/federatedIdentityCredentials({})",
            ),
            (Service::Tables, "/devstore/tenantry(PartitionKey='a',RowKey='b')", "/devstore/tenantry({})"),
            (Service::Bus, "/tenant-wakeups/messages", "/tenant-wakeups/messages"),
            (
                Service::Entra,
                "/11111111-2222-3333-4444-555555555555/oauth2/v2.0/token",
                "/{}/oauth2/v2.0/token",
            ),
        ];
        for (service, path, expected) in cases {
            assert_eq!(pattern(service, path), expected);
        }
    }
}
