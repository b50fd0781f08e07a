//! Collects the evidence of an isolation check: reads each object once, also if several tenants share it, a few at a
//! time.
//!
//! Source: Microsoft, "List owners".

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use tenantry_core::{
    blueprint::ResourceType,
    compare::{eq_ignore_case, same_id, text_at},
    ids::ApiVersion,
    isolation::{AllowList, Application, Evidence, JudgedTenant, OwnApplication, Reading},
    steps::{GraphPath, Method, ObjectId, Request},
};

use super::{
    AT_ONCE,
    assignments::{groups, listings, roles},
    read::{all, get, one},
};
use crate::ports::Transport;

const IDENTITIES: ApiVersion = ApiVersion::known("2023-01-31");
pub(super) const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const ENDPOINT: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
const WORKSPACE: &str = "Microsoft.MachineLearningServices/workspaces";

/// Reads the evidence about these tenants.
pub(super) async fn evidence(
    transport: &dyn Transport,
    judged_tenants: &[JudgedTenant],
    allow: &AllowList,
) -> Evidence {
    let mut evidence = Evidence::default();
    if judged_tenants.is_empty() {
        return evidence;
    }
    let mut desired = BTreeMap::new();
    for own in judged_tenants.iter().flat_map(|judged| &judged.resources) {
        desired.insert(own.id.to_ascii_lowercase(), (own.id.clone(), own.api_version.clone()));
    }
    for own in judged_tenants.iter().flat_map(|judged| judged.of_type(ENDPOINT)) {
        if let Some((workspace, _)) = own.id.rsplit_once("/onlineEndpoints/") {
            want(&mut desired, workspace);
        }
    }
    evidence.resources = resources(transport, desired).await;
    // The storage account and the key vault of a workspace are known only after it was read.
    let mut behind = BTreeMap::new();
    let shown = evidence.resources.values().filter_map(Reading::shown);
    for workspace in shown.filter(|shown| is_a(shown, WORKSPACE)) {
        for pointer in ["/properties/storageAccount", "/properties/keyVault"] {
            want(&mut behind, text_at(workspace, pointer));
        }
    }
    behind.retain(|id, _| !evidence.resources.contains_key(id));
    evidence.resources.extend(resources(transport, behind).await);
    evidence.identity_credentials = identity_credentials(transport, judged_tenants).await;
    evidence.applications = applications(transport, judged_tenants).await;
    evidence.listings = listings(transport, judged_tenants, &evidence).await;
    evidence.roles = roles(transport, judged_tenants, &evidence.listings).await;
    evidence.groups = groups(transport, &evidence, allow).await;
    evidence
}

fn want(desired: &mut BTreeMap<String, (String, String)>, id: &str) {
    if let Some(kind) = ResourceType::of_id(id) {
        let entry = || (id.to_owned(), kind.api_version.to_owned());
        desired.entry(id.to_ascii_lowercase()).or_insert_with(entry);
    }
}

fn is_a(shown: &Value, kind: &str) -> bool {
    let id = shown.get("id").and_then(Value::as_str).unwrap_or_default();
    ResourceType::type_of_id(id).is_some_and(|seen| eq_ignore_case(&seen, kind))
}

/// Reads resources by id; an answer about another resource counts as none.
async fn resources(
    transport: &dyn Transport,
    desired: BTreeMap<String, (String, String)>,
) -> BTreeMap<String, Reading<Value>> {
    let read = |(key, (id, version)): (String, (String, String))| async move {
        let version = version.parse::<ApiVersion>().map_err(|why| why.to_string());
        let seen = match version.and_then(|version| get(&id, "", &version)) {
            Ok(request) => one(transport, request).await,
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
    stream::iter(desired).map(read).buffer_unordered(AT_ONCE).collect().await
}

async fn identity_credentials(
    transport: &dyn Transport,
    judged_tenants: &[JudgedTenant],
) -> BTreeMap<String, Reading<Vec<Value>>> {
    let ids: BTreeSet<String> =
        judged_tenants.iter().flat_map(|judged| judged.of_type(IDENTITY)).map(|own| own.id.clone()).collect();
    let read = |id: String| async move {
        let seen = match get(&id, "/federatedIdentityCredentials", &IDENTITIES) {
            Ok(list) => all(transport, list).await,
            Err(why) => Reading::Unread(why),
        };
        (id.to_ascii_lowercase(), seen)
    };
    stream::iter(ids).map(read).buffer_unordered(AT_ONCE).collect().await
}

async fn applications(
    transport: &dyn Transport,
    judged_tenants: &[JudgedTenant],
) -> BTreeMap<String, Application> {
    let all: Vec<OwnApplication> =
        judged_tenants.iter().flat_map(|judged| &judged.applications).cloned().collect();
    let read = |own: OwnApplication| async move {
        let seen = application(transport, &own).await;
        (own.unique_name, seen)
    };
    stream::iter(all).map(read).buffer_unordered(AT_ONCE).collect().await
}

async fn application(transport: &dyn Transport, own: &OwnApplication) -> Application {
    let graph = |path: GraphPath| Request::graph(Method::Get, path);
    let owners_of = |path: GraphPath| graph(path.then("/owners")).with_query("$select", "id");
    let (of, principals) = (GraphPath::of("/v1.0/applications"), GraphPath::of("/v1.0/servicePrincipals"));
    let object = one(transport, graph(of.clone().keyed("uniqueName", &own.unique_name))).await;
    let member = |name: &str| object.shown()?.get(name)?.as_str();
    let (Some(id), Some(app_id)) = (member("id").and_then(ObjectId::read), member("appId")) else {
        let why = "it can't be read without the application";
        let absent = object == Reading::Absent;
        let rest = if absent { absent_application() } else { Application::unread(why) };
        return Application { object, ..rest };
    };
    let principal = one(transport, graph(principals.clone().keyed("appId", app_id))).await;
    let of = of.item(&id);
    let credentials = graph(of.clone().then("/federatedIdentityCredentials"));
    let credentials = of_what_is_there(all(transport, credentials).await);
    let mut owners = ids(all(transport, owners_of(of)).await);
    if let Some(id) = principal.shown().and_then(|shown| ObjectId::read(shown.get("id")?.as_str()?)) {
        let more = ids(all(transport, owners_of(principals.item(&id))).await);
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

/// Corrects the reading of a list below an object that exists: a 404 means that a replica of Entra does not know the
/// object yet, so nothing was read.
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

/// The ids in a list of directory objects. Groups are left out, because their members are in the list too.
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
