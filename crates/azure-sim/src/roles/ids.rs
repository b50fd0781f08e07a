//! Types and ids of role assignments and definitions, and the unique names that an assignment reserves.

use crate::{path::last, store::Object};

/// The resource type of role assignments.
pub(crate) const ASSIGNMENT: &str = "Microsoft.Authorization/roleAssignments";
/// The resource type of role definitions.
pub(crate) const DEFINITION: &str = "Microsoft.Authorization/roleDefinitions";
/// The api-version of role assignments and role definitions.
pub(super) const VERSION: &str = "2022-04-01";

pub(super) fn id_of(scope: &str, name: &str) -> String {
    format!("{scope}/providers/{ASSIGNMENT}/{name}")
}

pub(super) fn name_key(name: &str) -> String {
    format!("assignment@{}", name.to_lowercase())
}

/// The index key under which the assignments of a principal are found.
pub(super) fn held_by(principal: &str) -> String {
    format!("assignments of {}", principal.to_lowercase())
}

/// The unique name for a scope, role and principal: there is at most one assignment for each combination. Only the GUID
/// of the role's id is used.
pub(super) fn triple_key(scope: &str, role: &str, principal: &str) -> String {
    format!("grant@{scope}|{}|{principal}", last(role)).to_lowercase()
}

pub(super) fn triple_of(object: &Object) -> String {
    triple_key(
        object.text("/properties/scope"),
        object.text("/properties/roleDefinitionId"),
        object.text("/properties/principalId"),
    )
}
