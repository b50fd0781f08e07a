//! Objects: one record for each, whatever its service.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One object: an ARM resource, a role assignment or a Graph object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    /// The id as it was created; compared without case.
    pub(crate) id: String,
    /// `Namespace/type` for ARM, `graph/...` for Graph.
    pub(crate) kind: String,
    /// What a GET shows.
    pub(crate) body: Value,
    /// The tenant, from its own tag or the nearest tagged ancestor.
    pub(crate) tenant: Option<String>,
    /// Whether it was there from the start.
    #[serde(default)]
    pub(crate) seeded: bool,
    /// When replicas start to show it (Graph and RBAC); writes reach the primary at once.
    pub(crate) visible: Timestamp,
    /// The operation that runs on it.
    #[serde(default)]
    pub(crate) busy: Option<String>,
    /// When it was soft-deleted.
    #[serde(default)]
    pub(crate) deleted: Option<Timestamp>,
}

impl Object {
    /// An existing object without a tenant, shown by replicas from this instant on.
    pub(crate) fn new(id: String, kind: &str, body: Value, visible: Timestamp) -> Self {
        let kind = kind.to_owned();
        Self { id, kind, body, tenant: None, seeded: false, visible, busy: None, deleted: None }
    }

    /// The key under which it is stored.
    pub(crate) fn key(&self) -> String {
        self.id.to_lowercase()
    }

    /// The text at a JSON pointer into the body, or the empty string.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
