//! What Azure showed, as plain data: whatever is judged stands in here, and what could not be read says so.
//!
//! Keys that Azure compares without case (ids, GUIDs) are in lower case; what they lead to is as Azure wrote it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::probe::Live;

/// What came of looking at something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reading<T> {
    /// It is there.
    Shown(T),
    /// It is not there.
    Absent,
    /// It could not be read, for this reason: it may be anything.
    Unread(String),
}

impl<T> Reading<T> {
    /// What is there, if it is and could be read.
    pub fn shown(&self) -> Option<&T> {
        if let Self::Shown(shown) = self { Some(shown) } else { None }
    }
}

/// What Azure showed of all that is to be judged together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// Role assignments at, above and below scopes, one entry per scope that was asked at.
    pub listings: Vec<Listing>,
    /// Role definitions, by their GUID in lower case.
    pub roles: BTreeMap<String, Reading<RoleDefinition>>,
    /// The principals in groups, those of groups within them too, by the group's object id in lower case.
    pub groups: BTreeMap<String, Reading<Vec<String>>>,
    /// Resources as Resource Manager shows them, by id in lower case.
    pub resources: BTreeMap<String, Reading<Value>>,
    /// The federated credentials of managed identities, by the identity's resource id in lower case.
    pub identity_credentials: BTreeMap<String, Reading<Vec<Value>>>,
    /// Entra applications, by their unique name.
    pub applications: BTreeMap<String, Application>,
    /// What came of calling services.
    pub live: Live,
}

/// The role assignments that one list showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// Where it was asked.
    pub scope: String,
    /// Of whom only; it tells nothing of others then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What it showed.
    pub assignments: Reading<Vec<Assignment>>,
}

/// A role assignment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Its resource id.
    pub id: String,
    /// Where it holds, and below.
    pub scope: String,
    /// Who has it.
    pub principal_id: String,
    /// `User`, `Group`, `ServicePrincipal`, `ForeignGroup` or `Device`.
    #[serde(default)]
    pub principal_type: String,
    /// Which role, as a full id.
    pub role_definition_id: String,
    /// Under which condition; it is shown to people and otherwise left out of account.
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
    /// What it allows; each entry for itself.
    pub permissions: Vec<Permission>,
}

/// One entry of a role: what it allows less what it leaves out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Permission {
    /// Actions of Resource Manager.
    pub actions: Vec<String>,
    /// What is left out of them.
    pub not_actions: Vec<String>,
    /// Actions on data.
    pub data_actions: Vec<String>,
    /// What is left out of them.
    pub not_data_actions: Vec<String>,
}

/// An application with all that leads into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The application.
    pub object: Reading<Value>,
    /// Its service principal.
    pub principal: Reading<Value>,
    /// Its federated credentials.
    pub credentials: Reading<Vec<Value>>,
    /// The object ids of its owners and of its service principal's: they can add credentials.
    pub owners: Reading<Vec<String>>,
}

impl Application {
    /// Nothing could be read.
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
