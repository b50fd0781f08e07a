//! Sets members of `properties` in the body of a resource.

use serde_json::{Value, json};

use crate::{error::CloudError, resources::draft::Draft, store::Change};

/// Sets a member of `properties` unless the body has it.
pub(super) fn default(body: &mut Value, name: &str, value: Value) {
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        properties.entry(name).or_insert(value);
    }
}

/// Sets a member of `properties`: to the existing resource's value if there is one, otherwise to `value`.
pub(super) fn keep(draft: &Draft<'_>, body: &mut Value, name: &str, value: Value) {
    let before =
        draft.before.as_ref().and_then(|before| before.body.get("properties")).and_then(|all| all.get(name));
    body["properties"][name] = before.cloned().unwrap_or(value);
}

/// Copies the properties of the soft-deleted resource with the same id into the body, if there is one. Removes `asks`,
/// the member of `properties` that requests the restoration.
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
