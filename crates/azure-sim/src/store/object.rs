//! The record of an object: a resource of Resource Manager, a role assignment or definition, or an object of Graph.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The record of one object: an ARM resource, a role assignment or definition, or a Graph object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    /// The id in the spelling with which the object was created. Ids are compared without case.
    pub(crate) id: String,
    /// The type of the object: `Namespace/type` for ARM, `graph/...` for Graph.
    pub(crate) kind: String,
    /// The body that a GET returns.
    pub(crate) body: Value,
    /// The tenant that the object belongs to, from its own tag or from the nearest ancestor with a tag; `None` if there
    /// is none.
    pub(crate) tenant: Option<String>,
    /// Whether the object belongs to the local stamp, so that it exists in a new simulated Azure.
    #[serde(default)]
    pub(crate) seeded: bool,
    /// For objects of Graph: the time from which replicas show the object to reads. Writes see it at once. For other
    /// objects: the time of the last write.
    pub(crate) visible: Timestamp,
    /// The id of the operation that runs on the object; `None` if there is none.
    #[serde(default)]
    pub(crate) busy: Option<String>,
    /// When the object was soft-deleted; `None` if it is not.
    #[serde(default)]
    pub(crate) deleted: Option<Timestamp>,
}

impl Object {
    /// A new object without a tenant and without a running operation, which replicas show from the time `visible`.
    pub(crate) fn new(id: String, kind: &str, body: Value, visible: Timestamp) -> Self {
        let kind = kind.to_owned();
        Self { id, kind, body, tenant: None, seeded: false, visible, busy: None, deleted: None }
    }

    /// The key of the record: the id in lower case.
    pub(crate) fn key(&self) -> String {
        self.id.to_lowercase()
    }

    /// The text at a JSON pointer into the body; empty if there is no text.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
