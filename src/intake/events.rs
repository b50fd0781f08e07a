//! Parses what Event Grid posts to a webhook. It only returns the messages; [`Intake`](super::Intake) takes them in.
//!
//! Sources: Microsoft, "Endpoint validation with Event Grid schema", "Endpoint validation with CloudEvents schema" and
//! "Event Grid delivery and retry" (headers, the two handshakes, which answers are final); the CloudEvents
//! specification "HTTP 1.1 Web Hooks", section 4.

use serde_json::{Map, Value, json};
use tenantry_core::tenant::Channel;

use super::{
    envelope,
    strict::{Shape, parse_any},
};

/// The largest body that is read, in bytes: Event Grid's own limit for one delivery.
pub const MAX_DELIVERY_BYTES: usize = 1 << 20;
/// The most events in one delivery. Event Grid waits thirty seconds for an answer, and the answers to all events have
/// to be saved by then.
pub const MAX_EVENTS: usize = 100;
/// The most members and items in one delivery, all objects and arrays together.
const MAX_VALUES: usize = 16 * 1024;
/// The deepest nesting of objects and arrays in a delivery; a request needs at most half of it.
const MAX_DEPTH: usize = 32;

/// The only origin that may ask for permission to send.
const ORIGIN: &str = "eventgrid.azure.net";
/// The highest rate that is granted to a sender, in requests per minute.
const RATE: u32 = 600;
/// The longest validation code that is sent back, in characters.
const MAX_CODE: usize = 256;
/// The type of the event with which Event Grid validates a webhook.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// Why a delivery is rejected. The sender does not get the reason: except for limits, all rejections have the same
/// answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryRejection {
    /// No topic is configured, so the webhook is off.
    Off,
    /// The HTTP method is neither that of a delivery nor that of a handshake.
    WrongMethod,
    /// The handshake has no origin, several origins, or another one than Event Grid's.
    WrongOrigin,
    /// The body is larger than [`MAX_DELIVERY_BYTES`].
    TooLarge,
    /// The delivery has more than [`MAX_EVENTS`] events, or too many members and items.
    TooMany,
    /// Objects and arrays are nested deeper than in any request.
    TooDeep,
    /// The body is not JSON, or has a duplicate member.
    NotJson,
    /// The body is neither an event nor an array of events.
    NotEvents,
    /// An event is of a topic that is not configured.
    UnknownTopic,
    /// The header `aeg-event-type` contradicts the body.
    WrongKind,
    /// A validation event has no code that can be sent back.
    NoCode,
}

impl DeliveryRejection {
    /// The reason, for the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::WrongMethod => "wrong_method",
            Self::WrongOrigin => "wrong_origin",
            Self::TooLarge => "delivery_too_large",
            Self::TooMany => "too_many_events",
            Self::TooDeep => "too_deep",
            Self::NotJson => "not_json",
            Self::NotEvents => "not_events",
            Self::UnknownTopic => "unknown_topic",
            Self::WrongKind => "wrong_kind",
            Self::NoCode => "no_code",
        }
    }

    /// Whether a limit was exceeded. The sender may know that, because it reveals nothing else.
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::TooLarge | Self::TooMany | Self::TooDeep)
    }
}

/// The content of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A validation of the webhook, with the code to send back.
    Validation(String),
    /// Events, as messages like those in the request queue.
    Events(Vec<Delivered>),
}

/// One event of a delivery, as a message for the intake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The channel, which identifies the sender.
    pub channel: Channel,
    /// The JSON of the event, as a CloudEvent.
    pub message: Vec<u8>,
}

/// The permission to send, in answer to an `OPTIONS` handshake: the origin, and the rate per minute if the sender asked
/// for one.
///
/// # Errors
/// [`DeliveryRejection`] if no topic is configured, or if there is not exactly one origin, Event Grid's.
pub fn granted(
    topics: &[String],
    origins: &[String],
    rate: Option<&str>,
) -> Result<(&'static str, Option<u32>), DeliveryRejection> {
    match origins {
        _ if topics.is_empty() => Err(DeliveryRejection::Off),
        [origin] if origin == ORIGIN => {
            Ok((ORIGIN, rate.map(|rate| rate.parse().map_or(RATE, |rate: u32| rate.clamp(1, RATE)))))
        }
        _ => Err(DeliveryRejection::WrongOrigin),
    }
}

