//! The Service Bus namespace: accepts messages for its queues and its one topic. Messages can't be received over HTTP:
//! the program that runs the simulated Azure reads the queues from their broker ([`crate::queue`]), and tests read the
//! topic at `/_sim/topics/`.
//!
//! Where Microsoft's pages do not say whether Service Bus accepts something, the simulated Service Bus refuses it.
//!
//! # Caveats
//! - A message for a queue is saved in the queues' own file before the journal entry is written: after a crash in
//!   between, or if the caller disconnects, the message has no journal entry.
//! - The broker of the queues supports neither labels nor times to live, so a message of a queue loses them. A message
//!   of the topic is stored completely.
//!
//! Source: Microsoft, Service Bus REST, "Send Message" and "Message headers and properties".

use std::collections::BTreeMap;

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    call::Call,
    error::CloudError,
    events,
    inner::Inner,
    queue::{NewMessage, QueueError, StoredMessage},
    reply::{Outcome, Reply, refuse},
    store::Change,
};

/// The name of the only Service Bus topic, which events are sent to.
pub const TOPIC: &str = "tenant-events";
/// The size of the largest message in the Standard tier of Service Bus, in bytes, including its properties.
const MOST_BYTES: usize = 256 << 10;
/// The format of times in `BrokerProperties`: that of RFC 1123, as in Microsoft's example.
const TIME: &str = "%a, %d %b %Y %H:%M:%S GMT";
/// The first segments of the paths of other services, which are not names of queues.
const OTHERS: [&str; 7] = ["subscriptions", "providers", "tenants", "v1.0", "api", "msi", "_sim"];
/// Usual HTTP headers whose values can be parsed as JSON literals. They are not properties of the message.
const PLAIN: [&str; 5] = ["content-length", "age", "max-forwards", "if-match", "if-none-match"];

/// The content of the header `BrokerProperties`. Unknown members are ignored, as Microsoft documents.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct BrokerProperties {
    message_id: Option<String>,
    session_id: Option<String>,
    partition_key: Option<String>,
    correlation_id: Option<String>,
    label: Option<String>,
    to: Option<String>,
    reply_to: Option<String>,
    reply_to_session_id: Option<String>,
    /// How long the message can be received, in seconds.
    time_to_live: Option<f64>,
    scheduled_enqueue_time_utc: Option<String>,
}

/// A message whose headers are parsed and checked; the body is in the request.
struct Message {
    broker: BrokerProperties,
    enqueue_at: Option<Timestamp>,
    properties: BTreeMap<String, Value>,
    content_type: Option<String>,
}

/// The name of the queue or topic in a path; `None` if the path is not one of Service Bus.
pub(crate) fn entity(path: &str) -> Option<&str> {
    let (entity, rest) = path.strip_prefix('/')?.split_once('/')?;
    let messages = rest == "messages" || rest.starts_with("messages/");
    (messages && !entity.is_empty() && !OTHERS.contains(&entity)).then_some(entity)
}

/// Whether a request is for the topic. Its messages are in the simulated Azure's state file, those of queues in the
/// broker.
pub(crate) fn is_for_topic(call: &Call) -> bool {
    entity(&call.path) == Some(TOPIC)
}

/// Accepts a message for the topic, and stores it in the state file.
pub(crate) fn publish(change: &mut Change<'_>, call: &Call) -> Outcome {
    let message = read(call)?;
    let broker = &message.broker;
    change.publish(&json!({
        "at": change.now,
        "messageId": broker.message_id,
        "sessionId": broker.session_id,
        "correlationId": broker.correlation_id,
        "label": broker.label,
        "to": broker.to,
        "replyTo": broker.reply_to,
        "replyToSessionId": broker.reply_to_session_id,
        "timeToLive": broker.time_to_live,
        "enqueueAt": message.enqueue_at,
        "properties": message.properties,
        "contentType": message.content_type,
        "body": shown(&call.body),
    }))?;
    Ok(taken(call))
}

/// Accepts a message for a queue, and sends it to the broker.
pub(crate) async fn enqueue(inner: &Inner, call: &Call) -> Outcome {
    let message = read(call)?;
    let name = entity(&call.path).unwrap_or_default();
    let Some(queue) = &inner.queue else { return unknown(name) };
    let new = NewMessage {
        message_id: message.broker.message_id,
        session_id: message.broker.session_id,
        body: call.body.clone(),
        properties: message.properties,
        content_type: message.content_type,
        correlation_id: message.broker.correlation_id,
        enqueue_at: message.enqueue_at,
    };
    match queue.send(name, new, (inner.now)()).await {
        Ok(_) => Ok(taken(call)),
        Err(QueueError::NoSuchQueue(name)) => unknown(&name),
        Err(QueueError::Storage(error)) => Err(CloudError::Db(error).into()),
        // `LockLost` concerns receivers only.
        Err(error @ (QueueError::SessionRequired(_) | QueueError::Refused { .. } | QueueError::LockLost)) => {
            refuse(400, "BadRequest", format!("{error}."))
        }
    }
}

