//! Compares needed with held actions.

use std::collections::BTreeSet;

use super::actions::{allows, objection};

/// What one role that an identity holds allows at a scope, as Azure returns it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Held {
    /// The allowed actions; may have wildcards.
    pub actions: Vec<String>,
    /// The actions excluded from `actions`; may have wildcards.
    pub not_actions: Vec<String>,
}

/// The differences between the actions that an identity needs and those that its roles allow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleComparison {
    /// The actions that are needed and not held, sorted.
    pub missing: Vec<String>,
    /// The actions that are held and not needed, sorted. Wildcards are not expanded. A wildcard, or an action that
    /// tenantry must never have, comes as a sentence with the reason.
    pub excess: Vec<String>,
}

/// Compares the needed actions with the held roles.
pub fn compare(needed: &BTreeSet<String>, held: &[Held]) -> RoleComparison {
    let is_held = |action: &&String| held.iter().any(|role| allows(&role.actions, &role.not_actions, action));
    let missing = needed.iter().filter(|action| !is_held(action)).cloned().collect();
    let is_needed = |action: &str| needed.iter().any(|other| other.eq_ignore_ascii_case(action));
    let unneeded = held.iter().flat_map(|role| &role.actions).filter(|action| !is_needed(action));
    let excess: BTreeSet<String> =
        unneeded.map(|action| objection(action).unwrap_or_else(|| action.clone())).collect();
    RoleComparison { missing, excess: excess.into_iter().collect() }
}
