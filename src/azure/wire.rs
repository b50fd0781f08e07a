//! The one HTTP client: every request to ARM, Graph and Event Grid goes through here, in Azure and on a laptop.
//!
//! A token goes only to the host that it is meant for: a poll URL elsewhere is refused before anything is sent, and
//! redirects are not followed.

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, Url, header};
use serde_json::Value;

use super::client::{Answer, Lost, client, exchange};
use crate::{
    ports::Wire,
    steps::{Api, Failure, Method, REFUSED_URL, Reply, Request},
    tenant::{Cause, FailureClass},
};

/// The largest answer that is read, in bytes; ARM's lists stay far below.
const MAX_REPLY_BYTES: usize = 4 << 20;

/// Where the services are.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Azure Resource Manager, e.g. `https://management.azure.com`.
    pub arm: Url,
    /// Microsoft Graph, e.g. `https://graph.microsoft.com`.
    pub graph: Url,
    /// The Event Grid topic's host.
    pub event_grid: Url,
}

impl Hosts {
    /// All services at one address, as the simulated Azure has them.
    pub fn all_at(url: &Url) -> Self {
        Self { arm: url.clone(), graph: url.clone(), event_grid: url.clone() }
    }

    fn of(&self, api: Api) -> &Url {
        match api {
            Api::Arm => &self.arm,
            Api::Graph => &self.graph,
            Api::EventGrid => &self.event_grid,
        }
    }
}

/// The wire over `reqwest`.
pub struct HttpWire {
    client: Client,
    hosts: Hosts,
    /// The bearer token of the simulated Azure, which takes any.
    token: String,
}

impl HttpWire {
    /// A wire to the given hosts; `timeout` bounds a whole request.
    ///
    /// # Errors
    /// When no client can be made, for example because TLS can't be set up.
    pub fn new(hosts: Hosts, token: impl Into<String>, timeout: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client(timeout)?, hosts, token: token.into() })
    }

    /// The whole URL, on the service's own host or not at all.
    fn url(&self, request: &Request) -> Result<Url, Failure> {
        let host = self.hosts.of(request.api);
        let url = host.join(&request.path).map_err(|error| refused(format!("a bad URL: {error}")))?;
        if url.origin() != host.origin() {
            return Err(refused("the service gave a URL on another host; it was not followed".to_owned()));
        }
        Ok(url)
    }

    async fn exchange(&self, request: Request) -> Result<Reply, Failure> {
        let url = self.url(&request)?;
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = &request.body {
            let typed = request.headers.iter().any(|(name, _)| *name == "content-type");
            if !typed {
                outgoing = outgoing.header(header::CONTENT_TYPE, "application/json");
            }
            outgoing = outgoing.body(body.to_string());
        } else if request.mutates() {
            outgoing = outgoing.header(header::CONTENT_LENGTH, 0);
        }
        for (name, value) in &request.headers {
            outgoing = outgoing.header(*name, value);
        }
        read(exchange(outgoing, MAX_REPLY_BYTES).await.map_err(lost)?)
    }
}

impl Wire for HttpWire {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(self.exchange(request))
    }
}

fn read(Answer { status, headers, body }: Answer) -> Result<Reply, Failure> {
    let body = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(_) if body.is_empty() || !(200..300).contains(&status) => Value::Null,
        Err(_) => return Err(Failure::nonsense("the answer is not JSON")),
    };
    Ok(Reply { status, headers: headers.into_iter().collect(), body })
}

/// No answer: certainly not sent, or nobody knows.
fn lost(lost: Lost) -> Failure {
    match lost {
        Lost::NotSent => Failure::not_sent(lost.to_string()),
        Lost::Late | Lost::Cut => Failure::ambiguous(lost.to_string()),
        Lost::TooLarge(_) => Failure::nonsense(lost.to_string()),
    }
}

fn refused(message: String) -> Failure {
    Cause::ours(FailureClass::Permanent, REFUSED_URL, message).into()
}
