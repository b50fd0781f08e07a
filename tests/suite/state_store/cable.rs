//! A cable to Azurite that can be cut, held or spoken into, one request at a time.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// What becomes of one request.
#[derive(Clone)]
pub(crate) enum Fate {
    /// It arrives, and so does its answer.
    Arrives,
    /// It does not arrive.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
    /// It arrives, and its answer can't be understood.
    Garbled,
    /// Somebody else answers in the service's place: the status line and the headers.
    Spoken(&'static str),
    /// It waits until it is let go, then arrives.
    Held(Arc<Semaphore>),
    /// It arrives, the answer waits until it is let go, and is lost then.
    UnansweredAfter(Arc<Semaphore>),
}

/// A request as it went by: its method, what is asked for, the query as it is written, and its condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// E.g. `PUT tenants`.
    pub(crate) what: String,
    pub(crate) query: String,
    pub(crate) if_match: Option<String>,
}

type Fates = dyn Fn(usize, &Seen) -> Fate + Send + Sync;

/// A cable with a place of its own on this machine.
pub(crate) struct Cable {
    pub(crate) url: reqwest::Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    carrier: JoinHandle<()>,
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Cable {
    /// A cable to a service; the fate of each request is asked for with its number, from 1.
    pub(crate) async fn to(
        service: &reqwest::Url,
        fates: impl Fn(usize, &Seen) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let service = format!("{}:{}", service.host_str().unwrap(), service.port().unwrap());
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (noted, fates): (_, Arc<Fates>) = (Arc::clone(&seen), Arc::new(fates));
        let carrier = tokio::spawn(async move {
            loop {
                let (end, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(end, service.clone(), Arc::clone(&noted), Arc::clone(&fates)));
            }
        });
        Self { url, seen, carrier }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What all requests so far asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.what).collect()
    }
}

/// Carries one request and its answer; a connection is used once.
async fn carry(mut end: TcpStream, service: String, noted: Arc<Mutex<Vec<Seen>>>, fates: Arc<Fates>) {
    let Some(request) = read_request(&mut end).await else { return };
    let seen = look(&request);
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
            speak(&mut end, "204 No Content").await;
        }
        Fate::Spoken(head) => speak(&mut end, head).await,
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

async fn speak(end: &mut TcpStream, head: &str) {
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    end.write_all(answer.as_bytes()).await.unwrap_or_default();
}

/// A whole request, with the wish that the connection is closed after its answer.
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

fn look(request: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(request);
    let mut words = text.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let name = path.rsplit('/').next().unwrap_or_default().split(['(', '?']).next().unwrap_or_default();
    // The tables of a test begin with what tells it from others, up to the `x`.
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

/// Looks at something until it is as wanted.
pub(crate) async fn reached(what: &str, mut look: impl FnMut() -> bool) {
    crate::testkit::until(what, || {
        let so_far = look();
        let looked: BoxFuture<'static, _> =
            Box::pin(async move { if so_far { Ok(()) } else { Err(serde_json::Value::Null) } });
        looked
    })
    .await;
}
