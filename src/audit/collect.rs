//! Collects what is to be judged: what the tenants share once, then what is each tenant's, a few at a time.
//!
//! Sources: Microsoft, "Role Assignments - List For Scope" (without a filter: at, above and below), "Role Definitions -
//! List", "List group transitive members", "List owners".

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::read::{all, one};
use crate::{
    blueprint::ResourceType,
    isolation::{
        AllowList, Application, Assignment, Evidence, Listing, OwnApplication, Powers, Role, Seen, Stamp,
        Subject,
    },
    ports::Wire,
    steps::{Api, Method, Request, odata_key},
};

/// How many questions are under way at a time.
const AT_ONCE: usize = 8;
const AUTHORIZATION: &str = "2022-04-01";
const IDENTITIES: &str = "2023-01-31";
const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const ENDPOINT: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
const WORKSPACE: &str = "Microsoft.MachineLearningServices/workspaces";

/// Everything that Azure shows of these tenants.
pub(super) async fn evidence(wire: &dyn Wire, subjects: &[Subject], allow: &AllowList) -> Evidence {
    let mut evidence = Evidence::default();
    if subjects.is_empty() {
        return evidence;
    }
    let mut wanted = BTreeMap::new();
    for own in subjects.iter().flat_map(|subject| &subject.resources) {
        wanted.insert(own.id.to_ascii_lowercase(), (own.id.clone(), own.api_version.clone()));
    }
    for own in subjects.iter().flat_map(|subject| subject.of_type(ENDPOINT)) {
        if let Some((workspace, _)) = own.id.rsplit_once("/onlineEndpoints/") {
            want(&mut wanted, workspace);
        }
    }
    evidence.resources = resources(wire, wanted).await;
    // Where a workspace keeps its data is known only now.
    let mut behind = BTreeMap::new();
    let shown = evidence.resources.values().filter_map(Seen::shown);
    for workspace in shown.filter(|shown| is_a(shown, WORKSPACE)) {
        for pointer in ["/properties/storageAccount", "/properties/keyVault"] {
            want(&mut behind, workspace.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
        }
    }
    behind.retain(|id, _| !evidence.resources.contains_key(id));
    evidence.resources.extend(resources(wire, behind).await);
    evidence.identity_credentials = identity_credentials(wire, subjects).await;
    evidence.applications = applications(wire, subjects).await;
    evidence.listings = listings(wire, subjects, &evidence).await;
    evidence.roles = roles(wire, subjects, &evidence.listings).await;
    evidence.groups = groups(wire, &evidence, allow).await;
    evidence
}

fn want(wanted: &mut BTreeMap<String, (String, String)>, id: &str) {
    if let Some(kind) = ResourceType::of_id(id) {
        let entry = || (id.to_owned(), kind.api_version.to_owned());
        wanted.entry(id.to_ascii_lowercase()).or_insert_with(entry);
    }
}

fn is_a(shown: &Value, kind: &str) -> bool {
    let id = shown.get("id").and_then(Value::as_str).unwrap_or_default();
    ResourceType::type_of_id(id).is_some_and(|seen| seen.eq_ignore_ascii_case(kind))
}

/// Resources by id; an answer about another one counts as none.
async fn resources(
    wire: &dyn Wire,
    wanted: BTreeMap<String, (String, String)>,
) -> BTreeMap<String, Seen<Value>> {
    let look = |(key, (id, version)): (String, (String, String))| async move {
        let seen = one(wire, Request::arm(Method::Get, &id, &version)).await;
        let other = |shown: &Value| {
            !shown.get("id").and_then(Value::as_str).is_some_and(|seen| seen.eq_ignore_ascii_case(&id))
        };
        let seen = match seen.shown().is_some_and(other) {
            true => Seen::Unread("the answer is about another resource".to_owned()),
            false => seen,
        };
        (key, seen)
    };
    stream::iter(wanted).map(look).buffer_unordered(AT_ONCE).collect().await
}

async fn identity_credentials(wire: &dyn Wire, subjects: &[Subject]) -> BTreeMap<String, Seen<Vec<Value>>> {
    let ids: BTreeSet<String> =
        subjects.iter().flat_map(|subject| subject.of_type(IDENTITY)).map(|own| own.id.clone()).collect();
    let look = |id: String| async move {
        let list = Request::arm(Method::Get, &format!("{id}/federatedIdentityCredentials"), IDENTITIES);
        (id.to_ascii_lowercase(), all(wire, list).await)
    };
    stream::iter(ids).map(look).buffer_unordered(AT_ONCE).collect().await
}

async fn applications(wire: &dyn Wire, subjects: &[Subject]) -> BTreeMap<String, Application> {
    let all: Vec<OwnApplication> =
        subjects.iter().flat_map(|subject| &subject.applications).cloned().collect();
    let look = |own: OwnApplication| async move {
        let seen = application(wire, &own).await;
        (own.unique_name, seen)
    };
    stream::iter(all).map(look).buffer_unordered(AT_ONCE).collect().await
}

async fn application(wire: &dyn Wire, own: &OwnApplication) -> Application {
    let graph = |path: String| Request::new(Api::Graph, Method::Get, path);
    let name = odata_key(&own.unique_name);
    let object = one(wire, graph(format!("/v1.0/applications(uniqueName='{name}')"))).await;
    let member = |name: &str| object.shown()?.get(name)?.as_str().map(odata_key);
    let (Some(id), Some(app_id)) = (member("id"), member("appId")) else {
        let why = "without the application it can't be looked for";
        let absent = object == Seen::Absent;
        let rest = if absent { absent_application() } else { Application::unread(why) };
        return Application { object, ..rest };
    };
    let principal = one(wire, graph(format!("/v1.0/servicePrincipals(appId='{app_id}')"))).await;
    let credentials = graph(format!("/v1.0/applications/{id}/federatedIdentityCredentials"));
    let credentials = all(wire, credentials).await;
    let mut owners = ids(all(wire, graph(format!("/v1.0/applications/{id}/owners?$select=id"))).await);
    if let Some(id) = principal.shown().and_then(|shown| shown.get("id")?.as_str()).map(odata_key) {
        let more = ids(all(wire, graph(format!("/v1.0/servicePrincipals/{id}/owners?$select=id"))).await);
        owners = match (owners, more) {
            (Seen::Shown(mut owners), Seen::Shown(more)) => {
                owners.extend(more);
                owners.sort();
                owners.dedup();
                Seen::Shown(owners)
            }
            (Seen::Shown(_), other) | (other, _) => other,
        };
    }
    Application { object, principal, credentials, owners }
}

fn absent_application() -> Application {
    Application {
        object: Seen::Absent,
        principal: Seen::Absent,
        credentials: Seen::Absent,
        owners: Seen::Absent,
    }
}

/// The ids in a list of directory objects. Groups are left out: whoever is in them stands in the list too.
fn ids(list: Seen<Vec<Value>>) -> Seen<Vec<String>> {
    match list {
        Seen::Shown(items) => {
            let is_group = |item: &&Value| {
                item.get("@odata.type").and_then(Value::as_str) == Some("#microsoft.graph.group")
            };
            let people = items.iter().filter(|item| !is_group(item));
            let ids: Option<Vec<String>> =
                people.map(|item| Some(item.get("id")?.as_str()?.to_owned())).collect();
            ids.map_or_else(|| Seen::Unread("the list has an entry without id".to_owned()), Seen::Shown)
        }
        Seen::Absent => Seen::Absent,
        Seen::Unread(why) => Seen::Unread(why),
    }
}

/// One list per subscription. Where that is refused, one per resource: it shows what is above and below too.
async fn listings(wire: &dyn Wire, subjects: &[Subject], evidence: &Evidence) -> Vec<Listing> {
    let of = |id: &str| {
        let id = id.strip_prefix("/subscriptions/")?.split('/').next()?;
        Some(format!("/subscriptions/{}", id.to_ascii_lowercase()))
    };
    let subscriptions: BTreeSet<String> = evidence.resources.keys().filter_map(|id| of(id)).collect();
    let mut listings = Vec::new();
    for subscription in subscriptions {
        let whole = listing(wire, subscription.clone()).await;
        let refused = whole.assignments.shown().is_none();
        listings.push(whole);
        if refused {
            // Groups first: what is in them need not be asked about.
            let mut roots: Vec<&str> = Vec::new();
            let inside = |id: &str, root: &str| id.starts_with(&format!("{root}/"));
            for (id, _) in evidence.resources.iter().filter(|(id, _)| inside(id, &subscription)) {
                let own = subjects.iter().any(|subject| subject.owns(id));
                if !roots.iter().any(|root| own && inside(id, root)) {
                    roots.push(id);
                }
            }
            let roots: Vec<String> = roots.into_iter().map(str::to_owned).collect();
            let ask = |scope: String| listing(wire, scope);
            let more: Vec<Listing> = stream::iter(roots).map(ask).buffered(AT_ONCE).collect().await;
            listings.extend(more);
        }
    }
    listings
}

async fn listing(wire: &dyn Wire, scope: String) -> Listing {
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments");
    let assignments = match all(wire, Request::arm(Method::Get, &path, AUTHORIZATION)).await {
        Seen::Shown(items) => match items.iter().map(assignment).collect() {
            Some(assignments) => Seen::Shown(assignments),
            None => Seen::Unread("an assignment in the list can't be understood".to_owned()),
        },
        Seen::Absent => Seen::Absent,
        Seen::Unread(why) => Seen::Unread(why),
    };
    Listing { scope, assignments }
}

fn assignment(item: &Value) -> Option<Assignment> {
    let mut inner = item.get("properties")?.clone();
    inner["id"] = item.get("id")?.clone();
    serde_json::from_value(inner).ok()
}

/// The definitions of all roles that are assigned: from one list per subscription, those that it lacks by id.
async fn roles(wire: &dyn Wire, subjects: &[Subject], listings: &[Listing]) -> BTreeMap<String, Seen<Role>> {
    let assigned = listings.iter().filter_map(|listing| listing.assignments.shown()).flatten();
    let mut wanted: BTreeMap<String, String> =
        assigned.map(|one| (one.role(), one.role_definition_id.clone())).collect();
    let mut roles = BTreeMap::new();
    let stamps: BTreeMap<&str, &Stamp> =
        subjects.iter().map(|subject| (subject.stamp.subscription_id.as_str(), &subject.stamp)).collect();
    for (subscription, stamp) in stamps {
        // Whoever may not ask in the subscription may in the stamp's group, which sees the same definitions.
        for scope in [format!("/subscriptions/{subscription}"), stamp.group_id()] {
            let path = format!("{scope}/providers/Microsoft.Authorization/roleDefinitions");
            if let Seen::Shown(items) = all(wire, Request::arm(Method::Get, &path, AUTHORIZATION)).await {
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
    let look = |(name, id): (String, String)| async move {
        let seen = match one(wire, Request::arm(Method::Get, &id, AUTHORIZATION)).await {
            Seen::Shown(item) => role(&item),
            Seen::Absent => Seen::Absent,
            Seen::Unread(why) => Seen::Unread(why),
        };
        (name, seen)
    };
    let rest: Vec<_> = stream::iter(wanted).map(look).buffer_unordered(AT_ONCE).collect().await;
    roles.extend(rest);
    roles
}

fn role(item: &Value) -> Seen<Role> {
    let role = item.get("properties").cloned().map(serde_json::from_value);
    match role {
        Some(Ok(role)) => Seen::Shown(role),
        Some(Err(_)) | None => Seen::Unread("the definition can't be understood".to_owned()),
    }
}

/// The members of the groups that hold a role that reaches something and are not declared.
async fn groups(
    wire: &dyn Wire,
    evidence: &Evidence,
    allow: &AllowList,
) -> BTreeMap<String, Seen<Vec<String>>> {
    let matters = |one: &&Assignment| {
        let role = evidence.roles.get(&one.role()).and_then(Seen::shown);
        one.principal_type.eq_ignore_ascii_case("Group")
            && allow.principal(&one.principal_id).is_none()
            && role.is_none_or(|role| !Powers::of_role(role).is_empty())
    };
    let assigned = evidence.listings.iter().filter_map(|listing| listing.assignments.shown()).flatten();
    let wanted: BTreeSet<String> =
        assigned.filter(matters).map(|one| one.principal_id.to_ascii_lowercase()).collect();
    let look = |id: String| async move {
        let path = format!("/v1.0/groups/{}/transitiveMembers?$select=id&$top=999", odata_key(&id));
        (id, ids(all(wire, Request::new(Api::Graph, Method::Get, path)).await))
    };
    stream::iter(wanted).map(look).buffer_unordered(AT_ONCE).collect().await
}
