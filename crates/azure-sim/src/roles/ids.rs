//! Ids of role assignments and definitions, and the unique names of an assignment.

use crate::{path::last, store::Object};

/// The kind of an assignment.
pub(crate) const ASSIGNMENT: &str = "Microsoft.Authorization/roleAssignments";
/// The kind of a definition.
pub(crate) const DEFINITION: &str = "Microsoft.Authorization/roleDefinitions";
/// The api-version of both.
pub(super) const VERSION: &str = "2022-04-01";

pub(super) fn id_of(scope: &str, name: &str) -> String {
    format!("{scope}/providers/{ASSIGNMENT}/{name}")
}

pub(super) fn name_key(name: &str) -> String {
    format!("assignment@{}", name.to_lowercase())
}

/// Principal, role and scope: equal triples are one assignment. Only the GUID of the role's id matters.
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
