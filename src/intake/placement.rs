//! Chooses the stamp of a new tenant.

use serde_json::Value;
use tenantry_core::tenant::Placement;

/// A subscription and region that are prepared for tenants, with the resources that the tenants there share.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    /// The configured values, which blueprints can use as `stamp`: `name`, `subscriptionId`, `region`, the network, the
    /// pooled workspace.
    pub value: Value,
}

impl Stamp {
    /// A member of the stamp that is a text; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The placement that the document of a tenant on this stamp has.
    pub(super) fn placement(&self) -> Placement {
        Placement {
            stamp: self.text("name").to_owned(),
            subscription_id: self.text("subscriptionId").to_owned(),
            region: self.text("region").to_owned(),
        }
    }
}

/// Chooses the first stamp in a region, or the first stamp if no region is given. `None` if no stamp is in the region.
pub(super) fn choose<'a>(stamps: &'a [Stamp], region: Option<&str>) -> Option<&'a Stamp> {
    stamps.iter().find(|stamp| region.is_none_or(|region| stamp.text("region") == region))
}
