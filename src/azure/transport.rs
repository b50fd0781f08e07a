//! The transport that `azure_identity` sends with: our client, so that time limits and redirects are ours.
//!
//! Without one it panics at construction, since the default features are off.

use async_trait::async_trait;
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, Body, HttpClient, Request, headers::Headers},
};
use reqwest::{Client, Method};

/// The largest answer that is read, in bytes; a token has some thousand.
const MOST_BYTES: usize = 64 << 10;

/// `azure_core`'s transport over the one client.
#[derive(Debug)]
pub(super) struct TokenTransport {
    client: Client,
}

impl TokenTransport {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl HttpClient for TokenTransport {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        let broken = |what: &'static str| Error::with_message(ErrorKind::Other, what);
        let method = Method::from_bytes(request.method().as_str().as_bytes());
        let method = method.map_err(|_| broken("the method is not one of HTTP's"))?;
        let mut outgoing = self.client.request(method, request.url().clone());
        for (name, value) in request.headers().iter() {
            outgoing = outgoing.header(name.as_str(), value.as_str());
        }
        if let Body::Bytes(bytes) = request.body() {
            outgoing = outgoing.body(bytes.clone());
        }
        // The causes are left out: an address may carry what does not belong into a log.
        let unreachable = |_| Error::with_message(ErrorKind::Io, "the identity endpoint can't be reached");
        let mut incoming = outgoing.send().await.map_err(unreachable)?;
        let status = incoming.status().as_u16().into();
        let mut headers = Headers::new();
        for (name, value) in incoming.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = incoming.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(broken("the identity endpoint's answer is too large"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, bytes))
    }
}
