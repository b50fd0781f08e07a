//! The allow list: who may reach tenants besides themselves. The company declares it in `TENANTRY_ISOLATION_ALLOW`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::judged_tenant::within;

/// One entry of the allow list: a principal or private endpoints, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowed {
    /// The object id of a user, group, service principal or managed identity that may have any role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The resource id of a private endpoint, or of a scope with private endpoints, that may connect to tenants'
    /// resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoints: Option<String>,
    /// Why this access is allowed. Reports show it with the access of the principal.
    pub why: String,
}

/// All entries of the allow list. Ids are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    principals: BTreeMap<String, String>,
    private_endpoints: Vec<(String, String)>,
}

impl AllowList {
    /// Makes the list from its entries.
    pub fn new(entries: &[Allowed]) -> Self {
        let mut list = Self::default();
        for entry in entries {
            if let Some(principal) = &entry.principal {
                list.principals.insert(principal.to_ascii_lowercase(), entry.why.clone());
            }
            if let Some(root) = &entry.private_endpoints {
                list.private_endpoints.push((root.clone(), entry.why.clone()));
            }
        }
        list
    }

    /// The reason why the principal with this object id is allowed; `None` if it is not.
    pub fn principal(&self, id: &str) -> Option<&str> {
        self.principals.get(&id.to_ascii_lowercase()).map(String::as_str)
    }

    /// The reason why the private endpoint with this resource id is allowed; `None` if it is not.
    pub fn private_endpoint(&self, id: &str) -> Option<&str> {
        let (_, why) = self.private_endpoints.iter().find(|(root, _)| within(id, root))?;
        Some(why)
    }
}
