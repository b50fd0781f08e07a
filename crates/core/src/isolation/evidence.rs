//! What Azure shows, as plain data: everything that is judged, and for what could not be read the reason.
//!
//! Keys that Azure compares without case (ids, GUIDs) are in lower case; values are as Azure returns them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::probe::Live;

/// The result of reading an object or a list from Azure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reading<T> {
    /// The object exists, with this content.
    Shown(T),
    /// The object does not exist.
    Absent,
    /// The object could not be read, for this reason. It may exist, with any content.
    Unread(String),
}

impl<T> Reading<T> {
    /// The content, if the object exists and could be read.
    pub fn shown(&self) -> Option<&T> {
        if let Self::Shown(shown) = self { Some(shown) } else { None }
    }
}

/// Everything that was read from Azure for the tenants that are judged together, and the results of calling them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// Role assignments at, above and below scopes, one entry per list request.
    pub listings: Vec<Listing>,
    /// Role definitions, by their GUID in lower case.
    pub roles: BTreeMap<String, Reading<RoleDefinition>>,
    /// The principals in groups, nested groups included, by the group's object id in lower case.
    pub groups: BTreeMap<String, Reading<Vec<String>>>,
    /// Resources as Resource Manager shows them, by id in lower case.
    pub resources: BTreeMap<String, Reading<Value>>,
    /// The federated credentials of managed identities, by the identity's resource id in lower case.
    pub identity_credentials: BTreeMap<String, Reading<Vec<Value>>>,
    /// Entra applications, by their unique name.
    pub applications: BTreeMap<String, Application>,
    /// The calls to tenants' services, and their outcomes.
    pub live: Live,
}

/// One list of role assignments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// The scope at which the assignments were listed.
    pub scope: String,
    /// The object id of the principal whose assignments were listed; `None` if those of all principals were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The listed assignments, or why they could not be listed.
    pub assignments: Reading<Vec<Assignment>>,
}

/// A role assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The resource id of the assignment.
    pub id: String,
    /// The scope at which, and below which, the assignment applies.
    pub scope: String,
    /// The object id of the principal that has the role.
    pub principal_id: String,
    /// The type of the principal: `User`, `Group`, `ServicePrincipal`, `ForeignGroup` or `Device`; empty if Azure omits
    /// it.
    #[serde(default)]
    pub principal_type: String,
    /// The full id of the role definition.
    pub role_definition_id: String,
    /// The condition of the assignment, if it has one. Findings mention it, but the assignment is judged as if it had
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Assignment {
    /// The GUID of the role definition, in lower case.
    pub fn role(&self) -> String {
        self.role_definition_id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
    }
}

/// A role definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleDefinition {
    /// The name of the role for people.
    pub role_name: String,
    /// What the role allows. What one entry excludes, another one may allow.
    pub permissions: Vec<Permission>,
}

/// One entry of a role: allowed actions minus excluded ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    /// Allowed actions of Resource Manager; may have wildcards.
    pub actions: Vec<String>,
    /// Actions excluded from `actions`; may have wildcards.
    pub not_actions: Vec<String>,
    /// Allowed data actions; may have wildcards.
    pub data_actions: Vec<String>,
    /// Data actions excluded from `data_actions`; may have wildcards.
    pub not_data_actions: Vec<String>,
}

/// An Entra application with everything that lets someone act as it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The application itself.
    pub object: Reading<Value>,
    /// The application's service principal.
    pub principal: Reading<Value>,
    /// The application's federated credentials.
    pub credentials: Reading<Vec<Value>>,
    /// The object ids of the owners of the application and of its service principal: owners can add credentials.
    pub owners: Reading<Vec<String>>,
}

impl Application {
    /// An application of which nothing could be read, for the reason `why`.
    pub fn unread(why: &str) -> Self {
        let why = || why.to_owned();
        Self {
            object: Reading::Unread(why()),
            principal: Reading::Unread(why()),
            credentials: Reading::Unread(why()),
            owners: Reading::Unread(why()),
        }
    }
}
