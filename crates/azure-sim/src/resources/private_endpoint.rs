//! Private endpoints: each has a network interface in a subnet, and is connected to one other resource (its target).
//!
//! The network provider changes only one private endpoint of a subnet at a time. A request for another one is refused
//! meanwhile, and may be retried (terraform-provider-azurerm#21293).

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::{group_id, last},
    reply::{Outcome, Refusal, refuse},
    resources::{
        addresses,
        body::keep,
        draft::Draft,
        names::{begins_alphanumeric, has_only, region},
        network::{self, VERSION, dangling},
        private_link::{connection, group_of, link_state, set_link_state, target_of},
        profile::{NameRule, Profile, Seconds, WriteForm},
        resource_type::{FindType, LinkedAction, ResourceType},
    },
    stamp::SUBSCRIPTION_ID,
    store::{Change, Object, StoreQuery as _},
};

/// The name of the resource type of private endpoints.
pub(crate) const TYPE: &str = "Microsoft.Network/privateEndpoints";
const SUBNETS: &str = "Microsoft.Network/virtualNetworks/subnets";
/// The name of the resource type of network interfaces.
const INTERFACES: &str = "Microsoft.Network/networkInterfaces";
const SUBNET: &str = "/properties/subnet/id";

/// The resource type of private endpoints.
pub(crate) struct PrivateEndpoint;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: TYPE,
    version: VERSION,
    names: NameRule {
        allows: |name| {
            has_only(name, 2, 64, "-_.") && begins_alphanumeric(name) && !name.ends_with(['-', '.'])
        },
        text: "2 to 64 letters, digits, '-', '_' and '.', beginning with a letter or digit, ending in one or '_'",
    },
    seconds: Seconds { create: 90, update: 45, delete: 45 },
    write: WriteForm::Status,
    slow_delete: true,
    states: Some(network::STATES),
    polls: network::POLLS,
    ..Profile::READ_ONLY
};

