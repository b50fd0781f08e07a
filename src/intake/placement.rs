//! The placement of a new tenant.

use serde_json::Value;
use tenantry_core::tenant::Placement;

/// A subscription and region prepared for tenants, with the resources that they share there.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    /// What blueprints see as `stamp`: `name`, `subscriptionId`, `region`, the network, the pooled workspace.
    pub value: Value,
}

impl Stamp {
    /// A text member of the stamp; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The placement that a tenant on this stamp records.
    pub(super) fn placement(&self) -> Placement {
        Placement {
            stamp: self.text("name").to_owned(),
            subscription_id: self.text("subscriptionId").to_owned(),
            region: self.text("region").to_owned(),
        }
    }
}

/// The first stamp in the given region; the first of all if none is given.
pub(super) fn choose<'a>(stamps: &'a [Stamp], region: Option<&str>) -> Option<&'a Stamp> {
    stamps.iter().find(|stamp| region.is_none_or(|region| stamp.text("region") == region))
}
