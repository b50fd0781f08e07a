//! The connection between a private endpoint and its target, which both show in their bodies.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    store::{Change, Object, StoreQuery as _},
};

/// The connection in the body of a private endpoint: the name of the list that it is in, and the connection itself.
pub(super) fn connection(body: &Value) -> Option<(&'static str, &Value)> {
    ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"]
        .into_iter()
        .find_map(|list| body.pointer(&format!("/properties/{list}/0")).map(|found| (list, found)))
}

/// The id of the target in the body of a private endpoint, or the empty string.
pub(super) fn target_of(body: &Value) -> &str {
    let id = connection(body).and_then(|(_, found)| found.pointer("/properties/privateLinkServiceId"));
    id.and_then(Value::as_str).unwrap_or_default()
}

/// The group (sub-resource) of the target in the body of a private endpoint, or the empty string.
pub(super) fn group_of(body: &Value) -> &str {
    let group = connection(body).and_then(|(_, found)| found.pointer("/properties/groupIds/0"));
    group.and_then(Value::as_str).unwrap_or_default()
}

/// The state of a connection, as JSON.
pub(super) fn link_state(status: &str, description: &str) -> Value {
    json!({ "status": status, "description": description, "actionsRequired": "None" })
}

/// Sets the state of the connection in the body of a private endpoint.
pub(super) fn set_link_state(body: &mut Value, state: Value) {
    if let Some((list, _)) = connection(body) {
        body["properties"][list][0]["properties"]["privateLinkServiceConnectionState"] = state;
    }
}

/// Called when a target is deleted: sets the connections of its private endpoints to `Disconnected`. The private
/// endpoints themselves stay.
pub(super) fn disconnect(change: &mut Change<'_>, target: &Object) -> Result<(), CloudError> {
    for link in target.body["properties"]["privateEndpointConnections"].as_array().into_iter().flatten() {
        let id = link.pointer("/properties/privateEndpoint/id").and_then(Value::as_str).unwrap_or_default();
        if let Some(mut object) = change.alive(id)? {
            set_link_state(&mut object.body, link_state("Disconnected", "The target was deleted"));
            change.put(&object)?;
        }
    }
    Ok(())
}
