//! The deletion record of a step: what is needed to find and delete its object after the step has left the plan.
//!
//! A step record keeps it as JSON, whose members depend on the kind of step. This file reads and writes that JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    blueprint::{BadField, Kind, RoleAssignment, parsed, text},
    ids::{ApiVersion, ResourceId},
};

/// The deletion record of one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The resource of an `arm` step.
    Arm(ArmTarget),
    /// A change of another step's resource, and the body that reverts the change, if there is one.
    ArmUpdate(ArmTarget, Option<Value>),
    /// A role assignment.
    RoleAssignment(RoleAssignment<String>),
    /// An Entra application.
    EntraApplication {
        /// The alternate key by which the application is found.
        unique_name: String,
        /// The tags that mark the object's owner.
        owner: Vec<String>,
    },
    /// The service principal of an application.
    ServicePrincipal {
        /// The application's client id.
        app_id: String,
        /// The tags that mark the object's owner.
        owner: Vec<String>,
    },
    /// A federated identity credential.
    FederatedCredential {
        /// The application's object id.
        application: String,
        /// The credential's name.
        name: String,
    },
    /// The target of a step that creates nothing.
    Nothing,
}

/// The deletion record of a resource of Azure Resource Manager.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmTarget {
    /// The resource's id.
    pub id: ResourceId,
    /// The API version for requests about the resource.
    pub api_version: ApiVersion,
    /// The resource type, if the table of resource types has it.
    pub resource_type: Option<String>,
    /// The resource's Azure location, by which soft-deleted resources are found; `None` if the resource has none.
    pub location: Option<String>,
    /// The tags that mark the resource's owner; empty for a type without tags.
    pub owner: BTreeMap<String, String>,
    /// The virtual network that Azure changes with the resource, in lower case; see `Request::serial`.
    pub serial: Option<String>,
}

impl ArmTarget {
    fn read(target: &Value) -> Result<Self, BadField> {
        let member = |name: &str| target.get(name).and_then(Value::as_str).map(str::to_owned);
        let owner = target.get("owner").and_then(Value::as_object).into_iter().flatten();
        Ok(Self {
            id: parsed(target, "id")?,
            api_version: parsed(target, "apiVersion")?,
            resource_type: member("type"),
            location: member("location"),
            owner: owner.filter_map(|(tag, value)| Some((tag.clone(), value.as_str()?.to_owned()))).collect(),
            serial: member("serial"),
        })
    }

    fn to_json(&self) -> Value {
        let mut target = json!({
            "id": self.id.as_str(), "apiVersion": self.api_version.as_str(), "type": self.resource_type,
            "location": self.location, "owner": self.owner,
        });
        if let Some(serial) = &self.serial {
            target["serial"] = json!(serial);
        }
        target
    }
}

impl Target {
    /// Reads the deletion record of a step of this kind from its JSON.
    ///
    /// # Errors
    /// [`BadField`]: a member that the kind needs is missing or invalid.
    pub fn read(kind: Kind, target: &Value) -> Result<Self, BadField> {
        let own = |name: &str| text(target, name).map(str::to_owned);
        Ok(match kind {
            Kind::Arm => Self::Arm(ArmTarget::read(target)?),
            Kind::ArmUpdate => {
                let undo = target.get("undo").filter(|undo| !undo.is_null()).cloned();
                Self::ArmUpdate(ArmTarget::read(target)?, undo)
            }
            Kind::RoleAssignment => Self::RoleAssignment(RoleAssignment {
                scope: parsed(target, "scope")?,
                role_definition_id: own("roleDefinitionId")?,
                principal_id: own("principalId")?,
            }),
            Kind::EntraApplication => Self::EntraApplication {
                unique_name: own("uniqueName")?,
                owner: owner_tags(target.get("owner")),
            },
            Kind::ServicePrincipal => {
                Self::ServicePrincipal { app_id: own("appId")?, owner: owner_tags(target.get("owner")) }
            }
            Kind::FederatedCredential => {
                Self::FederatedCredential { application: own("application")?, name: own("name")? }
            }
            Kind::Check | Kind::Isolation => Self::Nothing,
        })
    }

    /// The deletion record as JSON, as the step record keeps it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Arm(resource) => resource.to_json(),
            Self::ArmUpdate(resource, undo) => {
                let mut target = resource.to_json();
                target["undo"] = undo.clone().unwrap_or_default();
                target
            }
            Self::RoleAssignment(grant) => json!({
                "scope": grant.scope.as_str(), "roleDefinitionId": grant.role_definition_id,
                "principalId": grant.principal_id,
            }),
            Self::EntraApplication { unique_name, owner } => {
                json!({"uniqueName": unique_name, "owner": owner})
            }
            Self::ServicePrincipal { app_id, owner } => json!({"appId": app_id, "owner": owner}),
            Self::FederatedCredential { application, name } => {
                json!({"application": application, "name": name})
            }
            Self::Nothing => json!({}),
        }
    }
}

/// The tags in a list that mark the owner of an object in Entra.
pub(super) fn owner_tags(tags: Option<&Value>) -> Vec<String> {
    let tags = tags.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    tags.filter(|tag| tag.starts_with("tenantry-")).map(str::to_owned).collect()
}
