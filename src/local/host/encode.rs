//! Encodes values in an envelope as the real host does, with its irregularities.
//!
//! Source: azure-functions-host, `ScriptInvocationContextExtensions` (encoding) and `Utility.ApplyBindingData` (members
//! of a JSON body leak into the metadata unless the trigger is binary).

use azure_sim::queue::Delivery;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::app::{Binding, FunctionFile};

/// Encodes a text or a number as the real host does: as a JSON string that contains the value's JSON.
pub(super) fn literal(value: impl Into<Value>) -> Value {
    Value::String(value.into().to_string())
}

/// Formats an instant to the whole second, without an offset.
fn utc(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Formats an instant to the whole second, with an offset.
fn offset(at: Timestamp) -> Value {
    json!(at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}

/// Formats an instant inside an object, where the real host keeps the fraction of the second.
pub(super) fn precise(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.7f+00:00").to_string()
}

/// A random id for the host's protocol.
#[expect(clippy::disallowed_methods, reason = "invocation ids and sys.RandGuid are random by protocol")]
pub(super) fn random_guid() -> Uuid {
    Uuid::new_v4()
}

/// The metadata's member `sys`: function, time and a random id, so it differs in every request.
pub(super) fn sys(function: &FunctionFile, now: Timestamp) -> Value {
    json!({
        "MethodName": function.name,
        "UtcNow": now.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string(),
        "RandGuid": random_guid().to_string(),
    })
}

/// Encodes a message body as the value of a Service Bus trigger.
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

/// The metadata of a function that was invoked by hand, so that its message was never in the broker: the text under the
/// binding's name, and the other members as in an empty .NET message.
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

/// Copies the members of a JSON object into the metadata, as the real host does for a text body. A member replaces one
/// whose name differs only in case.
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

/// Converts an ISO date to .NET's invariant format, in UTC; `None` for any other text.
fn dotnet_date(text: &str) -> Option<String> {
    let at = iso_date(text)?;
    Some(at.strftime("%m/%d/%Y %H:%M:%S").to_string())
}

/// Parses a text as Newtonsoft.Json parses dates: only with a time part, and as UTC without an offset.
pub(super) fn iso_date(text: &str) -> Option<Timestamp> {
    if text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    text.parse().ok().or_else(|| {
        let local: jiff::civil::DateTime = text.parse().ok()?;
        local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}
