//! Compares needed with held actions.

use std::collections::BTreeSet;

use super::actions::{allows, objection};

/// What one role that an identity holds allows at a scope, as Azure returns it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Held {
    /// The allowed actions; may have wildcards.
    pub actions: Vec<String>,
    /// The actions excluded from these.
    pub not_actions: Vec<String>,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoleComparison {
    /// Needed and not held, in order.
    pub missing: Vec<String>,
    /// Held and not needed, wildcards as they are written; with the reason for those that must never be held.
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
