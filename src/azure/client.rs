//! The only HTTP client of the process. It reuses connections, never follows redirects, never uses a proxy, and reads
//! answers up to a limit.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimePrinter;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, header::HeaderMap, redirect};
use rustls::crypto::ring;
use tenantry_core::steps::retry_after;

use super::call::{Call, ended};
use crate::ports::{Clock as _, SystemClock};

/// The timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Begins a client with the process's implementation of cryptography, without which reqwest can't set TLS up.
///
/// It is ring: with the alternative of rustls, aws-lc-rs, a release build takes a sixth more processor time (443 s
/// instead of 380 s).
pub fn builder() -> ClientBuilder {
    // An error says that another client was built before, with the same implementation.
    let _ = ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "the implementation of cryptography is set")]
    Client::builder()
}

/// Builds the client. Each request ends within `timeout`, including the time to read the answer.
///
/// # Errors
/// When the client can't be built, for example because TLS can't be set up.
pub fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .user_agent(concat!("tenantry/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .build()
}

/// An answer that was read completely.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The headers as pairs of a lower-case name and a value; a value that is not text is left out.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// How long the service asks to wait, in any of the headers that Azure's services use for it.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let header =
            |name: &str| self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        retry_after(|name| header(name).map(String::as_str))
    }
}

/// Why a request has no answer. The text of `reqwest` is left out because it repeats the URL, and a poll URL may
/// contain secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error("the service can't be reached")]
    NotSent,
    #[error("the service did not answer in time")]
    Late,
    #[error("the connection broke before the answer was whole")]
    Cut,
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
}

impl Lost {
    /// The reason, as the error type of a span.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not-sent",
            Self::Late => "timeout",
            Self::Cut => "connection-broke",
            Self::TooLarge(_) => "answer-too-large",
        }
    }

    fn why(error: &reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() {
            Self::NotSent
        } else if error.is_timeout() {
            Self::Late
        } else {
            Self::Cut
        }
    }
}

/// Sends a request and reads the answer, whose body has at most `most` bytes.
pub(super) async fn exchange(call: Call, request: RequestBuilder, most: usize) -> Result<Answer, Lost> {
    spanned(call, request, async |incoming| read(incoming, most).await).await
}

/// Sends a request and reads only the status and the headers of the answer.
pub(super) async fn head(call: Call, request: RequestBuilder) -> Result<(u16, HeaderMap), Lost> {
    let mut headers = HeaderMap::new();
    let answer = spanned(call, request, async |incoming| {
        headers = incoming.headers().clone();
        Ok(Answer { status: incoming.status().as_u16(), headers: Vec::new(), body: Vec::new() })
    });
    let status = answer.await?.status;
    Ok((status, headers))
}

/// Sends a request within a span. All requests to services are sent by this function.
async fn spanned(
    call: Call,
    request: RequestBuilder,
    take_in: impl AsyncFnOnce(Response) -> Result<Answer, Lost>,
) -> Result<Answer, Lost> {
    let (client, request) = request.build_split();
    let mut request = request.map_err(|error| Lost::why(&error))?;
    let mut span = call.begin(&mut request);
    let answer = span.around(async {
        let incoming = client.execute(request).await.map_err(|error| Lost::why(&error))?;
        take_in(incoming).await
    });
    let answer = answer.await;
    ended(&mut span, answer.as_ref());
    answer
}

async fn read(mut incoming: Response, most: usize) -> Result<Answer, Lost> {
    let status = incoming.status().as_u16();
    let named = incoming.headers().iter();
    let texts =
        named.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let mut headers: Vec<(String, String)> = texts.collect();
    // `Retry-After` may be a date, which is compared with the date of the answer. If the answer has none, the local
    // time is added.
    if !headers.iter().any(|(name, _)| name == "date") {
        let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&SystemClock.now());
        headers.extend(now.ok().map(|now| ("date".to_owned(), now)));
    }
    let mut body = Vec::new();
    while let Some(chunk) = incoming.chunk().await.map_err(|error| Lost::why(&error))? {
        if body.len() + chunk.len() > most {
            return Err(Lost::TooLarge(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}
