//! Parses the envelope to a typed invocation.
//!
//! Strict where an error means a wrong configuration (no envelope, no value for the trigger), tolerant everywhere else:
//! invalid or missing metadata is `None`, never a refusal, because after a refusal the same message is delivered again.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    encoding,
    functions::{Function, FunctionTrigger},
    http_call::HttpCall,
};

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The function.
    pub function: Function,
    /// The host's id of this attempt; a redelivery has a new one. From `X-Azure-Functions-InvocationId`.
    pub id: Option<String>,
    /// The W3C trace context, when the host sends one.
    pub traceparent: Option<String>,
    /// What triggered it.
    pub trigger: Trigger,
}

/// What triggered an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A queue message.
    Message(Message),
    /// A timer.
    Timer(Timer),
    /// An HTTP request.
    Http(HttpCall),
}

/// A Service Bus message with the broker's metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The body, byte for byte when [`metadata_trusted`](Self::metadata_trusted).
    pub body: Vec<u8>,
    /// The sender's id of the message, by which the broker detects duplicates.
    pub message_id: Option<String>,
    /// The session, which is the tenant on `tenant-requests`.
    pub session_id: Option<String>,
    /// Which delivery this is, from 1; unknown where the function was invoked by hand.
    pub delivery_count: Option<u32>,
    /// The broker's number of the message.
    pub sequence_number: Option<u64>,
    /// When the broker accepted it.
    pub enqueued_at: Option<Timestamp>,
    /// The sender's correlation id.
    pub correlation_id: Option<String>,
    /// The media type that the sender gave.
    pub content_type: Option<String>,
    /// The sender's own properties; on a dead-lettered message also the broker's reason.
    pub application_properties: BTreeMap<String, Value>,
    /// True only when the value came as bytes. When it came as text, members of a JSON body may have overwritten the
    /// metadata, so every field above except the body may be forged.
    pub metadata_trusted: bool,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("body_bytes", &self.body.len())
            .field("message_id", &self.message_id)
            .field("session_id", &self.session_id)
            .field("delivery_count", &self.delivery_count)
            .field("sequence_number", &self.sequence_number)
            .field("enqueued_at", &self.enqueued_at)
            .field("correlation_id", &self.correlation_id)
            .field("metadata_trusted", &self.metadata_trusted)
            .finish_non_exhaustive()
    }
}

/// A tick of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timer {
    /// True when the tick comes late, for example after the app was down.
    pub past_due: bool,
    /// The previous tick; unknown before the first one, or when the host keeps no status.
    pub last: Option<Timestamp>,
    /// The tick after this one.
    pub next: Option<Timestamp>,
}

/// Why an envelope can't be read. The answer is a failure, so the host delivers the message again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// The body is not JSON.
    #[error("the envelope is not JSON: {0}")]
    NotJson(String),
    /// `Data` is missing, or is no object.
    #[error("the envelope has no object `Data`; the body must be {{\"Data\": {{..}}, \"Metadata\": {{..}}}}")]
    NoData,
    /// There is no value for the function's trigger.
    #[error("`Data` has no member `{binding}`; function.json of `{function}` must name its trigger so")]
    NoValue {
        /// The function.
        function: &'static str,
        /// The binding that its function.json should declare.
        binding: &'static str,
    },
    /// The value has a shape that this trigger never has.
    #[error(
        "`Data.{binding}` must be {expected}; is the trigger of `{function}` of another type in function.json?"
    )]
    WrongValue {
        /// The function.
        function: &'static str,
        /// The member that was read.
        binding: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl Trigger {
    /// Reads the envelope that the host posted for a function.
    ///
    /// # Errors
    /// [`BadEnvelope`] when it is no envelope or has no value that fits the function's trigger.
    pub fn parse(function: Function, envelope: &[u8]) -> Result<Self, BadEnvelope> {
        let envelope: Value =
            serde_json::from_slice(envelope).map_err(|error| BadEnvelope::NotJson(error.to_string()))?;
        let data = envelope.get("Data").and_then(Value::as_object).ok_or(BadEnvelope::NoData)?;
        let (binding, value) = trigger_value(function, data)?;
        let wrong = |expected| BadEnvelope::WrongValue {
            function: function.name(),
            binding: binding.clone(),
            expected,
        };
        match function.kind() {
            FunctionTrigger::QueueMessage { .. } => {
                let none = Map::new();
                let metadata = envelope.get("Metadata").and_then(Value::as_object).unwrap_or(&none);
                message(value, metadata).map(Self::Message).ok_or_else(|| wrong("a string"))
            }
            FunctionTrigger::Timer { .. } => Ok(Self::Timer(timer(value))),
            FunctionTrigger::Http { .. } => {
                let request = value.as_object().ok_or_else(|| wrong("an object"))?;
                Ok(Self::Http(HttpCall::parse(request)))
            }
        }
    }
}

/// The value of the trigger: by its name, or the only one there is, so that a renamed binding is harmless.
fn trigger_value(function: Function, data: &Map<String, Value>) -> Result<(String, &Value), BadEnvelope> {
    let binding = function.kind().binding();
    if let Some(value) = data.get(binding) {
        return Ok((binding.to_owned(), value));
    }
    let mut members = data.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name.clone(), value)),
        _ => Err(BadEnvelope::NoValue { function: function.name(), binding }),
    }
}

fn message(value: &Value, metadata: &Map<String, Value>) -> Option<Message> {
    let body = match value {
        Value::String(text) => encoding::body(text),
        Value::Null => encoding::Body { bytes: Vec::new(), binary: false },
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = |name| lookup(metadata, name).and_then(encoding::text);
    let number = |name| lookup(metadata, name).and_then(encoding::number);
    let instant = |name| lookup(metadata, name).and_then(encoding::instant);
    Some(Message {
        body: body.bytes,
        message_id: text("MessageId"),
        session_id: text("SessionId"),
        delivery_count: number("DeliveryCount")
            .and_then(|count| u32::try_from(count).ok())
            .filter(|n| *n > 0),
        sequence_number: number("SequenceNumber"),
        enqueued_at: instant("EnqueuedTime").or_else(|| instant("EnqueuedTimeUtc")).filter(is_real),
        correlation_id: text("CorrelationId"),
        content_type: text("ContentType"),
        application_properties: lookup(metadata, "ApplicationProperties")
            .or_else(|| lookup(metadata, "UserProperties"))
            .and_then(encoding::object)
            .map(|properties| properties.into_iter().collect())
            .unwrap_or_default(),
        metadata_trusted: body.binary,
    })
}

/// The host writes the first instant of year 1 where there is no time: before the first tick of a timer, and for a
/// message that was never in the broker because its function was invoked by hand. Such a message also has no sequence
/// number (-1) and no delivery count (0).
fn is_real(instant: &Timestamp) -> bool {
    *instant > Timestamp::UNIX_EPOCH
}

/// The host's dictionary ignores case and keeps the first spelling, so a member may have another spelling.
fn lookup<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    metadata
        .get(name)
        .or_else(|| metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// The sweep needs no detail of its tick, so missing members are left empty.
fn timer(value: &Value) -> Timer {
    let status = |name: &str| encoding::instant(value.get("ScheduleStatus")?.get(name)?).filter(is_real);
    Timer {
        past_due: value.get("IsPastDue").and_then(Value::as_bool).unwrap_or_default(),
        last: status("Last"),
        next: status("Next"),
    }
}
