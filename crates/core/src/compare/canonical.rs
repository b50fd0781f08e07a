//! A canonical form of JSON from Azure, for digests.

use serde_json::{Map, Value};

/// Brings JSON into one form: lists sorted, ids and GUIDs in lower case. Other texts stay as they are, because in some
/// of them case matters.
pub fn canonical(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('/') || super::text::is_guid(&text) => {
            Value::String(text.to_ascii_lowercase())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(canonical).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(members) => {
            let named = |(name, value): (String, Value)| {
                let name = if name.starts_with('/') { name.to_ascii_lowercase() } else { name };
                (name, canonical(value))
            };
            Value::Object(members.into_iter().map(named).collect::<Map<String, Value>>())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}
