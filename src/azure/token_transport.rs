//! The transport of `azure_identity`: this program's HTTP client, with its timeouts and without redirects.
//!
//! Without a transport, `azure_identity` panics when a credential is created, because its default features are off.

use async_trait::async_trait;
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, Body, HttpClient, Request, headers::Headers},
};
use reqwest::{Client, Method, Url};

use super::{
    call::{Call, Service},
    client::exchange,
};

/// The largest answer that is read, in bytes; an answer with a token has a few thousand.
const MOST_BYTES: usize = 64 << 10;

/// The transport for `azure_core`, on top of the program's one HTTP client.
#[derive(Debug)]
pub(super) struct TokenTransport {
    client: Client,
    /// The address to which all requests are sent instead of their own. `azure_identity` supports only https, and
    /// services on this machine have only http.
    instead: Option<Url>,
}

impl TokenTransport {
    pub(super) fn new(client: Client) -> Self {
        Self { client, instead: None }
    }

    /// Creates a transport that sends all requests to another address.
    pub(super) fn to(client: Client, address: Url) -> Self {
        Self { client, instead: Some(address) }
    }

    fn url(&self, url: &Url) -> Result<Url> {
        let Some(address) = &self.instead else { return Ok(url.clone()) };
        address.join(url.path()).map_err(|error| Error::new(ErrorKind::Other, error))
    }
}

#[async_trait]
impl HttpClient for TokenTransport {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let method = Method::from_bytes(request.method().as_str().as_bytes())
            .map_err(|error| Error::new(ErrorKind::Other, error))?;
        let mut outgoing = self.client.request(method, self.url(request.url())?);
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            outgoing = outgoing.body(bytes.clone());
        }
        let answer = exchange(Call::to(Service::Entra), outgoing, MOST_BYTES)
            .await
            .map_err(|lost| Error::new(ErrorKind::Io, lost))?;
        let mut headers = Headers::new();
        for (name, value) in answer.headers {
            headers.insert(name, value);
        }
        Ok(AsyncRawResponse::from_bytes(answer.status.into(), headers, answer.body))
    }
}
