//! Who else may reach tenants: declared by the company, shown in every report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::judged_tenant::within;

/// One declaration: a principal or private endpoints, and the reason that reports show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Allowed {
    /// The object id of a user, group, service principal or managed identity that may have any role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The scope of private endpoints that may lead to tenants' resources: an id, and everything below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoints: Option<String>,
    /// The reason.
    pub why: String,
}

/// All declarations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    principals: BTreeMap<String, String>,
    private_endpoints: Vec<(String, String)>,
}

impl AllowList {
    /// Indexes these declarations.
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

    /// The reason why a principal is allowed, if it is.
    pub fn principal(&self, id: &str) -> Option<&str> {
        self.principals.get(&id.to_ascii_lowercase()).map(String::as_str)
    }

    /// The reason why a private endpoint is allowed, if it is.
    pub fn private_endpoint(&self, id: &str) -> Option<&str> {
        let (_, why) = self.private_endpoints.iter().find(|(root, _)| within(id, root))?;
        Some(why)
    }
}
