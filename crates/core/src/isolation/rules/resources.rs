//! Rules about settings of the tenant's resources and of those that it shares. A setting that Azure does not return has
//! Azure's default, which often allows access.

use serde_json::Value;

use super::{
    super::{
        case::Case,
        evidence::Reading,
        parent,
        powers::{ACCOUNT, ENDPOINT, IDENTITY, STORAGE, VAULT, WORKSPACE},
    },
    Found,
};
use crate::compare::{at, eq_ignore_case, member, same_id, text_at as text};

fn is(shown: &Value, pointer: &str, desired: bool) -> bool {
    at(shown, pointer).and_then(Value::as_bool) == Some(desired)
}

/// Rule `key-auth`: services that accept keys.
pub(super) fn key_auth(case: &Case<'_>) -> Vec<Found> {
    let endpoints = case.shown(ENDPOINT).filter_map(|(own, shown)| {
        let mode = text(shown, "/properties/authMode");
        let says = format!("authMode is {}", or_none(mode));
        (!eq_ignore_case(mode, "AADToken")).then(|| Found::new(&own.id, says))
    });
    let accounts = case.shown(ACCOUNT).filter(|(_, shown)| !is(shown, "/properties/disableLocalAuth", true));
    endpoints.chain(accounts.map(|(own, _)| Found::new(&own.id, "disableLocalAuth is not true"))).collect()
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "not set" } else { text }
}

fn public(case: &Case<'_>, kind: &'static str) -> Vec<Found> {
    let found = |id: &str, shown: &Value| {
        let access = text(shown, "/properties/publicNetworkAccess");
        let says = format!("publicNetworkAccess is {}", or_none(access));
        (!eq_ignore_case(access, "Disabled")).then(|| Found::new(id, says))
    };
    case.all_shown(kind).filter_map(|(one, shown)| found(&one.id, shown)).collect()
}

pub(super) fn endpoint_public(case: &Case<'_>) -> Vec<Found> {
    public(case, ENDPOINT)
}

pub(super) fn workspace_public(case: &Case<'_>) -> Vec<Found> {
    public(case, WORKSPACE)
}

pub(super) fn storage_public(case: &Case<'_>) -> Vec<Found> {
    public(case, STORAGE)
}

pub(super) fn vault_public(case: &Case<'_>) -> Vec<Found> {
    public(case, VAULT)
}

pub(super) fn account_public(case: &Case<'_>) -> Vec<Found> {
    public(case, ACCOUNT)
}

pub(super) fn storage_keys(case: &Case<'_>) -> Vec<Found> {
    let open =
        case.all_shown(STORAGE).filter(|(_, shown)| !is(shown, "/properties/allowSharedKeyAccess", false));
    open.map(|(one, _)| Found::new(&one.id, "allowSharedKeyAccess is not false")).collect()
}

pub(super) fn storage_anonymous(case: &Case<'_>) -> Vec<Found> {
    let open =
        case.all_shown(STORAGE).filter(|(_, shown)| !is(shown, "/properties/allowBlobPublicAccess", false));
    open.map(|(one, _)| Found::new(&one.id, "allowBlobPublicAccess is not false")).collect()
}

/// Rule `storage-local-users`: storage accounts with SFTP. Local users exist for SFTP only, which is off by default.
pub(super) fn storage_local_users(case: &Case<'_>) -> Vec<Found> {
    let open = case.all_shown(STORAGE).filter(|(_, shown)| is(shown, "/properties/isSftpEnabled", true));
    open.map(|(one, _)| Found::new(&one.id, "isSftpEnabled is true")).collect()
}

/// Rule `storage-lets-others-in`: resource instance rules of a storage account's firewall for resources that are not
/// the tenant's. They give access even if everything else is blocked.
pub(super) fn storage_lets_others_in(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (one, shown) in case.all_shown(STORAGE) {
        let rules = at(shown, "/properties/networkAcls/resourceAccessRules").and_then(Value::as_array);
        for rule in rules.into_iter().flatten() {
            let id = text(rule, "/resourceId");
            let known = case.protected.iter().any(|other| same_id(&other.id, id));
            if !known && !case.judged.owns(id) {
                found.push(Found::new(&one.id, format!("its firewall lets {} in", or_none(id))));
            }
        }
    }
    found
}

