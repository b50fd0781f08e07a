//! Connects the last published Tables and Service Bus crates, which depend on `azure_core` 0.21, to the HTTP client and
//! the tokens of this program.
//!
//! Both crates send through [`LegacyTransport`]. It retries a refusal for load (429, 503), because the errors of the
//! crates drop `Retry-After`. [`ServiceBusTransport`] corrects what the Service Bus crate sends.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core_legacy::{
    Body, BytesStream, Error, HttpClient, Request, Response, Result, StatusCode,
    auth::{AccessToken, TokenCredential},
    error::ErrorKind,
    headers::Headers,
};
use reqwest::{Client, Method, Url};
use tenantry_core::{steps::Failure, time::saturating_add};
use time::OffsetDateTime;

use super::{
    call::{Call, Service},
    client::{Answer, exchange},
    throttle,
    token::{Audience, Tokens},
};
use crate::ports::Clock;

/// How often a request is sent at most, while the service refuses it for load.
const TRIES: u32 = 3;
/// The pause between two tries if the service asks for none.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause for which this transport waits. If the service asks for more, the caller gets the refusal.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The transport of the legacy crates, on top of the program's one HTTP client.
#[derive(Clone)]
pub struct LegacyTransport {
    client: Client,
    clock: Arc<dyn Clock>,
    service: Service,
    most_bytes: usize,
}

impl fmt::Debug for LegacyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl LegacyTransport {
    /// Creates a transport for Table Storage that reads at most `most_bytes` bytes of an answer.
    pub fn new(client: Client, clock: Arc<dyn Clock>, most_bytes: usize) -> Self {
        Self { client, clock, service: Service::Tables, most_bytes }
    }

    async fn once(&self, request: &Request, resent: u32) -> Result<Answer> {
        let method = Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|error| Error::new(ErrorKind::Other, error))?;
        let mut url = request.url().clone();
        // The crates encode a space as a plus sign, as in a form; Azure Storage reads that as a plus sign
        // (azure-sdk-for-rust, issue 1284).
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
        let mut outgoing = self.client.request(method, url);
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            outgoing = outgoing.body(bytes.clone());
        }
        let call = Call { service: self.service, resent };
        exchange(call, outgoing, self.most_bytes).await.map_err(|lost| Error::new(ErrorKind::Io, lost))
    }
}

#[async_trait]
impl HttpClient for LegacyTransport {
    async fn execute_request(&self, request: &Request) -> Result<Response> {
        let mut tries = 1;
        loop {
            let answer = self.once(request, tries - 1).await?;
            let pause = answer.retry_after().unwrap_or(PAUSE);
            if !matches!(answer.status, 429 | 503) || tries == TRIES || pause > LONGEST_PAUSE {
                return response(answer);
            }
            tries += 1;
            throttle::waited(self.service, "inline", pause);
            self.clock.sleep_until(saturating_add(self.clock.now(), pause)).await;
        }
    }
}

fn response(answer: Answer) -> Result<Response> {
    let status = StatusCode::try_from(answer.status)
        .map_err(|_| Error::message(ErrorKind::Other, format!("HTTP {} is no status", answer.status)))?;
    let mut headers = Headers::new();
    let mut is_json = false;
    for (name, value) in answer.headers {
        is_json |= name == "content-type" && value.contains("json");
        headers.insert(name, value);
    }
    // The crates would read the error code from XML, with a parser that malicious XML can exhaust. So they get JSON
    // only.
    let body = if is_json { answer.body } else { Vec::new() };
    Ok(Response::new(status, headers, Box::pin(BytesStream::new(body))))
}

/// The credential of the Tables crate, on top of this program's tokens.
#[derive(Clone)]
pub struct EntraCredential(Arc<Tokens>);

impl fmt::Debug for EntraCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntraCredential")
    }
}

impl EntraCredential {
    /// Creates a credential that issues tokens for Table Storage.
    pub fn new(tokens: Arc<Tokens>) -> Self {
        Self(tokens)
    }
}

#[async_trait]
impl TokenCredential for EntraCredential {
    async fn get_token(&self, _scopes: &[&str]) -> Result<AccessToken> {
        let token = self.0.token(Audience::Storage).await.map_err(no_token)?;
        let expires = OffsetDateTime::from_unix_timestamp(token.expires().as_second());
        let expires = expires.map_err(|error| Error::new(ErrorKind::Credential, error))?;
        Ok(AccessToken::new(token.expose().to_owned(), expires))
    }

    async fn clear_cache(&self) -> Result<()> {
        Ok(())
    }
}

fn no_token(failure: Failure) -> Error {
    Error::message(ErrorKind::Credential, failure.cause.message)
}

/// Corrects what the Service Bus crate sends: uses the configured address of the namespace, a bearer token instead of a
/// signature, and instants in the documented form. A header that is not ASCII is refused.
#[derive(Clone)]
pub struct ServiceBusTransport {
    transport: LegacyTransport,
    tokens: Arc<Tokens>,
    namespace: Url,
}

impl fmt::Debug for ServiceBusTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBusTransport")
            .field("namespace", &self.namespace.as_str())
            .finish_non_exhaustive()
    }
}

impl ServiceBusTransport {
    /// Creates a transport to the Service Bus namespace at an address.
    pub fn new(transport: LegacyTransport, tokens: Arc<Tokens>, namespace: Url) -> Self {
        Self { transport: LegacyTransport { service: Service::Bus, ..transport }, tokens, namespace }
    }

    async fn put_right(&self, request: &Request) -> Result<Request> {
        let mut url = self.namespace.clone();
        url.set_path(request.url().path());
        let mut right = Request::new(url, *request.method());
        for (name, value) in request.headers().iter() {
            let value = match name.as_str() {
                "brokerproperties" => value.as_str().replace(" +0000\"", " GMT\""),
                _ => value.as_str().to_owned(),
            };
            if !value.is_ascii() {
                let why =
                    format!("the header {} has characters that are not allowed in a header", name.as_str());
                return Err(Error::message(ErrorKind::Other, why));
            }
            right.insert_header(name.clone(), value);
        }
        let token = self.tokens.token(Audience::ServiceBus).await.map_err(no_token)?;
        right.insert_header("authorization", format!("Bearer {}", token.expose()));
        right.set_body(request.body().clone());
        Ok(right)
    }
}

#[async_trait]
impl HttpClient for ServiceBusTransport {
    async fn execute_request(&self, request: &Request) -> Result<Response> {
        self.transport.execute_request(&self.put_right(request).await?).await
    }
}
