//! The transport for all requests to ARM, Graph and Event Grid, of Azure or of a simulated Azure.
//!
//! A token is sent only to the host that it is meant for: a poll URL on another host is refused before anything is
//! sent, and redirects are not followed. A request ends within the timeout, including the waits for a token and for the
//! throttle, because the lease on the tenant lasts only so long.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{Client, RequestBuilder, Url, header};
use serde_json::Value;
use tenantry_core::{
    steps::{Api, Failure, Method, REFUSED_URL, Reply, Request},
    tenant::{Cause, FailureClass},
};
use tokio::time::Instant;

use super::{
    call::{Call, Service},
    client::{Answer, Lost, client, exchange},
    throttle::Throttle,
    token::{Audience, Token, Tokens},
};
use crate::{
    ports::Transport,
    telemetry::{Trace, fresh},
};

/// The largest answer that is read, in bytes; a page of an ARM list is far smaller.
const MAX_REPLY_BYTES: usize = 4 << 20;

/// The addresses of the services.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Azure Resource Manager, e.g. `https://management.azure.com`.
    pub arm: Url,
    /// Microsoft Graph, e.g. `https://graph.microsoft.com`.
    pub graph: Url,
    /// The Event Grid topic's host; `None` if events are published elsewhere.
    pub event_grid: Option<Url>,
}

impl Hosts {
    fn of(&self, api: Api) -> Option<&Url> {
        match api {
            Api::Arm => Some(&self.arm),
            Api::Graph => Some(&self.graph),
            Api::EventGrid => self.event_grid.as_ref(),
        }
    }
}

/// A transport on top of the program's one HTTP client.
pub struct HttpTransport {
    client: Client,
    hosts: Hosts,
    tokens: Arc<Tokens>,
    /// The identity that deletes in Azure Resource Manager, if that is not the one of `tokens`.
    remover: Option<Arc<Tokens>>,
    /// `None` for services without limits, such as a simulated Azure.
    throttle: Option<Throttle>,
    timeout: Duration,
}

impl HttpTransport {
    /// Creates a transport to the given hosts; `timeout` bounds a whole request.
    pub fn new(client: Client, hosts: Hosts, tokens: Arc<Tokens>, timeout: Duration) -> Self {
        Self { client, hosts, tokens, remover: None, throttle: None, timeout }
    }

    /// Creates a transport to a simulated Azure, which serves everything at one address and accepts any token.
    ///
    /// # Errors
    /// When the HTTP client can't be built.
    pub fn simulated(url: &Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let hosts = Hosts { arm: url.clone(), graph: url.clone(), event_grid: Some(url.clone()) };
        Ok(Self::new(client(timeout)?, hosts, Arc::new(Tokens::fixed("simulated")), timeout))
    }

    /// Uses another identity to delete and purge in Azure Resource Manager. Objects in Graph are still deleted with the
    /// identity that created them: under `Application.ReadWrite.OwnedBy`, Entra lets no other identity delete an
    /// application.
    #[must_use]
    pub fn remover(mut self, tokens: Arc<Tokens>) -> Self {
        self.remover = Some(tokens);
        self
    }

    /// Keeps requests within the limits that the throttle knows.
    #[must_use]
    pub fn throttled(mut self, throttle: Throttle) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// The whole URL of a request.
    ///
    /// # Errors
    /// A [`Failure`] when the URL is not on the service's own host, or when the path would be changed by parsing.
    fn url(&self, request: &Request) -> Result<Url, Failure> {
        let host = self.hosts.of(request.api);
        let host = host.ok_or_else(|| refused("this deployment has no such service".to_owned()))?;
        // Whether the path was built by this program, and is not a URL from a service. A path that begins with `//`
        // would name a host.
        let ours = request.path.starts_with('/') && !request.path.starts_with("//");
        let url = host.join(&request.path).map_err(|error| {
            let message = format!("a bad URL: {error}");
            if ours { refused(message) } else { not_followed(message) }
        })?;
        if url.origin() != host.origin() {
            return Err(not_followed("the service gave a URL on another host; it was not followed"));
        }
        // A path that this program built must reach the service unchanged: a parser that resolves `..` would address
        // another resource than the one that was checked.
        if ours && !is_normal(&request.path, &url) {
            return Err(refused(
                "the path would not reach the service unchanged; it was not sent".to_owned(),
            ));
        }
        Ok(url)
    }

    fn outgoing(&self, request: &Request, url: Url, token: &Token) -> RequestBuilder {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = self.client.request(method, url).bearer_auth(token.expose());
        for (name, value) in identification(request.api) {
            outgoing = outgoing.header(name, value);
        }
        if let Some(body) = &request.body {
            let typed = request.headers.iter().any(|(name, _)| *name == "content-type");
            if !typed {
                outgoing = outgoing.header(header::CONTENT_TYPE, "application/json");
            }
            outgoing = outgoing.body(body.to_string());
        } else if request.mutates() {
            outgoing = outgoing.header(header::CONTENT_LENGTH, 0);
        }
        request.headers.iter().fold(outgoing, |outgoing, (name, value)| outgoing.header(*name, value))
    }