impl Delivery {
    /// Parses the body of a delivery; `kinds` are the values of the header `aeg-event-type`.
    ///
    /// One event of an unknown topic rejects the whole delivery.
    ///
    /// # Errors
    /// [`DeliveryRejection`] for a delivery that is not accepted.
    pub fn read(topics: &[String], kinds: &[String], body: &[u8]) -> Result<Self, DeliveryRejection> {
        if topics.is_empty() {
            return Err(DeliveryRejection::Off);
        }
        if body.len() > MAX_DELIVERY_BYTES {
            return Err(DeliveryRejection::TooLarge);
        }
        let text = envelope::text(body).map_err(|_| DeliveryRejection::NotJson)?;
        let body = text.as_bytes();
        let shape = Shape::of(body);
        let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        if shape.values > MAX_VALUES || (is_array && shape.outermost > MAX_EVENTS) {
            return Err(DeliveryRejection::TooMany);
        }
        if shape.depth > MAX_DEPTH {
            return Err(DeliveryRejection::TooDeep);
        }
        let events = match parse_any(body).map_err(|_| DeliveryRejection::NotJson)? {
            Value::Array(items) if !items.is_empty() => items,
            object @ Value::Object(_) => vec![object],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(DeliveryRejection::NotEvents);
            }
        };
        let events =
            events.into_iter().map(|event| Event::read(topics, event)).collect::<Result<Vec<_>, _>>()?;
        let validates = events.iter().filter(|event| event.kind == VALIDATION).count();
        match (kinds, events.as_slice()) {
            ([kind], [event]) if kind == "SubscriptionValidation" && validates == 1 => event.code(),
            ([], _) if validates == 0 => Ok(Self::messages(events)),
            ([kind], _) if kind == "Notification" && validates == 0 => Ok(Self::messages(events)),
            _ => Err(DeliveryRejection::WrongKind),
        }
    }

    fn messages(events: Vec<Event>) -> Self {
        let delivered = |Event { channel, message, .. }: Event| Delivered {
            channel,
            message: message.to_string().into_bytes(),
        };
        Self::Events(events.into_iter().map(delivered).collect())
    }
}

/// One event of a configured topic.
struct Event {
    kind: String,
    channel: Channel,
    /// The event as a CloudEvent; an event in Event Grid's own schema is converted.
    message: Value,
}

impl Event {
    fn read(topics: &[String], event: Value) -> Result<Self, DeliveryRejection> {
        let Value::Object(mut event) = event else { return Err(DeliveryRejection::NotEvents) };
        let text = |event: &Map<String, Value>, name: &str| {
            event.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(DeliveryRejection::NotEvents)
        };
        let is_cloud_event = event.contains_key("specversion");
        let (topic, kind) = if is_cloud_event { ("source", "type") } else { ("topic", "eventType") };
        let (topic, kind) = (text(&event, topic)?, text(&event, kind)?);
        if !topics.iter().any(|known| is_same_topic(known, &topic)) {
            return Err(DeliveryRejection::UnknownTopic);
        }
        if is_cloud_event {
            let channel = Channel::Source(canonical(&topic));
            return Ok(Self { kind, channel, message: Value::Object(event) });
        }
        let channel = Channel::Topic(canonical(&topic));
        let mut message = json!({"specversion": "1.0", "type": kind, "source": topic});
        for name in ["id", "data"] {
            if let Some(value) = event.remove(name) {
                message[name] = value;
            }
        }
        Ok(Self { kind, channel, message })
    }

    /// The code that this webhook sends back to prove that it reads what it receives. The validation URL in the event
    /// is never called, because a sender could choose the address.
    fn code(&self) -> Result<Delivery, DeliveryRejection> {
        let code = self.message.pointer("/data/validationCode").and_then(Value::as_str);
        let plain = |code: &&str| {
            (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let code = code.filter(plain).ok_or(DeliveryRejection::NoCode)?;
        Ok(Delivery::Validation(code.to_owned()))
    }
}

/// Whether two topics are the same. Azure resource ids ignore case, a publisher's own source does not.
fn is_same_topic(known: &str, topic: &str) -> bool {
    canonical(known) == canonical(topic)
}

/// The canonical spelling of a topic or source.
fn canonical(topic: &str) -> String {
    const RESOURCES: &str = "/subscriptions/";
    let is_resource = topic.get(..RESOURCES.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESOURCES));
    if is_resource { topic.to_ascii_lowercase() } else { topic.to_owned() }
}
