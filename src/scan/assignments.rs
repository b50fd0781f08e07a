//! Collects who holds which roles: assignments, role definitions, members of groups.
//!
//! Sources: Microsoft, "Role Assignments - List For Scope" (without a filter: at, above and below; `atScope()`: not
//! below), "Role Definitions - List", "List group transitive members".

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, future::ready, stream};
use serde_json::Value;
use tenantry_core::{
    compare::at,
    isolation::{
        AllowList, Assignment, Evidence, JudgedTenant, Listing, Powers, Reading, RoleDefinition, Stamp,
    },
    steps::{GraphPath, Method, ObjectId, Request, odata_key},
};

use super::{
    AT_ONCE,
    collect::{IDENTITY, ids},
    read::{AUTHORIZATION, all, get, is_refused, one},
};
use crate::ports::Transport;

/// Up to this many tenants are read one by one; for more, their subscriptions are read as a whole.
const FEW: usize = 2;

/// Reads the role assignments that affect the tenants, and those that the tenants' own principals hold.
pub(super) async fn listings(
    transport: &dyn Transport,
    judged_tenants: &[JudgedTenant],
    evidence: &Evidence,
) -> Vec<Listing> {
    if judged_tenants.len() <= FEW {
        return narrow(transport, judged_tenants, evidence).await;
    }
    let mut listings = Vec::new();
    for subscription in subscriptions(evidence) {
        let whole = listing(transport, subscription.clone(), Of::All).await;
        let refused = whole.assignments.shown().is_none();
        listings.push(whole);
        if refused {
            let inside = |(scope, _): &(String, Of)| scope.starts_with(&format!("{subscription}/"));
            let scopes = scopes(judged_tenants, evidence).into_iter().filter(inside);
            listings.extend(each(transport, scopes).await);
        }
    }
    listings
}

fn subscriptions(evidence: &Evidence) -> BTreeSet<String> {
    let of = |id: &str| {
        let id = id.strip_prefix("/subscriptions/")?.split('/').next()?;
        Some(format!("/subscriptions/{}", id.to_ascii_lowercase()))
    };
    evidence.resources.keys().filter_map(|id| of(id)).collect()
}

/// Reads the role assignments of a few tenants, because a subscription may have thousands: one list per scope of the
/// tenants, which includes the scopes above and below, and one for each of the tenants' own principals.
async fn narrow(
    transport: &dyn Transport,
    judged_tenants: &[JudgedTenant],
    evidence: &Evidence,
) -> Vec<Listing> {
    let mut listings = each(transport, scopes(judged_tenants, evidence).into_iter()).await;
    for judged in judged_tenants {
        let identities = judged.of_type(IDENTITY).filter_map(|own| {
            let shown = evidence.resources.get(&own.id.to_ascii_lowercase())?.shown()?;
            Some(at(shown, "/properties/principalId")?.as_str()?.to_owned())
        });
        let applications = judged.applications.iter().map(|own| own.principal_id.clone());
        let principals: Vec<String> = identities.chain(applications).filter(|id| !id.is_empty()).collect();
        for subscription in subscriptions(evidence) {
            let ask = |principal: String| listing(transport, subscription.clone(), Of::One(principal));
            let asked = stream::iter(principals.clone()).map(ask).buffered(AT_ONCE);
            // A list that the caller may not read is left out; a list without an answer is a gap.
            let reported = asked.filter(|listing| ready(!is_refused(&listing.assignments)));
            listings.extend(reported.collect::<Vec<_>>().await);
        }
    }
    listings
}

/// The scopes whose assignments are listed: the outermost of the tenants' own resources, and the resources that tenants
/// share. Children of shared resources belong to other tenants, so only scopes above are included.
fn scopes(judged_tenants: &[JudgedTenant], evidence: &Evidence) -> Vec<(String, Of)> {
    let mut scopes: Vec<(String, Of)> = Vec::new();
    let inside = |id: &str, root: &str| id.starts_with(&format!("{root}/"));
    for id in evidence.resources.keys() {
        let own = judged_tenants.iter().any(|judged| judged.owns(id));
        if !own {
            scopes.push((id.clone(), Of::Above));
        } else if !scopes.iter().any(|(root, of)| *of == Of::All && inside(id, root)) {
            scopes.push((id.clone(), Of::All));
        }
    }
    scopes
}

/// Which assignments a list contains.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    /// Those at the scope, above and below.
    All,
    /// Those at the scope and above.
    Above,
    /// Those of one principal, at the scope, above and below.
    One(String),
}

async fn each(transport: &dyn Transport, scopes: impl Iterator<Item = (String, Of)>) -> Vec<Listing> {
    let ask = |(scope, of): (String, Of)| listing(transport, scope, of);
    stream::iter(scopes.collect::<Vec<_>>()).map(ask).buffered(AT_ONCE).collect().await
}

