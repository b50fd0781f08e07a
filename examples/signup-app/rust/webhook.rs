//! The webhook of an Event Grid subscription: it saves each event in a file before it answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Problem, setting, text};

const MOST_BYTES: usize = 1 << 20;
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// The received events, one a line in a file: each event once, and for each tenant the content of its newest event.
struct Notes {
    file: File,
    /// Source and id of each received event: an id is unique only within its source.
    seen: BTreeSet<(String, String)>,
    /// The state of each tenant, by the source of its events.
    tenants: BTreeMap<String, Tenant>,
}

struct Tenant {
    sequence: String,
    endpoint: String,
}

impl Notes {
    fn open(path: &str) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // An event whose line a crash has cut off was never answered, so Event Grid delivers it again.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let mut notes = Self { file, seen: BTreeSet::new(), tenants: BTreeMap::new() };
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            notes.apply(&serde_json::from_slice(line)?);
        }
        Ok(notes)
    }

    /// Saves all events or none, durably, and returns lines about the new ones.
    fn take(&mut self, events: &[Value]) -> io::Result<Vec<String>> {
        let mut lines = String::new();
        for event in events.iter().filter(|event| !self.seen.contains(&key(event))) {
            lines.push_str(&event.to_string());
            lines.push('\n');
        }
        let length = self.file.metadata()?.len();
        let noted = self.file.write_all(lines.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = noted {
            // An incomplete line would corrupt the next one.
            self.file.set_len(length)?;
            self.file.seek(SeekFrom::End(0))?;
            return Err(error);
        }
        Ok(events.iter().flat_map(|event| self.apply(event)).collect())
    }

    fn apply(&mut self, event: &Value) -> Vec<String> {
        let (id, tenant) = (text(event, "/id"), text(event, "/tenantid"));
        if !self.seen.insert(key(event)) {
            return vec![format!("again: {id}")];
        }
        let kind = text(event, "/type").trim_start_matches("io.tenantry.").trim_end_matches(".v1");
        let data = &event["data"];
        if matches!(kind, "tenant.request.rejected" | "message.rejected") {
            // A refusal is not part of a tenant's sequence: the tenant, if there is one, is unchanged.
            let faults = data["reasons"].as_array().into_iter().flatten();
            let faults: Vec<String> = faults
                .map(|fault| format!("{} {}", text(fault, "/pointer"), text(fault, "/message")))
                .collect();
            let (order, code) = (text(event, "/correlationid"), text(data, "/code"));
            return vec![format!("refused: {order} {code}: {}", faults.join("; "))];
        }
        let (status, sequence) = (text(data, "/status"), text(event, "/sequence"));
        if status.is_empty() || sequence.is_empty() {
            // The type of the event is newer than this program.
            return vec![format!("noted: {kind}")];
        }
        let before = self.tenants.get(text(event, "/source"));
        if before.is_some_and(|before| before.sequence.as_str() >= sequence) {
            return vec![format!("late: {id} {kind}")];
        }
        let given = text(data, "/outputs/endpointUrl");
        let known = before.map(|before| before.endpoint.as_str()).unwrap_or_default();
        let endpoint = if given.is_empty() { known } else { given }.to_owned();
        let next = match text(data, "/error/message") {
            "" => String::new(),
            message => format!(": {message} Next: {}", text(data, "/error/nextAction")),
        };
        let mut lines = vec![format!("{tenant} is {status}{next}")];
        if kind == "tenant.provision.succeeded" {
            // The customer is informed once: here by a line, in production by a mail sent from the saved events.
            lines.push(format!("welcome {tenant}: {endpoint}"));
        }
        let newest = Tenant { sequence: sequence.to_owned(), endpoint };
        self.tenants.insert(text(event, "/source").to_owned(), newest);
        lines
    }
}

fn key(event: &Value) -> (String, String) {
    (text(event, "/source").to_owned(), text(event, "/id").to_owned())
}

/// Returns the events of a body with one event or a batch, or why it has neither. Unknown members are ignored.
fn events_in(parsed: Value) -> Result<Vec<Value>, &'static str> {
    let events = if let Value::Array(events) = parsed { events } else { vec![parsed] };
    let is_event = |event: &Value| {
        text(event, "/specversion") == "1.0"
            && ["/id", "/source", "/type"].iter().all(|name| !text(event, name).is_empty())
    };
    if events.iter().all(is_event) { Ok(events) } else { Err("not CloudEvents 1.0") }
}

