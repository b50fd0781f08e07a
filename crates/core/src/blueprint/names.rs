//! Names of Azure objects, fixed before anything is created.
//!
//! A name is a pure function of (type, deployment, tenant, incarnation, step): a prefix for the type, as much of the
//! tenant's id as fits, and 80 bits of a hash over all five. The hash comes last and is never truncated, so two tenants
//! share a name only if their hashes collide.

use uuid::Uuid;

use super::NameRule;
use crate::ids::{TenantId, short_hash};

/// The UUID namespace of role assignment names. Generated at random; it must never change, or existing assignments
/// would get other names.
const ROLE_ASSIGNMENTS: Uuid = Uuid::from_u128(0x5b0f_6a3e_91c4_4d27_8f6e_2c7a_b0d5_13e9);

/// The rule for resource types that the table of resource types does not have; nearly all types accept such names.
pub(super) const COMMON: NameRule = NameRule { length: (3, 50), hyphen: true, prefix: "t" };
/// The rule for an Entra application's unique name.
pub(super) const APPLICATION: NameRule = NameRule { length: (3, 120), hyphen: true, prefix: "app" };
/// The rule for a federated credential's name: at most 120 URL-safe characters (Graph, federatedIdentityCredential).
pub(super) const CREDENTIAL: NameRule = NameRule { length: (3, 120), hyphen: true, prefix: "fc" };

/// The owner of an Azure object, from which the object's name is derived.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The name of the tenantry deployment.
    pub deployment: &'a str,
    /// The tenant's id.
    pub tenant: &'a TenantId,
    /// The tenant's incarnation: a soft-deleted object of an earlier incarnation may still hold its name.
    pub incarnation: u32,
}

/// Derives the name of one object. The name satisfies `rule` and differs for every (kind, owner, slot).
///
/// `kind` is the resource type or step kind, compared without case; `slot` is the step's name.
pub fn derive(rule: &NameRule, kind: &str, owner: Owner<'_>, slot: &str) -> String {
    let incarnation = owner.incarnation.to_string();
    let kind = kind.to_ascii_lowercase();
    let tenant = owner.tenant.as_str();
    let hash = short_hash(&["name", &kind, owner.deployment, tenant, &incarnation, slot]);
    let between = if rule.hyphen { "-" } else { "" };
    let fixed = rule.prefix.len() + hash.len() + 2 * between.len();
    let room = rule.length.1.saturating_sub(fixed);
    let mut readable = String::with_capacity(room);
    for c in tenant.chars().filter(|c| rule.hyphen || *c != '-') {
        // Key vaults and endpoints do not allow two hyphens in a row.
        if readable.len() < room && !(c == '-' && readable.ends_with('-')) {
            readable.push(c);
        }
    }
    let readable = readable.trim_end_matches('-');
    let parts = [rule.prefix, readable, &hash];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
}

/// The name of a role assignment: a UUID of version 5 over scope, principal and role, all in lower case.
///
/// The principal's id is part of the name, because a recreated identity has another id and an assignment can't be
/// changed to another principal (Azure docs, RBAC troubleshooting).
pub fn role_assignment_name(scope: &str, principal: &str, role: &str) -> Uuid {
    let text =
        [scope, principal, role].map(|part| part.trim_end_matches('/').to_ascii_lowercase()).join("\0");
    Uuid::new_v5(&ROLE_ASSIGNMENTS, text.as_bytes())
}
