//! Azure's built-in roles, with the actions that Microsoft documents ("Azure built-in roles"): those that matter for
//! the simulated resource types, and some with similar names.

use serde_json::{Map, Value, json};

use crate::{roles::ids::DEFINITION, stamp::role_id};

const ROLES: &str = include_str!("../built_in_roles.json");

/// All known built-in roles, as role definitions in the form of Azure's REST API.
pub(crate) fn all() -> impl Iterator<Item = Value> {
    let roles: Map<String, Value> = serde_json::from_str(ROLES).unwrap_or_default();
    roles.into_iter().map(|(name, role)| shown(&name, &role))
}

/// The definition of the built-in role whose name (a GUID) is `name`.
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
