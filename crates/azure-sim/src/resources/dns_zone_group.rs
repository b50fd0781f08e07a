//! DNS zone groups of private endpoints: they add records for a private endpoint to private DNS zones.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, Refusal, refuse},
    resources::{
        draft::Draft,
        names::{begins_alphanumeric, has_only},
        network::{self, VERSION, dangling, not_ready},
        profile::{NameRule, Profile, Seconds, WriteForm},
        resource_type::{FindType, LinkedAction, ResourceType},
    },
    store::{Change, Object, StoreQuery as _},
};

const ZONES: &str = "Microsoft.Network/privateDnsZones";
const CONFIGS: &str = "/properties/privateDnsZoneConfigs";

fn configs(body: &Value) -> impl Iterator<Item = &Value> {
    body.pointer(CONFIGS).and_then(Value::as_array).into_iter().flatten()
}

fn zone_of(config: &Value) -> &str {
    config.pointer("/properties/privateDnsZoneId").and_then(Value::as_str).unwrap_or_default()
}

/// The resource type of DNS zone groups.
pub(crate) struct DnsZoneGroup;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    version: VERSION,
    names: NameRule {
        allows: |name| {
            has_only(name, 1, 80, "-_.") && begins_alphanumeric(name) && !name.ends_with(['-', '.'])
        },
        text: "1 to 80 letters, digits, '-', '_' and '.', beginning with a letter or digit, ending in one or '_'",
    },
    seconds: Seconds { create: 20, update: 20, delete: 10 },
    write: WriteForm::Status,
    slow_delete: true,
    states: Some(network::STATES),
    located: false,
    polls: network::POLLS,
    ..Profile::READ_ONLY
};

impl ResourceType for DnsZoneGroup {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses a group without zones, zones that do not exist, and a request before the private endpoint is ready.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        if configs(&draft.body).next().is_none() {
            let message = "A private DNS zone group needs at least one entry in privateDnsZoneConfigs.";
            return refuse(400, "InvalidRequestFormat", message);
        }
        for config in configs(&draft.body) {
            if config["name"].as_str().unwrap_or_default().is_empty() {
                return refuse(
                    400,
                    "InvalidRequestFormat",
                    "Each entry in privateDnsZoneConfigs needs a name.",
                );
            }
            let zone = zone_of(config);
            if change.alive(zone)?.is_none_or(|object| object.kind != ZONES) {
                return Err(dangling(zone, &draft.id).into());
            }
        }
        match &draft.parent {
            Some(parent) if parent.text("/properties/provisioningState") != "Succeeded" => {
                let message = format!("Resource {} is not in Succeeded state.", parent.id);
                Err(not_ready(message).into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Adds the DNS records in each zone to the body.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        let etag = format!("W/\"{}\"", change.identity(&draft.id)?);
        body["etag"] = json!(etag);
        let names = draft.parent.as_ref().map(|parent| parent.body["properties"]["customDnsConfigs"].clone());
        let names = names.unwrap_or_default();
        let Some(configs) = body.pointer_mut(CONFIGS).and_then(Value::as_array_mut) else { return Ok(()) };
        for config in configs {
            let zone = last(zone_of(config)).to_lowercase();
            let records = names.as_array().into_iter().flatten();
            let records: Vec<Value> = records.filter_map(|name| record(name, &zone)).collect();
            config["properties"]["recordSets"] = Value::Array(records);
        }
        Ok(())
    }

    fn busy(&self, change: &Change<'_>, object: &Object, doing: &str) -> Result<Refusal, CloudError> {
        network::busy(change, object, doing)
    }

    fn linked_actions(&self, body: &Value) -> Vec<LinkedAction> {
        let zone = |config| LinkedAction::at(config, "/properties/privateDnsZoneId", "join/action");
        configs(body).filter_map(zone).collect()
    }
}

/// The DNS record of a host name in a zone; `None` if the name does not belong to the zone. Names that end in `.x`
/// belong to the zone `privatelink.x`.
fn record(name: &Value, zone: &str) -> Option<Value> {
    let public = zone.strip_prefix("privatelink.").unwrap_or(zone);
    let own = name["fqdn"].as_str()?.strip_suffix(public)?.strip_suffix('.')?;
    Some(json!({
        "recordType": "A", "recordSetName": own, "fqdn": format!("{own}.{zone}"), "ttl": 10,
        "provisioningState": "Succeeded", "ipAddresses": name["ipAddresses"],
    }))
}
