//! Parses the envelope of an invocation into typed values.
//!
//! Parsing is strict where an error means a wrong configuration (no envelope, no value for the trigger). Everywhere
//! else it is tolerant: invalid or missing metadata is `None`, because the host delivers a message again whose envelope
//! is refused.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    encoding,
    functions::{Function, FunctionTrigger},
    http_call::HttpCall,
};

/// One call of a function by the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The function that the host called.
    pub function: Function,
    /// The host's id of this attempt, from the header `X-Azure-Functions-InvocationId`; a redelivery has a new one.
    pub id: Option<String>,
    /// The W3C trace context in the host's header `traceparent`; `None` if the host sent none.
    pub traceparent: Option<String>,
    /// What triggered the invocation, with its content.
    pub trigger: Trigger,
}

/// What triggered an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// A queue message.
    Message(Message),
    /// An execution of a timer.
    Timer(Timer),
    /// An HTTP request.
    Http(HttpCall),
}

/// A Service Bus message with the broker's metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The body of the message: exact if [`metadata_trusted`](Self::metadata_trusted).
    pub body: Vec<u8>,
    /// The sender's id of the message, by which the broker detects duplicates.
    pub message_id: Option<String>,
    /// The Service Bus session, which is the tenant on `tenant-requests`.
    pub session_id: Option<String>,
    /// The number of this delivery, from 1; `None` if the function was invoked by hand.
    pub delivery_count: Option<u32>,
    /// The number that the broker gave the message in its queue.
    pub sequence_number: Option<u64>,
    /// When the broker enqueued the message.
    pub enqueued_at: Option<Timestamp>,
    /// The sender's correlation id.
    pub correlation_id: Option<String>,
    /// The media type that the sender gave.
    pub content_type: Option<String>,
    /// The sender's application properties; on a dead-lettered message also the broker's reason.
    pub application_properties: BTreeMap<String, Value>,
    /// Whether the body came as bytes. If it came as text, members of a JSON body may have overwritten the metadata, so
    /// a sender may have forged every field except the body.
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

/// One execution of a timer's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timer {
    /// Whether the execution is late, for example because the app was down.
    pub past_due: bool,
    /// The previous execution; `None` before the first one, or if the host keeps no status.
    pub last: Option<Timestamp>,
    /// The next execution after this one; `None` if the host keeps no status.
    pub next: Option<Timestamp>,
}

/// Why an envelope can't be read. The host gets a failure as the answer, so it delivers a queue message again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// The body is not JSON.
    #[error("the envelope is not JSON: {0}")]
    NotJson(String),
    /// The member `Data` is missing or is not an object.
    #[error("the envelope has no object `Data`; the body must be {{\"Data\": {{..}}, \"Metadata\": {{..}}}}")]
    NoData,
    /// `Data` has no value for the function's trigger.
    #[error("`Data` has no member `{binding}`; function.json of `{function}` must name its trigger so")]
    NoValue {
        /// The name of the function.
        function: &'static str,
        /// The binding that its function.json should declare.
        binding: &'static str,
    },
    /// The trigger's value has a JSON type that this kind of trigger never has.
    #[error(
        "`Data.{binding}` must be {expected}; is the trigger of `{function}` of another type in function.json?"
    )]
    WrongValue {
        /// The name of the function.
        function: &'static str,
        /// The member of `Data` that was read.
        binding: String,
        /// The JSON type that the value should have.
        expected: &'static str,
    },
}

impl Trigger {
    /// Reads the envelope that the host posted for a function.
    ///
    /// # Errors
    /// [`BadEnvelope`] when the body is no envelope, or has no value that fits the function's trigger.
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

/// The trigger's value in `Data`, with its name. If the expected name is missing and there is only one value, that
/// value is used, so that a renamed binding causes no failure.
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

/// Whether an instant is a real one. The host writes the first instant of year 1 where it has no time: before the first
/// execution of a timer, and for a message that never was in the broker because its function was invoked by hand. Such
/// a message also has the sequence number -1 and the delivery count 0.
fn is_real(instant: &Timestamp) -> bool {
    *instant > Timestamp::UNIX_EPOCH
}

/// Finds a member of the metadata by its name without regard to case, because the host's dictionary ignores case and
/// keeps the first spelling.
fn lookup<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    metadata
        .get(name)
        .or_else(|| metadata.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// Reads the value of a timer. No function needs its details, so a missing or invalid member is no error.
fn timer(value: &Value) -> Timer {
    let status = |name: &str| encoding::instant(value.get("ScheduleStatus")?.get(name)?).filter(is_real);
    Timer {
        past_due: value.get("IsPastDue").and_then(Value::as_bool).unwrap_or_default(),
        last: status("Last"),
        next: status("Next"),
    }
}
