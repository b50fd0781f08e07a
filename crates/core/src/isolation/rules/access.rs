//! Rules about roles: who reaches the tenant, and what the tenant reaches.

use super::{
    super::{
        access::Holders,
        case::{Case, Reached, role_of},
        evidence::Assignment,
        report::Given,
    },
    Found,
};

/// How many members of a group a finding names.
const NAMED: usize = 5;

/// Rule `other-tenant-can-reach`: role assignments by which principals of other tenants reach this tenant.
pub(super) fn other_tenants(case: &Case<'_>) -> Vec<Found> {
    describe(case, true)
}

/// Rule `stranger-can-reach`: role assignments by which principals of no known tenant reach this tenant.
pub(super) fn strangers(case: &Case<'_>) -> Vec<Found> {
    describe(case, false)
}

fn describe(case: &Case<'_>, tenants: bool) -> Vec<Found> {
    let is_tenant = |who: &String| case.context.principals.contains_key(&who.to_ascii_lowercase());
    let desired = |reached: &&Reached| reached.who.iter().any(is_tenant) == tenants;
    case.reached.iter().filter(desired).filter_map(|reached| found(case, reached)).collect()
}

fn found(case: &Case<'_>, reached: &Reached) -> Option<Found> {
    let grant = case.context.index.grant(reached.grant)?;
    let assignment = grant.assignment;
    let name = |who: &String| match case.context.principals.get(&who.to_ascii_lowercase()) {
        Some(tenant) => format!("{who} of tenant {tenant}"),
        None => who.clone(),
    };
    let mut who: Vec<String> = reached.who.iter().take(NAMED).map(name).collect();
    if reached.who.len() > NAMED {
        who.push(format!("{} more", reached.who.len() - NAMED));
    }
    let (kind, through) = match grant.holders {
        Holders::Members(_) => ("principal", format!(" in the group {}", assignment.principal_id)),
        Holders::One(_) | Holders::Unknown(_) | Holders::Allowed(_) => {
            (assignment.principal_type.as_str(), String::new())
        }
    };
    let can: Vec<String> = reached.powers.capabilities().iter().map(ToString::to_string).collect();
    let condition =
        if assignment.condition.is_some() { " (under a condition, which is not judged)" } else { "" };
    let says = format!(
        "{} {}{through} has the role {} at {}{condition}: can {}",
        if kind.is_empty() { "principal" } else { kind },
        who.join(", "),
        role_of(grant),
        assignment.scope,
        can.join(", "),
    );
    Some(Found {
        about: assignment.id.clone(),
        says: format!("{says}; reaches {}", reached.what),
        can: reached.powers.capabilities(),
        given: given(case, assignment),
    })
}

/// The assignment as access to revoke, if it is at one of the tenant's own resources. An assignment above them may
/// serve others, so it is not revoked.
fn given(case: &Case<'_>, assignment: &Assignment) -> Option<Given> {
    let Assignment { id, principal_id, scope, .. } = assignment.clone();
    case.judged.owns(&scope).then_some(Given::RoleAssignment { id, principal_id })
}

/// Rule `reaches-beyond`: role assignments of the tenant's own principals outside of the tenant's own resources.
pub(super) fn beyond(case: &Case<'_>) -> Vec<Found> {
    let known = case.beyond().into_iter().filter(|grant| grant.unknown_role.is_none());
    known
        .map(|grant| {
            let Assignment { id, principal_id, scope, .. } = grant.assignment;
            let through = match case.own.get(&principal_id.to_ascii_lowercase()) {
                Some(what) => format!("{principal_id}, {what},"),
                None => format!("the group {principal_id}, with one of the tenant's principals in it,"),
            };
            let says = format!("{through} has the role {} at {scope}", role_of(grant));
            Found { about: id.clone(), says, can: grant.powers.capabilities(), given: None }
        })
        .collect()
}
