//! Collects what is to be judged: what the tenants share once, then what is each tenant's, a few at a time.
//!
//! Source: Microsoft, "List owners".

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tenantry_core::{
    blueprint::ResourceType,
    compare::{same_id, same_word, text_at},
    ids::ApiVersion,
    isolation::{AllowList, Application, Evidence, OwnApplication, Reading, Subject},
    steps::{GraphPath, Method, ObjectId, Request},
};

use super::{
    AT_ONCE,
    assignments::{groups, listings, roles},
    read::{all, look_at, one},
};
use crate::ports::Wire;

const IDENTITIES: ApiVersion = ApiVersion::known("2023-01-31");
pub(super) const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
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
    let shown = evidence.resources.values().filter_map(Reading::shown);
    for workspace in shown.filter(|shown| is_a(shown, WORKSPACE)) {
        for pointer in ["/properties/storageAccount", "/properties/keyVault"] {
            want(&mut behind, text_at(workspace, pointer));
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
    ResourceType::type_of_id(id).is_some_and(|seen| same_word(&seen, kind))
}

/// Resources by id; an answer about another one counts as none.
async fn resources(
    wire: &dyn Wire,
    wanted: BTreeMap<String, (String, String)>,
) -> BTreeMap<String, Reading<Value>> {
    let look = |(key, (id, version)): (String, (String, String))| async move {
        let version = version.parse::<ApiVersion>().map_err(|why| why.to_string());
        let seen = match version.and_then(|version| look_at(&id, "", &version)) {
            Ok(request) => one(wire, request).await,
            Err(why) => Reading::Unread(why),
        };
        let other =
            |shown: &Value| !shown.get("id").and_then(Value::as_str).is_some_and(|seen| same_id(seen, &id));
        let seen = match seen.shown().is_some_and(other) {
            true => Reading::Unread("the answer is about another resource".to_owned()),
            false => seen,
        };
        (key, seen)
    };
    stream::iter(wanted).map(look).buffer_unordered(AT_ONCE).collect().await
}

async fn identity_credentials(
    wire: &dyn Wire,
    subjects: &[Subject],
) -> BTreeMap<String, Reading<Vec<Value>>> {
    let ids: BTreeSet<String> =
        subjects.iter().flat_map(|subject| subject.of_type(IDENTITY)).map(|own| own.id.clone()).collect();
    let look = |id: String| async move {
        let seen = match look_at(&id, "/federatedIdentityCredentials", &IDENTITIES) {
            Ok(list) => all(wire, list).await,
            Err(why) => Reading::Unread(why),
        };
        (id.to_ascii_lowercase(), seen)
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
    let graph = |path: GraphPath| Request::graph(Method::Get, path);
    let owners_of = |path: GraphPath| graph(path.then("/owners")).with_query("$select", "id");
    let (of, principals) = (GraphPath::of("/v1.0/applications"), GraphPath::of("/v1.0/servicePrincipals"));
    let object = one(wire, graph(of.clone().keyed("uniqueName", &own.unique_name))).await;
    let member = |name: &str| object.shown()?.get(name)?.as_str();
    let (Some(id), Some(app_id)) = (member("id").and_then(ObjectId::read), member("appId")) else {
        let why = "without the application it can't be looked for";
        let absent = object == Reading::Absent;
        let rest = if absent { absent_application() } else { Application::unread(why) };
        return Application { object, ..rest };
    };
    let principal = one(wire, graph(principals.clone().keyed("appId", app_id))).await;
    let of = of.item(&id);
    let credentials = graph(of.clone().then("/federatedIdentityCredentials"));
    let credentials = of_what_is_there(all(wire, credentials).await);
    let mut owners = ids(all(wire, owners_of(of)).await);
    if let Some(id) = principal.shown().and_then(|shown| ObjectId::read(shown.get("id")?.as_str()?)) {
        let more = ids(all(wire, owners_of(principals.item(&id))).await);
        owners = match (owners, more) {
            (Reading::Shown(mut owners), Reading::Shown(more)) => {
                owners.extend(more);
                owners.sort();
                owners.dedup();
                Reading::Shown(owners)
            }
            (Reading::Shown(_), other) | (other, _) => other,
        };
    }
    Application { object, principal, credentials, owners: of_what_is_there(owners) }
}

/// A list of something that was just shown: where it is not found, a replica of Entra's is behind, and nothing was seen.
fn of_what_is_there<T>(list: Reading<Vec<T>>) -> Reading<Vec<T>> {
    match list {
        Reading::Absent => Reading::Unread("the application is not known everywhere yet".to_owned()),
        seen @ (Reading::Shown(_) | Reading::Unread(_)) => seen,
    }
}

fn absent_application() -> Application {
    Application {
        object: Reading::Absent,
        principal: Reading::Absent,
        credentials: Reading::Absent,
        owners: Reading::Absent,
    }
}

/// The ids in a list of directory objects. Groups are left out: whoever is in them stands in the list too.
pub(super) fn ids(list: Reading<Vec<Value>>) -> Reading<Vec<String>> {
    match list {
        Reading::Shown(items) => {
            let is_group = |item: &&Value| {
                item.get("@odata.type").and_then(Value::as_str) == Some("#microsoft.graph.group")
            };
            let people = items.iter().filter(|item| !is_group(item));
            let ids: Option<Vec<String>> =
                people.map(|item| Some(item.get("id")?.as_str()?.to_owned())).collect();
            ids.map_or_else(|| Reading::Unread("the list has an entry without id".to_owned()), Reading::Shown)
        }
        Reading::Absent => Reading::Absent,
        Reading::Unread(why) => Reading::Unread(why),
    }
}
