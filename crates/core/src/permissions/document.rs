//! Roles and their assignments in the form of Azure's REST API.
//!
//! Source: Microsoft's description of Microsoft.Authorization, 2022-04-01: role definitions and role assignments.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Condition, Permissions, Reach, Role,
    data_plane::{GRAPH, GRAPH_OPTIONAL, ROLES},
};

/// The object ids of tenantry's three identities, or placeholders if the ids are not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    /// The object id of the Functions host's identity.
    pub host: String,
    /// The object id of the identity that reads, creates and changes tenants' objects.
    pub provisioner: String,
    /// The object id of the identity that deletes tenants' objects.
    pub remover: String,
}

impl Principals {
    /// Placeholders that say which id to fill in.
    pub fn unknown() -> Self {
        let id = |of: &str| format!("<object id of the {of}>");
        Self { host: id("host"), provisioner: id("provisioner"), remover: id("remover") }
    }

    /// All object ids, without duplicates.
    pub fn all(&self) -> Vec<String> {
        let all = BTreeSet::from([&self.host, &self.provisioner, &self.remover]);
        all.into_iter().cloned().collect()
    }
}

/// A custom role, with the content of its definition and assignment.
#[derive(Debug, Clone)]
pub struct Custom<'a> {
    /// Whom the role is for: `provisioner`, `remover` or `auditor`.
    pub identity: &'static str,
    /// The role's name.
    pub name: &'static str,
    /// The role's description.
    pub description: &'static str,
    /// The actions that the custom role allows.
    pub role: &'a Role,
    /// The condition of the custom role's assignment; `None` if the custom role allows no changes of role assignments.
    pub condition: Option<Condition>,
}

impl Permissions {
    /// The custom roles of the provisioner, the remover and the isolation check.
    pub fn roles(&self, principals: &Principals) -> [Custom<'_>; 3] {
        let condition = |make: fn(&BTreeSet<String>, &[String]) -> Condition| {
            (!self.granted.is_empty()).then(|| make(&self.granted, &principals.all()))
        };
        [
            Custom {
                identity: "provisioner",
                name: "Tenantry Provisioner",
                description: "Reads, creates and changes what tenants consist of.",
                role: &self.provisioner,
                condition: condition(Condition::on_granting),
            },
            Custom {
                identity: "remover",
                name: "Tenantry Remover",
                description: "Deletes and purges what tenants consisted of.",
                role: &self.remover,
                condition: condition(Condition::on_removing),
            },
            Custom {
                identity: "auditor",
                name: "Tenantry Auditor",
                description: "Reads what proves that only a tenant reaches its service.",
                role: &self.auditor,
                condition: None,
            },
        ]
    }

    /// The scopes at which the roles are assigned for these stamps, without duplicates.
    pub fn scopes(&self, stamps: &[Value]) -> BTreeSet<String> {
        let text = |stamp: &Value, member: &str| {
            stamp.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let scope = |stamp: &Value| {
            let subscription = format!("/subscriptions/{}", text(stamp, "subscriptionId"));
            match self.reach {
                Reach::Subscription(_) => subscription,
                Reach::StampGroup => {
                    format!("{subscription}/resourceGroups/{}", text(stamp, "resourceGroup"))
                }
            }
        };
        stamps.iter().map(scope).collect()
    }
}

/// Everything that a deployment needs as one JSON document: role definitions and assignments, permissions of Microsoft
/// Graph, data roles and resource providers.
pub fn document(permissions: &Permissions, stamps: &[Value], principals: &Principals) -> Value {
    let scopes = permissions.scopes(stamps);
    let mut definitions = Vec::new();
    let mut assignments = Vec::new();
    for custom in permissions.roles(principals) {
        let principal = match custom.identity {
            // The isolation check runs in the provisioner's process.
            "provisioner" | "auditor" => &principals.provisioner,
            _ => &principals.remover,
        };
        let first = scopes.first().cloned().unwrap_or_default();
        let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{first}/{}", custom.name).as_bytes());
        definitions.push(json!({
            "name": name.to_string(),
            "properties": {
                "roleName": custom.name,
                "description": custom.description,
                "type": "CustomRole",
                "permissions": [{
                    "actions": custom.role.names().collect::<Vec<_>>(),
                    "notActions": [], "dataActions": [], "notDataActions": [],
                }],
                "assignableScopes": scopes,
            },
        }));
        for scope in &scopes {
            let subscription = scope.split('/').take(3).collect::<Vec<_>>().join("/");
            let role = format!("{subscription}/providers/Microsoft.Authorization/roleDefinitions/{name}");
            let mut properties = json!({
                "roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal",
            });
            if let Some(condition) = &custom.condition {
                properties["condition"] = json!(condition.to_string());
                properties["conditionVersion"] = json!(Condition::VERSION);
            }
            assignments.push(json!({"scope": scope, "properties": properties}));
        }
    }
    let data: Vec<Value> = ROLES
        .iter()
        .map(|role| json!({"identity": role.identity, "role": role.role, "roleId": role.id, "scope": role.scope}))
        .collect();
    let graph = if permissions.entra { vec![GRAPH] } else { Vec::new() };
    json!({
        "roleDefinitions": definitions,
        "roleAssignments": assignments,
        "graphApplicationRoles": graph,
        "graphApplicationRolesOptional": if permissions.entra { vec![GRAPH_OPTIONAL] } else { Vec::new() },
        "dataRoles": data,
        "resourceProviders": permissions.providers,
    })
}