    /// Waits for the throttle and a token, and builds the request.
    async fn ready(&self, request: &Request, tokens: &Tokens) -> Result<RequestBuilder, Failure> {
        let url = self.url(request)?;
        if let Some(throttle) = &self.throttle {
            throttle.admit(request).await?;
        }
        let token = tokens.token(audience(request.api)).await?;
        Ok(self.outgoing(request, url, &token))
    }

    async fn exchange(&self, request: Request) -> Result<Reply, Failure> {
        let begun = Instant::now();
        let Some(remover) = &self.remover else {
            return self.exchange_as(&request, &self.tokens, begun).await;
        };
        if deletes(&request) {
            return self.exchange_as(&request, remover, begun).await;
        }
        let reply = self.exchange_as(&request, &self.tokens, begun).await?;
        // Only the identity that started an operation may poll it, and the URL does not say which identity that was.
        if reply.status == 403 && is_poll(&request) {
            let names_a_right = |reply: &Reply| {
                reply.body.pointer("/error/code").is_some_and(|code| code == "AuthorizationFailed")
            };
            let other = self.exchange_as(&request, remover, begun).await?;
            return Ok(if other.status == 403 && names_a_right(&reply) { reply } else { other });
        }
        Ok(reply)
    }

    /// Sends a request with the tokens of one identity. The timeout is counted from `begun`.
    async fn exchange_as(
        &self,
        request: &Request,
        tokens: &Tokens,
        begun: Instant,
    ) -> Result<Reply, Failure> {
        let late = || Failure::not_sent("a token or the throttle took too long");
        let left = || self.timeout.saturating_sub(begun.elapsed());
        let outgoing =
            tokio::time::timeout(left(), self.ready(request, tokens)).await.map_err(|_| late())??;
        let call = Call::to(service(request.api));
        let answered = exchange(call, outgoing.timeout(left()), MAX_REPLY_BYTES).await;
        let reply = answered.map_err(lost).and_then(read);
        if let Some(throttle) = &self.throttle {
            throttle.learn(request, reply.as_ref().ok());
        }
        reply
    }
}

/// Whether a request deletes something in Azure Resource Manager.
fn deletes(request: &Request) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    request.api == Api::Arm
        && (request.method == Method::Delete || (request.method == Method::Post && path.ends_with("/purge")))
}

/// Whether a request polls an operation, at a whole URL that Azure Resource Manager returned.
fn is_poll(request: &Request) -> bool {
    request.api == Api::Arm
        && request.method == Method::Get
        && !request.list
        && !request.path.starts_with('/')
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(self.exchange(request))
    }
}

fn audience(api: Api) -> Audience {
    match api {
        Api::Arm => Audience::Arm,
        Api::Graph => Audience::Graph,
        Api::EventGrid => Audience::EventGrid,
    }
}

/// The service that the telemetry of a request names.
pub(super) fn service(api: Api) -> Service {
    match api {
        Api::Arm => Service::Arm,
        Api::Graph => Service::Graph,
        Api::EventGrid => Service::EventGrid,
    }
}

/// The headers with the ids by which Azure's own logs refer to a request. Sources: Microsoft, "Common request headers"
/// of ARM and "Best practices for working with Microsoft Graph".
fn identification(api: Api) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let id = fresh().to_string();
    headers.push((if api == Api::Graph { "client-request-id" } else { "x-ms-client-request-id" }, id));
    if let Some(trace) = Trace::current().filter(|_| api == Api::Arm) {
        headers.push(("x-ms-correlation-request-id", trace.id().to_string()));
    }
    headers
}

fn read(Answer { status, headers, body }: Answer) -> Result<Reply, Failure> {
    let body = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(_) if body.is_empty() || !(200..300).contains(&status) => Value::Null,
        Err(_) => return Err(Failure::nonsense("the answer is not JSON")),
    };
    Ok(Reply { status, headers: headers.into_iter().collect(), body })
}

/// The failure of a request without a usable answer: it was not sent, may have been carried out, or its answer is too
/// large.
fn lost(lost: Lost) -> Failure {
    match lost {
        Lost::NotSent => Failure::not_sent(lost.to_string()),
        Lost::Late | Lost::Cut => Failure::ambiguous(lost.to_string()),
        Lost::TooLarge(_) => Failure::nonsense(lost.to_string()),
    }
}

/// Whether parsing a path as a URL has changed nothing. An apostrophe within a query becomes `%27`, which servers read
/// as the same character.
fn is_normal(path: &str, url: &Url) -> bool {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| query.replace('\'', "%27"));
    url.path() == path && url.query() == query.as_deref() && url.fragment().is_none()
}

/// The failure for a URL from a service that is not used. It is retryable, because the next answer may have a better
/// URL.
fn not_followed(message: impl Into<String>) -> Failure {
    Cause::ours(FailureClass::Transient, REFUSED_URL, message).into()
}

fn refused(message: String) -> Failure {
    Cause::ours(FailureClass::Permanent, REFUSED_URL, message).into()
}