impl ResourceType for PrivateEndpoint {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses a missing subnet, a target that can't be connected, a change of either, and a request while another
    /// private endpoint of the subnet is being changed.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, find: FindType) -> Outcome<()> {
        let subnet_id = draft.text(SUBNET);
        let subnet = change.alive(subnet_id)?.filter(|object| object.kind == SUBNETS);
        let Some(subnet) = subnet else { return Err(dangling(subnet_id, &draft.id).into()) };
        let vnet = change.alive(subnet.id.split("/subnets/").next().unwrap_or_default())?;
        let region = region(draft.text("/location"));
        if vnet.is_some_and(|vnet| vnet.text("/location") != region) {
            let message = "A private endpoint must be in the region of its virtual network.";
            return refuse(400, "InvalidResourceLocation", message);
        }
        let target = check_target(change, draft, find)?;
        if let Some(before) = &draft.before {
            let same = before.text(SUBNET).eq_ignore_ascii_case(subnet_id)
                && target_of(&before.body).eq_ignore_ascii_case(&target.id);
            if !same {
                let message = "The subnet and the target of a private endpoint cannot be changed.";
                return refuse(400, "PropertyChangeNotAllowed", message);
            }
        }
        if target.busy.is_some() {
            let message = format!(
                "Cannot proceed with operation because resource {} is not in Succeeded state.",
                target.id
            );
            return Err(network::not_ready(message).into());
        }
        check_subnet(change, subnet_id, &draft.id)
    }

    /// Refuses a deletion while another private endpoint of the subnet is being changed.
    fn check_delete(&self, change: &Change<'_>, object: &Object) -> Outcome<()> {
        check_subnet(change, object.text(SUBNET), &object.id)
    }

    /// Adds the properties that the network provider sets at first. Addresses and approval are added when the operation
    /// has succeeded.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        for member in ["networkInterfaces", "customDnsConfigs"] {
            keep(draft, body, member, json!([]));
        }
        let etag = format!("W/\"{}\"", change.identity(&draft.id)?);
        let Some((list, _)) = connection(body) else { return Ok(()) };
        let found = &mut body["properties"][list][0];
        let name = found["name"].as_str().unwrap_or(draft.path.name()).to_owned();
        found["id"] = json!(format!("{}/{list}/{name}", draft.id));
        found["type"] = json!(format!("{TYPE}/{list}"));
        found["name"] = json!(name);
        found["etag"] = json!(etag);
        found["properties"]["provisioningState"] = json!("Succeeded");
        let before = draft.before.as_ref().and_then(|before| connection(&before.body));
        let state =
            before.and_then(|(_, found)| found.pointer("/properties/privateLinkServiceConnectionState"));
        found["properties"]["privateLinkServiceConnectionState"] =
            state.cloned().unwrap_or_else(|| link_state("Pending", "Awaiting Approval"));
        let other = ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"];
        for other in other.into_iter().filter(|other| *other != list) {
            body["properties"][other] = json!([]);
        }
        body["etag"] = json!(etag);
        Ok(())
    }

    /// Marks the subnet as being changed while an operation runs on this private endpoint.
    fn starting(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        change.take_name(&writer_key(object.text(SUBNET)), &object.id)
    }

    /// Completes a private endpoint when its creation has succeeded: creates its network interface, assigns addresses,
    /// sets host names and approval, and adds the connection to the target.
    fn written(
        &self,
        change: &mut Change<'_>,
        object: &mut Object,
        find: FindType,
    ) -> Result<(), CloudError> {
        let made = object.body.pointer("/properties/networkInterfaces/0").is_some();
        if made {
            return Ok(());
        }
        let target_id = target_of(&object.body).to_owned();
        let Some(mut target) = change.alive(&target_id)? else {
            set_link_state(&mut object.body, link_state("Disconnected", "The target was deleted"));
            return Ok(());
        };
        let names =
            find(&target.kind).map_or_else(Vec::new, |kind| kind.link_names(&target, group_of(&object.body)));
        let subnet = object.text(SUBNET).to_owned();
        let count = names.iter().map(|(_, address)| address + 1).max().unwrap_or(1);
        let addresses = addresses::allocate(change, &subnet, &object.id, count)?;
        let configs: Vec<Value> = names
            .iter()
            .filter_map(|(name, at)| Some(json!({ "fqdn": name, "ipAddresses": [addresses.get(*at)?] })))
            .collect();
        let interface = interface(change, object, &addresses)?;
        object.body["properties"]["networkInterfaces"] = json!([{ "id": interface }]);
        object.body["properties"]["customDnsConfigs"] = Value::Array(configs);
        let manual = connection(&object.body).is_some_and(|(list, _)| list.starts_with("manual"));
        let state = if manual {
            link_state("Pending", "Awaiting Approval")
        } else {
            link_state("Approved", "Auto-Approved")
        };
        set_link_state(&mut object.body, state.clone());
        attach(change, object, &mut target, &state)
    }

    /// Cleans up after a deleted private endpoint: releases its addresses, deletes its network interface, and removes
    /// the connection from the target.
    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        for interface in object.body["properties"]["networkInterfaces"].as_array().into_iter().flatten() {
            let id = interface["id"].as_str().unwrap_or_default();
            let Some(found) = change.object(id)? else { continue };
            for at in found.body["properties"]["ipConfigurations"].as_array().into_iter().flatten() {
                let address = at["properties"]["privateIPAddress"].as_str().unwrap_or_default();
                addresses::release(change, object.text(SUBNET), address)?;
            }
            change.forget(id)?;
        }
        let Some(mut target) = change.object(target_of(&object.body))? else { return Ok(()) };
        if let Some(links) = target.body["properties"]["privateEndpointConnections"].as_array_mut() {
            links.retain(|link| {
                let id = link.pointer("/properties/privateEndpoint/id").and_then(Value::as_str);
                !id.is_some_and(|id| id.eq_ignore_ascii_case(&object.id))
            });
            change.put(&target)?;
        }
        Ok(())
    }

    fn busy(&self, change: &Change<'_>, object: &Object, doing: &str) -> Result<Refusal, CloudError> {
        network::busy(change, object, doing)
    }

    fn linked_actions(&self, body: &Value) -> Vec<LinkedAction> {
        let connections = body.pointer("/properties/privateLinkServiceConnections").and_then(Value::as_array);
        let targets = connections.into_iter().flatten().filter_map(|connection| {
            let target = "/properties/privateLinkServiceId";
            LinkedAction::at(connection, target, "privateEndpointConnectionsApproval/action")
        });
        LinkedAction::at(body, SUBNET, "join/action").into_iter().chain(targets).collect()
    }
}