pub(super) fn vault_policies(case: &Case<'_>) -> Vec<Found> {
    let open =
        case.all_shown(VAULT).filter(|(_, shown)| !is(shown, "/properties/enableRbacAuthorization", true));
    open.map(|(one, _)| Found::new(&one.id, "enableRbacAuthorization is not true")).collect()
}

/// Rule `endpoint-identity`: endpoints that run as an identity that is not only the tenant's. The system-assigned
/// identity of an endpoint can read the default datastore of its workspace, so it is allowed only in the tenant's own
/// workspace.
pub(super) fn endpoint_identity(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (own, shown) in case.shown(ENDPOINT) {
        let kind = text(shown, "/identity/type").to_ascii_lowercase();
        let shared = !parent(&own.id).is_some_and(|workspace| case.judged.owns(workspace));
        if kind.contains("systemassigned") && shared {
            found.push(Found::new(
                &own.id,
                "it runs as itself, which lets it read the default datastore of a shared workspace",
            ));
        }
        let identities = at(shown, "/identity/userAssignedIdentities").and_then(Value::as_object);
        for id in identities.into_iter().flat_map(serde_json::Map::keys) {
            if !case.judged.of_type(IDENTITY).any(|own| same_id(&own.id, id)) {
                found.push(Found::new(&own.id, format!("it runs as {id}, which is not the tenant's")));
            }
        }
    }
    found
}

/// Rule `mark-wrong`: resources and applications with wrong or missing ownership tags, and applications with another
/// object id than recorded.
pub(super) fn mark_wrong(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for own in &case.judged.resources {
        let Some(shown) = case.resource(&own.id) else { continue };
        for (name, desired) in &own.marks {
            let seen = at(shown, "/tags").and_then(|tags| member(tags, name)).and_then(Value::as_str);
            if seen != Some(desired) {
                found.push(Found::new(
                    &own.id,
                    format!("its tag {name} is {}", or_none(seen.unwrap_or_default())),
                ));
            }
        }
    }
    for own in &case.judged.applications {
        let Some(seen) = case.context.evidence.applications.get(&own.unique_name) else { continue };
        let Some(object) = seen.object.shown() else { continue };
        let tags = object.get("tags").and_then(Value::as_array);
        let has = |mark: &String| tags.is_some_and(|tags| tags.iter().any(|tag| tag.as_str() == Some(mark)));
        let lacks = own.marks.iter().filter(|mark| !has(mark));
        found.extend(lacks.map(|mark| Found::new(&own.unique_name, format!("it lacks the tag {mark}"))));
        let id = text(object, "/id");
        if !own.object_id.is_empty() && !eq_ignore_case(&own.object_id, id) {
            let says = format!("it is {id}, and on record is {}", own.object_id);
            found.push(Found::new(&own.unique_name, says));
        }
    }
    found
}

/// Rule `resource-missing`: objects that should exist and do not. Zone groups have a rule of their own
/// (`dns-zone-missing`).
pub(super) fn missing(case: &Case<'_>) -> Vec<Found> {
    let evidence = case.context.evidence;
    let absent = |id: &str| matches!(evidence.resources.get(&id.to_ascii_lowercase()), Some(Reading::Absent));
    let expected =
        case.judged.resources.iter().filter(|own| own.expected && !own.is(super::network::ZONE_GROUP));
    let resources = expected.filter(|own| absent(&own.id)).map(|own| own.id.clone());
    let shared = case.protected.iter().filter(|one| one.shared && absent(&one.id)).map(|one| one.id.clone());
    let applications = case.judged.applications.iter().filter(|own| {
        let seen = evidence.applications.get(&own.unique_name);
        let is_absent = |seen: &Reading<Value>| *seen == Reading::Absent;
        own.expected && seen.is_some_and(|seen| is_absent(&seen.object) || is_absent(&seen.principal))
    });
    let applications = applications.map(|own| own.unique_name.clone());
    resources.chain(shared).chain(applications).map(|id| Found::new(id, "it is not there")).collect()
}
