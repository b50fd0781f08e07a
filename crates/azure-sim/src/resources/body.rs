//! Members of a resource's `properties`.

use serde_json::{Value, json};

use crate::{error::CloudError, resources::draft::Draft, store::Change};

/// Sets a member of `properties` unless the body has it.
pub(super) fn default(body: &mut Value, name: &str, value: Value) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        properties.entry(name).or_insert(value);
    }
}

/// Sets a member of `properties`, to its earlier value if the resource exists.
pub(super) fn keep(draft: &Draft<'_>, body: &mut Value, name: &str, value: Value) {
    let before =
        draft.before.as_ref().and_then(|before| before.body.get("properties")).and_then(|all| all.get(name));
    body["properties"][name] = before.cloned().unwrap_or(value);
}

/// Restores the properties of a soft-deleted resource, if there is one, and removes the member that requests it.
///
/// # Errors
/// When the store fails.
pub(super) fn restore(
    change: &Change<'_>,
    draft: &Draft<'_>,
    body: &mut Value,
    asks: &str,
) -> Result<(), CloudError> {
    if let Some(deleted) = draft.deleted(change)? {
        body["properties"] = deleted.body["properties"].clone();
    }
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.remove(asks);
    }
    Ok(())
}

/// Sets `properties.provisioningState`.
pub(crate) fn set_state(body: &mut Value, state: &str) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("provisioningState".to_owned(), json!(state));
    }
}
