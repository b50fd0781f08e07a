//! Collects who holds which roles: assignments, the definitions of the roles, the members of groups.
//!
//! Sources: Microsoft, "Role Assignments - List For Scope" (without a filter: at, above and below; `atScope()`: not below),
//! "Role Definitions - List", "List group transitive members".

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, future::ready, stream};
use serde_json::Value;
use tenantry_core::{
    compare::at,
    isolation::{AllowList, Assignment, Evidence, Listing, Powers, Reading, RoleDefinition, Stamp, Subject},
    steps::{GraphPath, Method, ObjectId, Request, odata_key},
};

use super::{
    AT_ONCE,
    collect::{IDENTITY, ids},
    read::{AUTHORIZATION, all, is_refused, look_at, one},
};
use crate::ports::Wire;

/// So few tenants are looked at by themselves; of more, what their subscriptions hold is read as a whole.
const FEW: usize = 2;

/// Role assignments: what reaches the tenants, and what the tenants' own principals hold.
pub(super) async fn listings(wire: &dyn Wire, subjects: &[Subject], evidence: &Evidence) -> Vec<Listing> {
    if subjects.len() <= FEW {
        return narrow(wire, subjects, evidence).await;
    }
    let mut listings = Vec::new();
    for subscription in subscriptions(evidence) {
        let whole = listing(wire, subscription.clone(), Of::All).await;
        let refused = whole.assignments.shown().is_none();
        listings.push(whole);
        if refused {
            let inside = |(scope, _): &(String, Of)| scope.starts_with(&format!("{subscription}/"));
            let places = places(subjects, evidence).into_iter().filter(inside);
            listings.extend(each(wire, places).await);
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

/// For a few tenants in a subscription that may hold thousands of assignments: a list per place of theirs, which shows what
/// is above and below too, and one for each of their own principals.
async fn narrow(wire: &dyn Wire, subjects: &[Subject], evidence: &Evidence) -> Vec<Listing> {
    let mut listings = each(wire, places(subjects, evidence).into_iter()).await;
    for subject in subjects {
        let identities = subject.of_type(IDENTITY).filter_map(|own| {
            let shown = evidence.resources.get(&own.id.to_ascii_lowercase())?.shown()?;
            Some(at(shown, "/properties/principalId")?.as_str()?.to_owned())
        });
        let applications = subject.applications.iter().map(|own| own.principal_id.clone());
        let principals: Vec<String> = identities.chain(applications).filter(|id| !id.is_empty()).collect();
        for subscription in subscriptions(evidence) {
            let ask = |principal: String| listing(wire, subscription.clone(), Of::One(principal));
            let asked = stream::iter(principals.clone()).map(ask).buffered(AT_ONCE);
            // Where the asker may not read, nothing is said; an answer that did not come is a gap.
            let told = asked.filter(|listing| ready(!is_refused(&listing.assignments)));
            listings.extend(told.collect::<Vec<_>>().await);
        }
    }
    listings
}

/// The tenants' own places, the outermost only, and those that they share, of which what is below is others'.
fn places(subjects: &[Subject], evidence: &Evidence) -> Vec<(String, Of)> {
    let mut places: Vec<(String, Of)> = Vec::new();
    let inside = |id: &str, root: &str| id.starts_with(&format!("{root}/"));
    for id in evidence.resources.keys() {
        let own = subjects.iter().any(|subject| subject.owns(id));
        if !own {
            places.push((id.clone(), Of::Above));
        } else if !places.iter().any(|(root, of)| *of == Of::All && inside(id, root)) {
            places.push((id.clone(), Of::All));
        }
    }
    places
}

/// Which assignments a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    /// Those at the scope, above and below.
    All,
    /// Those at the scope and above.
    Above,
    /// Those of one principal, at the scope, above and below.
    One(String),
}

async fn each(wire: &dyn Wire, places: impl Iterator<Item = (String, Of)>) -> Vec<Listing> {
    let ask = |(scope, of): (String, Of)| listing(wire, scope, of);
    stream::iter(places.collect::<Vec<_>>()).map(ask).buffered(AT_ONCE).collect().await
}

async fn listing(wire: &dyn Wire, scope: String, of: Of) -> Listing {
    let request = look_at(&scope, "/providers/Microsoft.Authorization/roleAssignments", &AUTHORIZATION);
    let filtered = |filter: &str| request.clone().map(|request| request.with_query("$filter", filter));
    let (request, of) = match of {
        Of::All => (request, None),
        Of::Above => (filtered("atScope()"), None),
        Of::One(principal) => {
            (filtered(&format!("principalId%20eq%20'{}'", odata_key(&principal))), Some(principal))
        }
    };
    let shown = match request {
        Ok(request) => all(wire, request).await,
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

/// The definitions of all roles that are assigned: from one list per subscription, those that it lacks by id. For a few
/// tenants by id at once, for a subscription knows hundreds.
pub(super) async fn roles(
    wire: &dyn Wire,
    subjects: &[Subject],
    listings: &[Listing],
) -> BTreeMap<String, Reading<RoleDefinition>> {
    let assigned = listings.iter().filter_map(|listing| listing.assignments.shown()).flatten();
    let mut wanted: BTreeMap<String, String> =
        assigned.map(|one| (one.role(), one.role_definition_id.clone())).collect();
    let mut roles = BTreeMap::new();
    let stamps: BTreeMap<&str, &Stamp> =
        subjects.iter().map(|subject| (subject.stamp.subscription_id.as_str(), &subject.stamp)).collect();
    for (subscription, stamp) in stamps.iter().filter(|_| subjects.len() > FEW) {
        // Whoever may not ask in the subscription may in the stamp's group, which sees the same definitions.
        for scope in [format!("/subscriptions/{subscription}"), stamp.group_id()] {
            let list = look_at(&scope, "/providers/Microsoft.Authorization/roleDefinitions", &AUTHORIZATION);
            let Ok(list) = list else { continue };
            if let Reading::Shown(items) = all(wire, list).await {
                for item in items {
                    let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
                    if wanted.remove(&name.to_ascii_lowercase()).is_some() {
                        roles.insert(name.to_ascii_lowercase(), role(&item));
                    }
                }
                break;
            }
        }
    }
    // Whoever may not ask in the subscription may in the stamp's group, which sees the same definitions.
    if let Some(stamp) = stamps.values().next().filter(|_| subjects.len() <= FEW) {
        for (name, id) in &mut wanted {
            *id = format!("{}/providers/Microsoft.Authorization/roleDefinitions/{name}", stamp.group_id());
        }
    }
    let look = |(name, id): (String, String)| async move {
        let shown = match look_at(&id, "", &AUTHORIZATION) {
            Ok(request) => one(wire, request).await,
            Err(why) => Reading::Unread(why),
        };
        let seen = match shown {
            Reading::Shown(item) => role(&item),
            Reading::Absent => Reading::Absent,
            Reading::Unread(why) => Reading::Unread(why),
        };
        (name, seen)
    };
    let rest: Vec<_> = stream::iter(wanted).map(look).buffer_unordered(AT_ONCE).collect().await;
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

/// The members of the groups that hold a role that reaches something and are not declared.
pub(super) async fn groups(
    wire: &dyn Wire,
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
    let wanted: BTreeSet<String> =
        assigned.filter(matters).map(|one| one.principal_id.to_ascii_lowercase()).collect();
    let look = |id: String| async move {
        let Some(group) = ObjectId::read(&id) else {
            return (id, Reading::Unread("the group's id can't be read".to_owned()));
        };
        let members = GraphPath::of("/v1.0/groups").item(&group).then("/transitiveMembers");
        let members =
            Request::graph(Method::Get, members).with_query("$select", "id").with_query("$top", "999");
        (id, ids(all(wire, members).await))
    };
    stream::iter(wanted).map(look).buffer_unordered(AT_ONCE).collect().await
}