struct Webhook {
    notes: Mutex<Notes>,
    keys: Vec<String>,
    origin: String,
}

impl Webhook {
    /// Whether the key in the address is valid. During a rotation two keys are valid, the old one and the new one.
    fn has_key(&self, uri: &Uri) -> bool {
        let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let code = pairs.filter(|(name, _)| *name == "code").map(|(_, code)| code).next().unwrap_or_default();
        let given = Sha256::digest(percent_decode_str(code).decode_utf8_lossy().as_bytes());
        // Digests are compared, so that the duration reveals nothing about the key.
        self.keys.is_empty() || self.keys.iter().any(|key| Sha256::digest(key) == given)
    }
}

/// The handshake of CloudEvents: allows the one expected origin to send events, never `*`.
async fn handshake(State(webhook): State<Arc<Webhook>>, uri: Uri, headers: HeaderMap) -> Response {
    if !webhook.has_key(&uri) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if headers.get("WebHook-Request-Origin").is_none_or(|origin| origin != webhook.origin.as_str()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let granted = [
        ("WebHook-Allowed-Origin", webhook.origin.clone()),
        ("WebHook-Allowed-Rate", "120".to_owned()),
        ("Allow", "POST".to_owned()),
    ];
    (StatusCode::OK, granted).into_response()
}

async fn deliver(State(webhook): State<Arc<Webhook>>, uri: Uri, body: Bytes) -> Response {
    // The handshake does not authenticate the sender; the key in the address does.
    if !webhook.has_key(&uri) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let bad = |why: String| (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response();
    let parsed: Value = match serde_json::from_slice(&body) {
        Ok(parsed) => parsed,
        Err(error) => return bad(format!("no JSON: {error}")),
    };
    // The handshake of Event Grid's own schema is an array with one event. The answer repeats the event's code.
    if text(&parsed, "/0/eventType") == VALIDATION {
        let code = text(&parsed, "/0/data/validationCode");
        return Json(json!({"validationResponse": code})).into_response();
    }
    let events = match events_in(parsed) {
        Ok(events) => events,
        Err(why) => return bad(why.to_owned()),
    };
    let taken = webhook.notes.lock().unwrap_or_else(PoisonError::into_inner).take(&events);
    match taken {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            StatusCode::OK.into_response()
        }
        Err(error) => {
            eprintln!("not noted, so asked for again: {error}");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Runs the webhook until the process is stopped.
pub(super) async fn serve() -> Result<(), Problem> {
    let unusable = |why: String| Problem::Unusable(why);
    let listen = setting("WEBHOOK_LISTEN").unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let address: SocketAddr = listen.parse().map_err(|error| {
        unusable(format!("WEBHOOK_LISTEN is an address and a port, such as 127.0.0.1:8090: {error}"))
    })?;
    let keys = setting("WEBHOOK_KEY").unwrap_or_default();
    let keys: Vec<String> = keys.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    if keys.is_empty() && !address.ip().is_loopback() {
        let host = address.ip();
        return Err(unusable(format!(
            "WEBHOOK_KEY is not set: without it only this machine may be listened to, not {host}"
        )));
    }
    let path = setting("SIGNUPS_FILE").unwrap_or_else(|| "signups.jsonl".to_owned());
    let notes = Notes::open(&path).map_err(|error| unusable(format!("{path} can't be read: {error}")))?;
    let origin = setting("WEBHOOK_ORIGIN").unwrap_or_else(|| "eventgrid.azure.net".to_owned());
    let webhook = Arc::new(Webhook { notes: Mutex::new(notes), keys, origin });
    let app = Router::new()
        .route("/events", routing::post(deliver).options(handshake))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(webhook);
    let listening = async {
        let listener = tokio::net::TcpListener::bind(address).await?;
        println!("listening on http://{}/events", listener.local_addr()?);
        axum::serve(listener, app).await
    };
    listening.await.map_err(|error| unusable(format!("{address} can't be listened on: {error}")))
}
