//! The Service Bus namespace: accepts messages for its queues and its one topic. The Functions host receives them.
//!
//! Where Microsoft's pages do not say whether the service accepts something, this one refuses it.
//!
//! # Caveats
//! - A message for a queue is durable in the queue's own file before it is in the journal: a crash in between, or a
//!   caller that hangs up, leaves a message without a line.
//! - The local broker supports neither labels nor times to live: a queue's message loses them, a topic's is shown
//!   completely.
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

/// The name of the one Service Bus topic, which events are sent to.
pub const TOPIC: &str = "tenant-events";
/// The largest message of the Standard tier, properties included.
const MOST_BYTES: usize = 256 << 10;
/// RFC 1123, as in the documented example.
const TIME: &str = "%a, %d %b %Y %H:%M:%S GMT";
/// First segments of other services' paths.
const OTHERS: [&str; 7] = ["subscriptions", "providers", "tenants", "v1.0", "api", "msi", "_sim"];
/// Headers that are not properties of the message although their values could be parsed as such.
const PLAIN: [&str; 5] = ["content-length", "age", "max-forwards", "if-match", "if-none-match"];

/// The header `BrokerProperties`; other members are ignored, as documented.
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
    /// In seconds.
    time_to_live: Option<f64>,
    scheduled_enqueue_time_utc: Option<String>,
}

/// A parsed and checked message.
struct Message {
    broker: BrokerProperties,
    enqueue_at: Option<Timestamp>,
    properties: BTreeMap<String, Value>,
    content_type: Option<String>,
}

/// The queue or topic of a path; none if it is another service's.
pub(crate) fn entity(path: &str) -> Option<&str> {
    let (entity, rest) = path.strip_prefix('/')?.split_once('/')?;
    let messages = rest == "messages" || rest.starts_with("messages/");
    (messages && !entity.is_empty() && !OTHERS.contains(&entity)).then_some(entity)
}

/// Whether a request is for the topic, whose messages are in the state file.
pub(crate) fn is_for_topic(call: &Call) -> bool {
    entity(&call.path) == Some(TOPIC)
}

/// Accepts a message for the topic.
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

/// Accepts a message for a queue.
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
        // The last one concerns receivers only.
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

/// The sender's own properties: each a header whose value is a JSON literal, a text in quotes.
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
            // Not a literal, so an ordinary header.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(found)
}

/// Parses an instant in the documented form only; a wrong day of the week is another form.
fn instant(text: &str) -> Option<Timestamp> {
    let parsed = strtime::parse(TIME, text).ok()?.to_datetime().ok()?;
    let at = parsed.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (at.strftime(TIME).to_string() == text).then_some(at)
}

/// A message of a queue, as tests see it.
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

/// A body: as JSON if it is, else as text, else as its length in bytes.
fn shown(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| match std::str::from_utf8(body) {
        Ok(text) => json!(text),
        Err(_) => json!({ "bytes": body.len() }),
    })
}

/// The tenant of a message: a wake-up and a request name it, an event does so in its attributes.
fn tenant_of(body: &[u8]) -> Option<String> {
    let body: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let named = body.get("tenantId").and_then(Value::as_str).map(str::to_owned);
    named.or_else(|| events::tenant_of(&body))
}
