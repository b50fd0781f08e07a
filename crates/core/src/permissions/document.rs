//! Roles and their assignments as Azure's REST API takes them.
//!
//! Source: Microsoft's description of Microsoft.Authorization, 2022-04-01: role definitions and role assignments.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Condition, Permissions, Reach, Role,
    data_plane::{GRAPH, GRAPH_OPTIONAL, ROLES},
};

/// The object ids of our three identities; any text where they are not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    /// Of the Functions host.
    pub host: String,
    /// Of whoever looks, makes and changes.
    pub provisioner: String,
    /// Of whoever deletes.
    pub remover: String,
}

impl Principals {
    /// Texts that say what belongs in their place.
    pub fn unknown() -> Self {
        let id = |of: &str| format!("<object id of the {of}>");
        Self { host: id("host"), provisioner: id("provisioner"), remover: id("remover") }
    }

    /// All of them, each once.
    pub fn all(&self) -> Vec<String> {
        let all = BTreeSet::from([&self.host, &self.provisioner, &self.remover]);
        all.into_iter().cloned().collect()
    }
}

/// One of our custom roles, with all that its definition and assignment say.
#[derive(Debug, Clone)]
pub struct Custom<'a> {
    /// `provisioner`, `remover` or `auditor`.
    pub identity: &'static str,
    /// The role's name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// What it allows.
    pub role: &'a Role,
    /// Under which condition; none if it grants nothing.
    pub condition: Option<Condition>,
}

impl Permissions {
    /// The custom roles of the provisioner and the remover, and what the proof of isolation reads.
    pub fn roles(&self, principals: &Principals) -> [Custom<'_>; 3] {
        let condition = |make: fn(&BTreeSet<String>, &[String]) -> Condition| {
            (!self.granted.is_empty()).then(|| make(&self.granted, &principals.all()))
        };
        [
            Custom {
                identity: "provisioner",
                name: "Tenantry Provisioner",
                description: "Looks at, makes and changes what tenants consist of.",
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

    /// Where the roles are assigned for stamps like these, each place once.
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

/// The definitions and assignments, and what is held beside them.
pub fn document(permissions: &Permissions, stamps: &[Value], principals: &Principals) -> Value {
    let scopes = permissions.scopes(stamps);
    let mut definitions = Vec::new();
    let mut assignments = Vec::new();
    for custom in permissions.roles(principals) {
        let principal = match custom.identity {
            // The proof is the provisioner's process's.
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
