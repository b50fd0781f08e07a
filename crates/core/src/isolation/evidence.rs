//! What Azure shows, as plain data: everything that is judged, and for what could not be read the reason.
//!
//! Keys that Azure compares without case (ids, GUIDs) are in lower case; values are as Azure returns them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::probe::Live;

/// The result of reading something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reading<T> {
    /// It exists.
    Shown(T),
    /// It does not exist.
    Absent,
    /// It could not be read, for this reason: anything may be there.
    Unread(String),
}

impl<T> Reading<T> {
    /// The value, if it exists and could be read.
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
    /// The results of calling services.
    pub live: Live,
}

/// The role assignments that one list showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// The scope of the list.
    pub scope: String,
    /// The principal that the list is filtered by; it says nothing about others then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The assignments.
    pub assignments: Reading<Vec<Assignment>>,
}

/// A role assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Its resource id.
    pub id: String,
    /// The scope at which, and below which, it applies.
    pub scope: String,
    /// The principal that has it.
    pub principal_id: String,
    /// `User`, `Group`, `ServicePrincipal`, `ForeignGroup` or `Device`.
    #[serde(default)]
    pub principal_type: String,
    /// The role, as a full id.
    pub role_definition_id: String,
    /// Its condition; shown to people, otherwise ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Assignment {
    /// The role's GUID in lower case.
    pub fn role(&self) -> String {
        self.role_definition_id.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
    }
}

/// A role definition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleDefinition {
    /// Its name for people.
    pub role_name: String,
    /// What it allows; each entry applies by itself.
    pub permissions: Vec<Permission>,
}

/// One entry of a role: allowed actions minus excluded ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    /// Actions of Resource Manager.
    pub actions: Vec<String>,
    /// Excluded actions.
    pub not_actions: Vec<String>,
    /// Data actions.
    pub data_actions: Vec<String>,
    /// Excluded data actions.
    pub not_data_actions: Vec<String>,
}

/// An application with everything that gives access to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The application.
    pub object: Reading<Value>,
    /// Its service principal.
    pub principal: Reading<Value>,
    /// Its federated credentials.
    pub credentials: Reading<Vec<Value>>,
    /// The object ids of its owners and its service principal's owners: they can add credentials.
    pub owners: Reading<Vec<String>>,
}

impl Application {
    /// An application of which nothing could be read.
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