fn check_target(change: &Change<'_>, draft: &Draft<'_>, find: FindType) -> Outcome<Object> {
    let id = target_of(&draft.body);
    if id.is_empty() {
        let message = "A private endpoint needs exactly one connection with a privateLinkServiceId.";
        return refuse(400, "InvalidRequestFormat", message);
    }
    let Some(target) = change.alive(id)? else { return Err(dangling(id, &draft.id).into()) };
    let (group, offered) =
        (group_of(&draft.body), find(&target.kind).map_or(&[][..], |kind| kind.profile().link_groups));
    if !offered.contains(&group) {
        let message = format!(
            "'{group}' is not a group of {}; it offers: {}.",
            target.id,
            if offered.is_empty() { "none".to_owned() } else { offered.join(", ") }
        );
        return refuse(400, "InvalidPrivateLinkServiceGroupId", message);
    }
    Ok(target)
}

fn writer_key(subnet: &str) -> String {
    format!("writer@{}", subnet.to_lowercase())
}

fn check_subnet(change: &Change<'_>, subnet: &str, own: &str) -> Outcome<()> {
    let Some(writer) = change.named(&writer_key(subnet))?.filter(|writer| *writer != own.to_lowercase())
    else {
        return Ok(());
    };
    match change.object(&writer)?.filter(|writer| writer.busy.is_some()) {
        Some(writer) => Err(network::retryable(
            change,
            &writer,
            &format!("Call to the subnet {} failed: another operation is in progress on it.", last(subnet)),
        )?
        .into()),
        None => Ok(()),
    }
}

fn interface(change: &mut Change<'_>, owner: &Object, addresses: &[String]) -> Result<String, CloudError> {
    let (serial, region) = (change.identity(&owner.id)?, owner.text("/location"));
    let name = match owner.text("/properties/customNetworkInterfaceName") {
        "" => format!("{}.nic.{serial}", last(&owner.id)),
        given => given.to_owned(),
    };
    let group = owner.id.split('/').nth(4).unwrap_or_default();
    let id = format!("{}/providers/{INTERFACES}/{name}", group_id(SUBSCRIPTION_ID, group));
    let configurations: Vec<Value> = addresses
        .iter()
        .enumerate()
        .map(|(at, address)| {
            let own = format!("privateEndpointIpConfig.{at}");
            json!({
                "id": format!("{id}/ipConfigurations/{own}"), "name": own,
                "type": format!("{INTERFACES}/ipConfigurations"),
                "properties": {
                    "provisioningState": "Succeeded", "privateIPAddress": address,
                    "privateIPAllocationMethod": "Dynamic", "privateIPAddressVersion": "IPv4",
                    "primary": at == 0, "subnet": { "id": owner.text(SUBNET) },
                },
            })
        })
        .collect();
    let body = json!({
        "id": id, "name": name, "type": INTERFACES, "location": region,
        "properties": {
            "provisioningState": "Succeeded", "ipConfigurations": configurations,
            "privateEndpoint": { "id": owner.id },
        },
    });
    change.put(&Object {
        id: id.clone(),
        kind: INTERFACES.to_owned(),
        body,
        tenant: owner.tenant.clone(),
        seeded: owner.seeded,
        visible: change.now,
        busy: None,
        deleted: None,
    })?;
    Ok(id)
}

fn attach(
    change: &mut Change<'_>,
    object: &Object,
    target: &mut Object,
    state: &Value,
) -> Result<(), CloudError> {
    let name = format!("{}.{}", last(&object.id), change.identity(&object.id)?);
    let link = json!({
        "id": format!("{}/privateEndpointConnections/{name}", target.id),
        "name": name,
        "type": format!("{}/privateEndpointConnections", target.kind),
        "properties": {
            "provisioningState": "Succeeded", "privateEndpoint": { "id": object.id },
            "privateLinkServiceConnectionState": state,
        },
    });
    if let Some(links) = target.body["properties"]["privateEndpointConnections"].as_array_mut() {
        links.push(link);
    }
    change.put(target)
}
