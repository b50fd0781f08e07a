//! Actions: how wildcards match, and which actions no role of tenantry may have.
//!
//! Source: Microsoft, "Understand Azure role definitions": `*` matches any characters, slashes included; each role
//! allows its actions minus its own not-actions.

use crate::blueprint::forbidden_type;

/// The prefix of actions on resource groups.
const GROUPS: &str = "Microsoft.Resources/subscriptions/resourceGroups";

/// Whether a pattern matches an action. Compared without case, as Azure does.
pub fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = action.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    // Taking the first match of each piece leaves the most text for the pieces behind it.
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether one role with these actions and not-actions allows an action.
pub fn allows<T: AsRef<str>>(actions: &[T], not_actions: &[T], action: &str) -> bool {
    let any = |patterns: &[T]| patterns.iter().any(|pattern| matches(pattern.as_ref(), action));
    any(actions) && !any(not_actions)
}

/// The actions that grant and revoke roles. They are allowed only with a condition on which roles, and to whom.
const UNDER_CONDITION: [&str; 2] =
    ["Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"];

/// Actions that no role of tenantry may have, whatever a blueprint says, and why: keys are secrets, only the tenant
/// calls its service, and a principal that writes locks or policies can do anything. [`objection`] also refuses actions
/// on the types that blueprints may not create.
const NEVER: [(&str, &str); 9] = [
    ("*/listKeys/action", "it reads keys"),
    ("*/listSecrets/action", "it reads secrets"),
    ("*/regenerateKeys/action", "it makes keys"),
    ("*/regenerateKey/action", "it makes keys"),
    ("*/onlineEndpoints/token/action", "it gets the tokens of callers"),
    ("*/score/action", "only a tenant's own principal calls its endpoint"),
    ("Microsoft.Authorization/locks/*", "locks are for people to set"),
    ("Microsoft.Authorization/policy*", "policies are for people to set"),
    ("Microsoft.Authorization/elevateAccess/*", "it is the way to everything"),
];

/// Why a role of tenantry may not have an action, or `None` if it may.
pub fn objection(action: &str) -> Option<String> {
    if action.contains('*') {
        return Some(format!("{action} is a wildcard"));
    }
    let never = NEVER.iter().find(|(pattern, _)| matches(pattern, action)).map(|(_, why)| *why);
    let why = never.or_else(|| {
        let under_condition = UNDER_CONDITION.iter().any(|known| known.eq_ignore_ascii_case(action));
        let (of, what) = action.rsplit_once('/')?;
        let groups = of.eq_ignore_ascii_case(GROUPS);
        if what.eq_ignore_ascii_case("read") || under_condition || groups {
            return None;
        }
        forbidden_type(of)
    })?;
    Some(format!("{action} is never granted: {why}"))
}

/// Whether an action is granted only with a condition.
pub fn takes_condition(action: &str) -> bool {
    UNDER_CONDITION.iter().any(|known| known.eq_ignore_ascii_case(action))
}
