//! The Event Grid topic: accepts CloudEvents 1.0 and keeps them in order of arrival. The test endpoints show them, and
//! `subscription` delivers them to webhooks.
//!
//! Source: Azure docs, event-grid post-to-custom-topic; the CloudEvents 1.0 specification for names and types.

use crate::{
    api_version,
    call::Call,
    reply::{Outcome, Reply, refuse},
    store::Change,
};
use jiff::Timestamp;
use serde_json::{Map, Value};

const VERSION: &str = "2018-01-01";
/// The size of the largest request body that the topic accepts.
const MOST_BYTES: usize = 1 << 20;

/// Accepts one event or a batch of events. One invalid event rejects the whole batch.
pub(crate) fn publish(change: &mut Change<'_>, call: &Call) -> Outcome {
    if call.method != "POST" {
        return refuse(405, "MethodNotAllowed", "Events are published with POST.");
    }
    api_version::check(call, "events", VERSION)?;
    if call.body.len() > MOST_BYTES {
        return refuse(413, "RequestEntityTooLarge", "The maximum size (1048576) has been exceeded.");
    }
    let events = parse(call)?;
    for event in &events {
        if let Err(why) = check(event) {
            return refuse(
                400,
                "BadRequest",
                format!("This resource is configured for 'CloudEventSchemaV1_0': {why}"),
            );
        }
    }
    for event in &events {
        change.receive(&Value::Object(event.clone()))?;
    }
    Ok(Reply::empty(200).of(events.first().and_then(tenant_of)))
}

fn parse(call: &Call) -> Outcome<Vec<Map<String, Value>>> {
    let content_type = call.header("content-type").to_lowercase();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let parsed = match kind {
        "application/cloudevents-batch+json" => serde_json::from_slice(&call.body),
        "application/cloudevents+json" => serde_json::from_slice(&call.body).map(|event| vec![event]),
        other => {
            return refuse(
                415,
                "UnsupportedMediaType",
                format!(
                    "The content type '{other}' is not one of CloudEvents: application/cloudevents-batch+json or application/cloudevents+json."
                ),
            );
        }
    };
    match parsed {
        Ok(events) => Ok(events),
        Err(e) => refuse(400, "BadRequest", format!("The body can't be read as events: {e}.")),
    }
}

fn check(event: &Map<String, Value>) -> Result<(), String> {
    for name in ["id", "source", "type", "specversion"] {
        match event.get(name).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => {}
            Some(_) | None => {
                return Err(format!("the attribute '{name}' is required and is a non-empty text."));
            }
        }
    }
    if event.get("specversion").and_then(Value::as_str) != Some("1.0") {
        return Err("the attribute 'specversion' must be '1.0'.".to_owned());
    }
    if let Some(time) = event.get("time")
        && time.as_str().is_none_or(|time| time.parse::<Timestamp>().is_err())
    {
        return Err("the attribute 'time' is an RFC 3339 timestamp.".to_owned());
    }
    for (name, value) in event.iter().filter(|(name, _)| !matches!(name.as_str(), "data" | "data_base64")) {
        let fits = (1..=20).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !fits {
            return Err(format!(
                "the attribute name '{name}' has other characters than a-z and 0-9, or more than 20."
            ));
        }
        if value.is_object() || value.is_array() || value.is_null() {
            return Err(format!("the attribute '{name}' is no text, number or truth value."));
        }
    }
    if event.contains_key("data") && event.contains_key("data_base64") {
        return Err("'data' and 'data_base64' exclude each other.".to_owned());
    }
    Ok(())
}

/// The tenant of an event: its `tenantid` attribute, or `tenantId` in its data.
pub(crate) fn tenant_of(event: &Map<String, Value>) -> Option<String> {
    let attribute = event.get("tenantid");
    let tenant = attribute.or_else(|| event.get("data")?.get("tenantId"));
    tenant.and_then(Value::as_str).map(str::to_owned)
}