fn unknown(name: &str) -> Outcome {
    refuse(410, "EntityNotFound", format!("The queue or topic '{name}' does not exist."))
}

fn taken(call: &Call) -> Reply {
    let reply = Reply::empty(201).of(tenant_of(&call.body));
    match call.header("content-type") {
        "" => reply,
        content_type => reply.with("Content-Type", content_type),
    }
}

fn read(call: &Call) -> Outcome<Message> {
    if call.method != "POST" || !call.path.ends_with("/messages") {
        return refuse(
            405,
            "MethodNotAllowed",
            "This Service Bus only takes messages, with POST to /messages.",
        );
    }
    let header = call.header("brokerproperties");
    let object = if header.is_empty() { Ok(Map::new()) } else { serde_json::from_str(header) };
    let broker: BrokerProperties = match object.and_then(|object| serde_json::from_value(object.into())) {
        Ok(broker) => broker,
        Err(why) => return refuse(400, "BadRequest", format!("BrokerProperties can't be read: {why}.")),
    };
    if let Some(key) = &broker.partition_key
        && broker.session_id.as_ref().is_some_and(|session| session != key)
    {
        return refuse(400, "BadRequest", "SessionId and PartitionKey must be the same when both are set.");
    }
    if broker.time_to_live.is_some_and(|seconds| seconds <= 0.0) {
        return refuse(400, "BadRequest", "TimeToLive is a positive number of seconds.");
    }
    let enqueue_at = match broker.scheduled_enqueue_time_utc.as_deref().map(|text| (text, instant(text))) {
        None => None,
        Some((_, Some(at))) => Some(at),
        Some((text, None)) => {
            let why = format!(
                "ScheduledEnqueueTimeUtc '{text}' is not in the documented form: Sun, 06 Nov 1994 08:49:37 GMT."
            );
            return refuse(400, "BadRequest", why);
        }
    };
    let properties = properties(call)?;
    let text = |name: &str| Some(call.header(name).to_owned()).filter(|text| !text.is_empty());
    let size = call.body.len() + header.len() + json!(properties).to_string().len();
    if size > MOST_BYTES {
        let why =
            format!("The message has {size} bytes with its properties, at most {MOST_BYTES} are taken.");
        return refuse(403, "MessageSizeExceeded", why);
    }
    Ok(Message { enqueue_at, properties, content_type: text("content-type"), broker })
}

/// The sender's own properties of a message: every header whose value is a JSON literal (a number, a Boolean or a
/// quoted text).
fn properties(call: &Call) -> Outcome<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for (name, value) in call.headers.iter().filter(|(name, _)| !PLAIN.contains(&name.as_str())) {
        match serde_json::from_str::<Value>(value) {
            Ok(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) => {
                found.insert(name.clone(), value);
            }
            Err(why) if value.starts_with('"') => {
                return refuse(400, "BadRequest", format!("The property '{name}' can't be read: {why}."));
            }
            // The value is not a JSON literal, so this is an ordinary header.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// Parses a time in the documented format; `None` for any other text, and for a wrong day of the week.
fn instant(text: &str) -> Option<Timestamp> {
    let parsed = strtime::parse(TIME, text).ok()?.to_datetime().ok()?;
    let at = parsed.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (at.strftime(TIME).to_string() == text).then_some(at)
}

/// A message of a queue as JSON, for the test endpoints.
pub(crate) fn show(message: &StoredMessage) -> Value {
    json!({
        "sequence": message.sequence,
        "messageId": message.message_id,
        "sessionId": message.session_id,
        "correlationId": message.correlation_id,
        "properties": message.properties,
        "contentType": message.content_type,
        "enqueuedAt": message.enqueued_at,
        "visibleAt": message.visible_at,
        "failures": message.failures,
        "body": shown(&message.body),
    })
}

/// The body of a message as JSON if it is JSON, else as a text, else as its length in bytes.
fn shown(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| match std::str::from_utf8(body) {
        Ok(text) => json!(text),
        Err(_) => json!({ "bytes": body.len() }),
    })
}

/// The tenant that a message is about: the member `tenantId` of a wake-up or a request, or the attribute of an event.
fn tenant_of(body: &[u8]) -> Option<String> {
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let named = body.get("tenantId").and_then(Value::as_str).map(str::to_owned);
    named.or_else(|| events::tenant_of(&body))
}
