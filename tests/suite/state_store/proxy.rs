//! A proxy in front of Azurite that can drop, delay or replace each request and answer.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// What happens to one request and its answer.
#[derive(Clone)]
pub(crate) enum Fate {
    /// The request and its answer arrive.
    Arrives,
    /// The request does not arrive.
    Lost,
    /// The request arrives, but its answer does not.
    Unanswered,
    /// The request arrives, and its answer is replaced by one without content.
    Garbled,
    /// The proxy answers with this status line and these headers; the request does not arrive.
    Replaced(&'static str),
    /// The request arrives when the semaphore has a permit.
    Held(Arc<Semaphore>),
    /// The request arrives. When the semaphore has a permit, the connection is closed without an answer.
    UnansweredAfter(Arc<Semaphore>),
}

/// A request that has reached the proxy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// Method and table, for example `PUT tenants`.
    pub(crate) what: String,
    pub(crate) query: String,
    pub(crate) if_match: Option<String>,
}

type Fates = dyn Fn(usize, &Seen) -> Fate + Send + Sync;

/// A proxy on a free port, which records all requests.
pub(crate) struct Proxy {
    pub(crate) url: reqwest::Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Proxy {
    /// Starts a proxy to a service. `fates` is called for each request, with the request's number, which starts at 1.
    pub(crate) async fn to(
        service: &reqwest::Url,
        fates: impl Fn(usize, &Seen) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let service = format!("{}:{}", service.host_str().unwrap(), service.port().unwrap());
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (noted, fates): (_, Arc<Fates>) = (Arc::clone(&seen), Arc::new(fates));
        let server = tokio::spawn(async move {
            loop {
                let (end, _) = listener.accept().await.unwrap();
                tokio::spawn(handle(end, service.clone(), Arc::clone(&noted), Arc::clone(&fates)));
            }
        });
        Self { url, seen, server }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Method and table of all requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.what).collect()
    }
}

/// Handles one request. Each connection is used once.
async fn handle(mut end: TcpStream, service: String, noted: Arc<Mutex<Vec<Seen>>>, fates: Arc<Fates>) {
    let Some(request) = read_request(&mut end).await else { return };
    let seen = parse(&request);
    let number = {
        let mut noted = noted.lock().unwrap();
        noted.push(seen.clone());
        noted.len()
    };
    match fates(number, &seen) {
        Fate::Arrives => end.write_all(&deliver(&service, &request).await).await.unwrap_or_default(),
        Fate::Lost => {}
        Fate::Unanswered => drop(deliver(&service, &request).await),
        Fate::Garbled => {
            drop(deliver(&service, &request).await);
            reply(&mut end, "204 No Content").await;
        }
        Fate::Replaced(head) => reply(&mut end, head).await,
        Fate::Held(gate) => {
            gate.acquire().await.unwrap().forget();
            end.write_all(&deliver(&service, &request).await).await.unwrap_or_default();
        }
        Fate::UnansweredAfter(gate) => {
            drop(deliver(&service, &request).await);
            gate.acquire().await.unwrap().forget();
        }
    }
}

async fn reply(end: &mut TcpStream, head: &str) {
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    end.write_all(answer.as_bytes()).await.unwrap_or_default();
}

/// Reads a whole request, and adds the header `Connection: close`.
async fn read_request(end: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if end.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let length = header(&text, "content-length").map_or(0, |length| length.parse().unwrap());
        while bytes.len() < head + 4 + length {
            end.read_buf(&mut bytes).await.ok().filter(|read| *read > 0)?;
        }
        return Some([text.as_bytes(), b"\r\nConnection: close", &bytes[head..]].concat());
    }
}

async fn deliver(service: &str, request: &[u8]) -> Vec<u8> {
    let mut there = TcpStream::connect(service).await.unwrap();
    there.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    there.read_to_end(&mut answer).await.unwrap();
    answer
}

fn parse(request: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(request);
    let mut parts = text.split_whitespace();
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let name = path.rsplit('/').next().unwrap_or_default().split(['(', '?']).next().unwrap_or_default();
    // The prefix of a test's tables ends with `x` and a number; the table's name follows.
    let table = name
        .split_once('x')
        .map_or(name, |(_, table)| table)
        .trim_start_matches(|c: char| c.is_ascii_digit());
    Seen {
        what: format!("{method} {table}"),
        query: path.split_once('?').map_or("", |(_, query)| query).to_owned(),
        if_match: header(&text, "if-match"),
    }
}

fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.lines().skip(1).take_while(|line| !line.is_empty());
    let mut headers = lines.filter_map(|line| line.split_once(": "));
    headers.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
}

/// Waits until `condition` returns true; `what` names it if it never does.
pub(crate) async fn reached(what: &str, mut condition: impl FnMut() -> bool) {
    crate::testkit::until(what, || {
        let holds = condition();
        let checked: BoxFuture<'static, _> =
            Box::pin(async move { if holds { Ok(()) } else { Err(serde_json::Value::Null) } });
        checked
    })
    .await;
}