async fn listing(transport: &dyn Transport, scope: String, of: Of) -> Listing {
    let request = get(&scope, "/providers/Microsoft.Authorization/roleAssignments", &AUTHORIZATION);
    let filtered = |filter: &str| request.clone().map(|request| request.with_query("$filter", filter));
    let (request, of) = match of {
        Of::All => (request, None),
        Of::Above => (filtered("atScope()"), None),
        Of::One(principal) => {
            (filtered(&format!("principalId%20eq%20'{}'", odata_key(&principal))), Some(principal))
        }
    };
    let shown = match request {
        Ok(request) => all(transport, request).await,
        Err(why) => Reading::Unread(why),
    };
    let assignments = match shown {
        Reading::Shown(items) => match items.iter().map(assignment).collect() {
            Some(assignments) => Reading::Shown(assignments),
            None => Reading::Unread("an assignment in the list can't be understood".to_owned()),
        },
        Reading::Absent => Reading::Absent,
        Reading::Unread(why) => Reading::Unread(why),
    };
    Listing { scope, of, assignments }
}

fn assignment(item: &Value) -> Option<Assignment> {
    let mut inner = item.get("properties")?.clone();
    inner["id"] = item.get("id")?.clone();
    serde_json::from_value(inner).ok()
}

/// Reads the definitions of all assigned roles: with one list per subscription, and by id those that are not in a list.
/// For a few tenants all are read by id, because a subscription has hundreds.
pub(super) async fn roles(
    transport: &dyn Transport,
    judged_tenants: &[JudgedTenant],
    listings: &[Listing],
) -> BTreeMap<String, Reading<RoleDefinition>> {
    let assigned = listings.iter().filter_map(|listing| listing.assignments.shown()).flatten();
    let mut desired: BTreeMap<String, String> =
        assigned.map(|one| (one.role(), one.role_definition_id.clone())).collect();
    let mut roles = BTreeMap::new();
    let stamps: BTreeMap<&str, &Stamp> =
        judged_tenants.iter().map(|judged| (judged.stamp.subscription_id.as_str(), &judged.stamp)).collect();
    for (subscription, stamp) in stamps.iter().filter(|_| judged_tenants.len() > FEW) {
        // A caller that may not read the subscription's definitions can read the same ones at the stamp's resource
        // group.
        for scope in [format!("/subscriptions/{subscription}"), stamp.group_id()] {
            let list = get(&scope, "/providers/Microsoft.Authorization/roleDefinitions", &AUTHORIZATION);
            let Ok(list) = list else { continue };
            if let Reading::Shown(items) = all(transport, list).await {
                for item in items {
                    let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
                    if desired.remove(&name.to_ascii_lowercase()).is_some() {
                        roles.insert(name.to_ascii_lowercase(), role(&item));
                    }
                }
                break;
            }
        }
    }
    // They are read at the stamp's resource group, because the caller may not be allowed to read the subscription's.
    if let Some(stamp) = stamps.values().next().filter(|_| judged_tenants.len() <= FEW) {
        for (name, id) in &mut desired {
            *id = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{name}", stamp.group_id());
        }
    }
    let read = |(name, id): (String, String)| async move {
        let shown = match get(&id, "", &AUTHORIZATION) {
            Ok(request) => one(transport, request).await,
            Err(why) => Reading::Unread(why),
        };
        let seen = match shown {
            Reading::Shown(item) => role(&item),
            Reading::Absent => Reading::Absent,
            Reading::Unread(why) => Reading::Unread(why),
        };
        (name, seen)
    };
    let rest: Vec<_> = stream::iter(desired).map(read).buffer_unordered(AT_ONCE).collect().await;
    roles.extend(rest);
    roles
}

fn role(item: &Value) -> Reading<RoleDefinition> {
    let role = item.get("properties").cloned().map(serde_json::from_value);
    match role {
        Some(Ok(role)) => Reading::Shown(role),
        Some(Err(_)) | None => Reading::Unread("the definition can't be understood".to_owned()),
    }
}

/// Reads the members of the groups that hold a role with power over a tenant and are not in the allow list.
pub(super) async fn groups(
    transport: &dyn Transport,
    evidence: &Evidence,
    allow: &AllowList,
) -> BTreeMap<String, Reading<Vec<String>>> {
    let matters = |one: &&Assignment| {
        let role = evidence.roles.get(&one.role()).and_then(Reading::shown);
        one.principal_type.eq_ignore_ascii_case("Group")
            && allow.principal(&one.principal_id).is_none()
            && role.is_none_or(|role| !Powers::of_role(role).is_empty())
    };
    let assigned = evidence.listings.iter().filter_map(|listing| listing.assignments.shown()).flatten();
    let desired: BTreeSet<String> =
        assigned.filter(matters).map(|one| one.principal_id.to_ascii_lowercase()).collect();
    let read = |id: String| async move {
        let Some(group) = ObjectId::read(&id) else {
            return (id, Reading::Unread("the group's id can't be read".to_owned()));
        };
        let members = GraphPath::of("/v1.0/groups").item(&group).then("/transitiveMembers");
        let members =
            Request::graph(Method::Get, members).with_query("$select", "id").with_query("$top", "999");
        (id, ids(all(transport, members).await))
    };
    stream::iter(desired).map(read).buffer_unordered(AT_ONCE).collect().await
}
