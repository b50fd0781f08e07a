//! The encoding of values in an envelope, with the real host's oddities.
//!
//! Source: azure-functions-host, `ScriptInvocationContextExtensions` (encoding) and `Utility.ApplyBindingData` (members
//! of a JSON body leak into the metadata unless the trigger is binary).

use azure_sim::queue::Delivery;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::app::{Binding, FunctionFile};

/// Text and numbers become a JSON literal inside a JSON string.
pub(super) fn literal(value: impl Into<Value>) -> Value {
    Value::String(value.into().to_string())
}

/// An instant to the whole second, without an offset.
fn utc(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// An instant to the whole second, with an offset.
fn offset(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}

/// An instant inside an object, which keeps its fraction.
pub(super) fn precise(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.7f+00:00").to_string()
}

/// A random id for the host's protocol.
#[expect(clippy::disallowed_methods, reason = "invocation ids and sys.RandGuid are random by protocol")]
pub(super) fn random_guid() -> Uuid {
    Uuid::new_v4()
}

/// The member `sys`, which is different in every request.
pub(super) fn sys(function: &FunctionFile, now: Timestamp) -> Value {
    json!({
        "MethodName": function.name,
        "UtcNow": now.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string(),
        "RandGuid": random_guid().to_string(),
    })
}

/// The value of a Service Bus trigger.
pub(super) fn body(trigger: &Binding, body: &[u8]) -> Value {
    if trigger.is_binary() {
        json!(BASE64_STANDARD.encode(body))
    } else {
        literal(String::from_utf8_lossy(body).into_owned())
    }
}

/// The metadata of a Service Bus message.
pub(super) fn message_metadata(
    function: &FunctionFile,
    delivery: &Delivery,
    now: Timestamp,
) -> Map<String, Value> {
    let message = &delivery.message;
    // The default time to live of a queue that was created in the portal.
    let expires =
        message.enqueued_at.checked_add(SignedDuration::from_hours(14 * 24)).unwrap_or(Timestamp::MAX);
    let lock_token = Uuid::from_u64_pair(message.sequence, delivery.token.number()).to_string();
    let actions = message
        .session_id
        .as_ref()
        .map_or_else(|| json!({}), |_| json!({ "SessionLockedUntil": precise(delivery.locked_until) }));
    let mut metadata = Map::new();
    for name in ["MessageReceiver", "MessageSession", "MessageActions", "SessionActions"] {
        metadata.insert(name.to_owned(), actions.clone());
    }
    let members = [
        ("ReceiveActions", json!({})),
        ("Client", json!({ "FullyQualifiedNamespace": "localhost", "IsClosed": false, "TransportType": 0 })),
        ("DeliveryCount", literal(delivery.delivery_count)),
        ("LockToken", literal(lock_token)),
        ("ExpiresAtUtc", utc(expires)),
        ("ExpiresAt", offset(expires)),
        ("EnqueuedTimeUtc", utc(message.enqueued_at)),
        ("EnqueuedTime", offset(message.enqueued_at)),
        ("MessageId", literal(message.message_id.clone())),
        ("SequenceNumber", literal(message.sequence)),
        ("ApplicationProperties", json!(message.properties)),
        ("UserProperties", json!(message.properties)),
        ("sys", sys(function, now)),
    ];
    metadata.extend(members.map(|(name, value)| (name.to_owned(), value)));
    let optional = [
        ("ContentType", &message.content_type),
        ("CorrelationId", &message.correlation_id),
        ("SessionId", &message.session_id),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), literal(value.clone()));
        }
    }
    if !function.trigger().is_binary() {
        leak(&mut metadata, &message.body);
    }
    metadata
}

/// The metadata of a message that was never in the broker because its function was invoked by hand: its text under the
/// binding's name, and the rest as in an empty .NET message.
pub(super) fn metadata_by_hand(function: &FunctionFile, input: &str, now: Timestamp) -> Map<String, Value> {
    const LAST: &str = "9999-12-31T23:59:59";
    const FIRST: &str = "0001-01-01T00:00:00";
    let members = [
        ("DeliveryCount", literal(0)),
        ("LockToken", literal(Uuid::nil().to_string())),
        ("ExpiresAtUtc", json!(LAST)),
        ("ExpiresAt", json!(format!("{LAST}+00:00"))),
        ("EnqueuedTimeUtc", json!(FIRST)),
        ("EnqueuedTime", json!(format!("{FIRST}+00:00"))),
        ("SequenceNumber", literal(-1)),
        ("ApplicationProperties", json!({})),
        ("UserProperties", json!({})),
        (function.trigger().name.as_str(), literal(input)),
        ("sys", sys(function, now)),
    ];
    let mut metadata = Map::from_iter(members.map(|(name, value)| (name.to_owned(), value)));
    if !function.trigger().is_binary() {
        leak(&mut metadata, input.as_bytes());
    }
    metadata
}

/// Copies the members of a JSON object over the metadata, ignoring case, as the host does for text.
pub(super) fn leak(metadata: &mut Map<String, Value>, body: &[u8]) {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return };
    for (name, value) in members {
        let value = match value {
            Value::Null | Value::Array(_) => continue,
            Value::Object(_) => value,
            Value::Bool(flag) => literal(if flag { "True" } else { "False" }),
            Value::Number(number) => literal(number.to_string()),
            Value::String(text) => literal(dotnet_date(&text).unwrap_or(text)),
        };
        let key = metadata.keys().find(|key| key.eq_ignore_ascii_case(&name)).cloned();
        metadata.insert(key.unwrap_or(name), value);
    }
}

/// A text in the form of an ISO date, in .NET's invariant form, in UTC.
fn dotnet_date(text: &str) -> Option<String> {
    let at = iso_date(text)?;
    Some(at.strftime("%m/%d/%Y %H:%M:%S").to_string())
}

/// Newtonsoft parses a text as a date when it has a time part.
pub(super) fn iso_date(text: &str) -> Option<Timestamp> {
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}
