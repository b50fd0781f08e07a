//! The transport of `azure_identity`: our client, with our timeouts and without redirects.
//!
//! Without a transport it panics at construction, because its default features are off.

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

/// The largest answer that is read, in bytes; a token has a few thousand.
const MOST_BYTES: usize = 64 << 10;

/// `azure_core`'s transport over the one client.
#[derive(Debug)]
pub(super) struct TokenTransport {
    client: Client,
    /// The address of all requests instead of the original: `azure_identity` supports only https, and services on this
    /// machine have none.
    instead: Option<Url>,
}

impl TokenTransport {
    pub(super) fn new(client: Client) -> Self {
        Self { client, instead: None }
    }

    /// A transport that sends everything to another address.
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
