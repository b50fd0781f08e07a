//! Rules about private networking: connections, networks, DNS.

use serde_json::Value;

use super::{
    super::{
        case::{Case, Protected},
        evidence::Reading,
        judged_tenant::within,
        powers::{ACCOUNT, PRIVATE_ENDPOINT, STORAGE, VAULT, WORKSPACE},
    },
    Found,
};
use crate::compare::{at, eq_ignore_case, same_id, text_at as text};

/// The resource type of private DNS zone groups.
pub(super) const ZONE_GROUP: &str = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups";
const STATUS: &str = "/properties/privateLinkServiceConnectionState/status";
/// The prefixes of the names of a workspace's private DNS zones, in every Azure cloud.
const WORKSPACE_ZONES: [&str; 2] = ["privatelink.api.", "privatelink.notebooks."];

fn list<'a>(shown: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    at(shown, pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The connections of a private endpoint: those that are approved automatically, and those that are approved manually.
fn connections(shown: &Value) -> impl Iterator<Item = &Value> {
    list(shown, "/properties/privateLinkServiceConnections")
        .chain(list(shown, "/properties/manualPrivateLinkServiceConnections"))
}

fn is_approved(connection: &Value) -> bool {
    eq_ignore_case(text(connection, STATUS), "Approved")
}

/// The id of the private endpoint at the other end of a resource's connection.
fn other_end(connection: &Value) -> &str {
    text(connection, "/properties/privateEndpoint/id")
}

/// Rule `connection-not-approved`: the tenant's private endpoints with a connection that is not approved or without
/// one, and workspaces without an approved connection from the tenant or its stamp.
pub(super) fn not_approved(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (own, shown) in case.shown(PRIVATE_ENDPOINT) {
        for connection in connections(shown).filter(|one| !is_approved(one)) {
            let status = text(connection, STATUS);
            found.push(Found::new(&own.id, format!("its connection is {}", or_unknown(status))));
        }
        if connections(shown).next().is_none() {
            found.push(Found::new(&own.id, "it has no connection"));
        }
    }
    for (one, shown) in case.all_shown(WORKSPACE) {
        // If the tenant has no private endpoint, its own workspace needs no connection.
        let desired = one.shared || case.judged.of_type(PRIVATE_ENDPOINT).any(|own| own.expected);
        let ours = |connection: &&Value| is_ours(case, other_end(connection)) && is_approved(connection);
        if desired && list(shown, "/properties/privateEndpointConnections").find(ours).is_none() {
            found.push(Found::new(&one.id, "it has no approved connection from the tenant's stamp"));
        }
    }
    found
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "in an unknown state" } else { text }
}

/// Whether a private endpoint is the tenant's own, or in the stamp's resource group.
fn is_ours(case: &Case<'_>, id: &str) -> bool {
    !id.is_empty() && (case.judged.owns(id) || within(id, &case.judged.stamp.group_id()))
}

/// Rule `private-endpoint-elsewhere`: the tenant's private endpoints in another subnet than the stamp's, or connected
/// to a resource that is not the tenant's.
pub(super) fn elsewhere(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let subnet = &case.judged.stamp.subnet_id;
    for (own, shown) in case.shown(PRIVATE_ENDPOINT) {
        let seen = text(shown, "/properties/subnet/id");
        if !subnet.is_empty() && !same_id(seen, subnet) {
            found.push(Found::new(&own.id, format!("it is in the subnet {}", or_unknown(seen))));
        }
        for connection in connections(shown) {
            let target = text(connection, "/properties/privateLinkServiceId");
            if !case.judged.owns(target) {
                found.push(Found::new(&own.id, format!("it leads to {}", or_unknown(target))));
            }
        }
    }
    found
}

/// Rule `foreign-private-endpoint`: approved connections to protected resources from private endpoints that are not the
/// tenant's, the stamp's or allowed.
pub(super) fn foreign(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for kind in [WORKSPACE, STORAGE, VAULT, ACCOUNT] {
        let all = case.all_shown(kind);
        found.extend(all.flat_map(|(one, shown)| foreign_to(case, one, shown)));
    }
    found
}

fn foreign_to(case: &Case<'_>, one: &Protected, shown: &Value) -> Vec<Found> {
    let approved = list(shown, "/properties/privateEndpointConnections").filter(|one| is_approved(one));
    let ends = approved.map(other_end);
    ends.filter(|end| !is_ours(case, end) && case.context.allow.private_endpoint(end).is_none())
        .map(|end| Found::new(&one.id, format!("a connection from {} is approved", or_unknown(end))))
        .collect()
}

/// Rule `dns-zone-missing`: the tenant's private endpoints without a DNS zone group, or whose group lacks a zone of the
/// stamp that the workspace's names need.
pub(super) fn dns_missing(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (endpoint, shown) in case.shown(PRIVATE_ENDPOINT) {
        let groups: Vec<_> =
            case.judged.of_type(ZONE_GROUP).filter(|own| within(&own.id, &endpoint.id)).collect();
        for group in groups.iter().filter(|own| own.expected) {
            let seen = case.context.evidence.resources.get(&group.id.to_ascii_lowercase());
            if matches!(seen, Some(Reading::Absent)) {
                found.push(Found::new(&group.id, "the zone group is not there"));
            }
        }
        let recorded: Vec<&Value> = groups.iter().filter_map(|own| case.resource(&own.id)).collect();
        let workspace = connections(shown)
            .flat_map(|one| list(one, "/properties/groupIds"))
            .any(|group| group.as_str().is_some_and(|group| eq_ignore_case(group, "amlworkspace")));
        let desired = case.judged.stamp.zones.iter().filter(|zone| {
            let name = zone.rsplit('/').next().unwrap_or_default();
            workspace && WORKSPACE_ZONES.iter().any(|start| name.to_ascii_lowercase().starts_with(start))
        });
        for zone in desired.filter(|_| !recorded.is_empty()) {
            let has = |group: &&Value| zones(group).any(|other| same_id(other, zone));
            if !recorded.iter().any(has) {
                found.push(Found::new(&endpoint.id, format!("its names are not in the zone {zone}")));
            }
        }
        if groups.is_empty() && endpoint.expected && case.judged.settled {
            found.push(Found::new(&endpoint.id, "it has no zone group"));
        }
    }
    found
}

fn zones(group: &Value) -> impl Iterator<Item = &str> {
    list(group, "/properties/privateDnsZoneConfigs").map(|one| text(one, "/properties/privateDnsZoneId"))
}

/// Rule `dns-zone-elsewhere`: DNS zones in the tenant's zone groups that are not the stamp's.
pub(super) fn dns_elsewhere(case: &Case<'_>) -> Vec<Found> {
    let known = |zone: &str| case.judged.stamp.zones.iter().any(|other| same_id(other, zone));
    let groups = case.shown(ZONE_GROUP);
    let found = groups.flat_map(|(own, shown)| zones(shown).map(move |zone| (own, zone)));
    let found = found.filter(|(_, zone)| !known(zone));
    found.map(|(own, zone)| Found::new(&own.id, format!("its zone is {zone}"))).collect()
}
