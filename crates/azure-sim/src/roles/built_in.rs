//! Built-in roles, with the actions that Microsoft documents ("Azure built-in roles"): the ones relevant to the
//! resource types of the simulated Azure, and some with similar names.

use serde_json::{Map, Value, json};

use crate::{roles::ids::DEFINITION, stamp::role_id};

const ROLES: &str = include_str!("../built_in_roles.json");

/// All built-in roles, as role definitions.
pub(crate) fn all() -> impl Iterator<Item = Value> {
    let roles: Map<String, Value> = serde_json::from_str(ROLES).unwrap_or_default();
    roles.into_iter().map(|(name, role)| shown(&name, &role))
}

/// The built-in role with this GUID.
pub(crate) fn find(name: &str) -> Option<Value> {
    all().find(|role| role["name"].as_str().is_some_and(|other| other.eq_ignore_ascii_case(name)))
}

fn shown(name: &str, role: &Value) -> Value {
    json!({
        "id": role_id(name),
        "name": name, "type": DEFINITION,
        "properties": {
            "roleName": role["roleName"], "type": "BuiltInRole", "description": role["roleName"],
            "assignableScopes": ["/"], "permissions": role["permissions"],
        },
    })
}
