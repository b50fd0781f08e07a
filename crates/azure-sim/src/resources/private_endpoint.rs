//! Private endpoints: an interface in a subnet, connected to one resource.
//!
//! The network provider changes one private endpoint of a subnet at a time; who comes second is told to try again
//! (terraform-provider-azurerm#21293).

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::{group_id, last},
    reply::{Outcome, Refusal, refuse},
    resources::{Draft, network},
    stamp::{self, SUBSCRIPTION_ID},
    store::{Change, Look as _, Object},
    write,
};

/// The type of private endpoints.
pub(crate) const KIND: &str = "Microsoft.Network/privateEndpoints";
/// The api-version of the network provider.
pub(crate) const VERSION: &str = "2024-03-01";
const SUBNETS: &str = "Microsoft.Network/virtualNetworks/subnets";
/// The type of network interfaces.
const INTERFACES: &str = "Microsoft.Network/networkInterfaces";
const SUBNET: &str = "/properties/subnet/id";

/// Which groups a type of target offers.
fn groups(kind: &str) -> &'static [&'static str] {
    match kind {
        "Microsoft.MachineLearningServices/workspaces" => &["amlworkspace"],
        "Microsoft.KeyVault/vaults" => &["vault"],
        "Microsoft.Storage/storageAccounts" => &["blob", "table", "queue", "file", "dfs", "web"],
        _ => &[],
    }
}

/// The connection of a body: the list that it stands in, and its pointer.
fn connection(body: &Value) -> Option<(&'static str, &Value)> {
    ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"]
        .into_iter()
        .find_map(|list| body.pointer(&format!("/properties/{list}/0")).map(|found| (list, found)))
}

fn target_of(body: &Value) -> &str {
    let id = connection(body).and_then(|(_, found)| found.pointer("/properties/privateLinkServiceId"));
    id.and_then(Value::as_str).unwrap_or_default()
}

fn group_of(body: &Value) -> &str {
    let group = connection(body).and_then(|(_, found)| found.pointer("/properties/groupIds/0"));
    group.and_then(Value::as_str).unwrap_or_default()
}

/// The refusal for a reference that leads nowhere.
pub(super) fn dangling(what: &str, by: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidResourceReference",
        format!(
            "Resource {what} referenced by resource {by} was not found. Please make sure that it exists."
        ),
    )
}

/// Refuses what can't be connected, and whoever comes while the subnet is being written to.
pub(crate) fn check(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    let subnet_id = draft.text(SUBNET);
    let subnet = change.alive(subnet_id)?.filter(|object| object.kind == SUBNETS);
    let Some(subnet) = subnet else { return Err(dangling(subnet_id, &draft.id).into()) };
    let vnet = change.alive(subnet.id.split("/subnets/").next().unwrap_or_default())?;
    let region = draft.text("/location").replace(' ', "").to_lowercase();
    if vnet.is_some_and(|vnet| vnet.text("/location") != region) {
        let message = "A private endpoint must be in the region of its virtual network.";
        return refuse(400, "InvalidResourceLocation", message);
    }
    let target = check_target(change, draft)?;
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
        return Err(Refusal::new(429, "RetryableError", "A retryable error occurred.")
            .because("ReferencedResourceNotProvisioned", message)
            .into());
    }
    check_subnet(change, subnet_id, &draft.id)
}

fn check_target(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<Object> {
    let id = target_of(&draft.body);
    if id.is_empty() {
        let message = "A private endpoint needs exactly one connection with a privateLinkServiceId.";
        return refuse(400, "InvalidRequestFormat", message);
    }
    let Some(target) = change.alive(id)? else { return Err(dangling(id, &draft.id).into()) };
    let (group, offered) = (group_of(&draft.body), groups(&target.kind));
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
        Some(writer) => Err(write::retryable(
            change,
            &writer,
            &format!("Call to the subnet {} failed: another operation is in progress on it.", last(subnet)),
        )?
        .into()),
        None => Ok(()),
    }
}

/// Refuses a removal while the subnet is being written to.
pub(crate) fn check_delete(change: &Change<'_>, object: &Object) -> Outcome<()> {
    check_subnet(change, object.text(SUBNET), &object.id)
}

/// Holds the subnet while an operation runs on this endpoint.
pub(crate) fn starting(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    change.take_name(&writer_key(object.text(SUBNET)), &object.id)
}

/// What a private endpoint shows at first; addresses and approval come when it is made.
pub(crate) fn fill(change: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
    for member in ["networkInterfaces", "customDnsConfigs"] {
        super::simple::keep(draft, body, member, json!([]));
    }
    let etag = format!("W/\"{}\"", change.identity(&draft.id)?);
    let Some((list, _)) = connection(body) else { return Ok(()) };
    let found = &mut body["properties"][list][0];
    let name = found["name"].as_str().unwrap_or(draft.place.name()).to_owned();
    found["id"] = json!(format!("{}/{list}/{name}", draft.id));
    found["type"] = json!(format!("{KIND}/{list}"));
    found["name"] = json!(name);
    found["etag"] = json!(etag);
    found["properties"]["provisioningState"] = json!("Succeeded");
    let before = draft.before.as_ref().and_then(|before| connection(&before.body));
    let state = before.and_then(|(_, found)| found.pointer("/properties/privateLinkServiceConnectionState"));
    found["properties"]["privateLinkServiceConnectionState"] =
        state.cloned().unwrap_or_else(|| link_state("Pending", "Awaiting Approval"));
    let other = ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"];
    for other in other.into_iter().filter(|other| *other != list) {
        body["properties"][other] = json!([]);
    }
    body["etag"] = json!(etag);
    Ok(())
}

fn link_state(status: &str, description: &str) -> Value {
    json!({ "status": status, "description": description, "actionsRequired": "None" })
}

fn set_link_state(body: &mut Value, state: Value) {
    if let Some((list, _)) = connection(body) {
        body["properties"][list][0]["properties"]["privateLinkServiceConnectionState"] = state;
    }
}

/// A private endpoint is made: it has its interface, addresses and names, and its target knows it.
pub(crate) fn written(change: &mut Change<'_>, object: &mut Object) -> Result<(), CloudError> {
    let made = object.body.pointer("/properties/networkInterfaces/0").is_some();
    if made {
        return Ok(());
    }
    let target_id = target_of(&object.body).to_owned();
    let Some(mut target) = change.alive(&target_id)? else {
        set_link_state(&mut object.body, link_state("Disconnected", "The target is gone"));
        return Ok(());
    };
    let names = host_names(&target, group_of(&object.body));
    let subnet = object.text(SUBNET).to_owned();
    let wanted = names.iter().map(|(_, address)| address + 1).max().unwrap_or(1);
    let addresses = network::allocate(change, &subnet, &object.id, wanted)?;
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

/// The names under which a target is reached, each with the number of its address.
fn host_names(target: &Object, group: &str) -> Vec<(String, usize)> {
    let (name, region) = (last(&target.id), target.text("/location"));
    match group {
        "amlworkspace" => {
            let id = target.text("/properties/workspaceId");
            vec![
                (format!("{id}.workspace.{region}.api.azureml.ms"), 0),
                (format!("{id}.workspace.{region}.cert.api.azureml.ms"), 0),
                (target.text("/properties/notebookInfo/fqdn").to_owned(), 1),
                (format!("*.{id}.inference.{region}.api.azureml.ms"), 2),
            ]
        }
        "vault" => vec![(format!("{name}.vault.azure.net"), 0)],
        part => vec![(format!("{name}.{part}.core.windows.net"), 0)],
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

/// A private endpoint is gone: its addresses are free, its interface is gone, its target forgets it.
pub(crate) fn removed(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    for interface in object.body["properties"]["networkInterfaces"].as_array().into_iter().flatten() {
        let id = interface["id"].as_str().unwrap_or_default();
        let Some(found) = change.object(id)? else { continue };
        for at in found.body["properties"]["ipConfigurations"].as_array().into_iter().flatten() {
            let address = at["properties"]["privateIPAddress"].as_str().unwrap_or_default();
            network::release(change, object.text(SUBNET), address)?;
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

/// A target is gone: the private endpoints that led to it stay, disconnected.
pub(crate) fn disconnect(change: &mut Change<'_>, target: &Object) -> Result<(), CloudError> {
    for link in target.body["properties"]["privateEndpointConnections"].as_array().into_iter().flatten() {
        let id = link.pointer("/properties/privateEndpoint/id").and_then(Value::as_str).unwrap_or_default();
        if let Some(mut object) = change.alive(id)? {
            set_link_state(&mut object.body, link_state("Disconnected", "The target was deleted"));
            change.put(&object)?;
        }
    }
    Ok(())
}

/// Puts the pooled workspace's private endpoint into the stamp, ready.
pub(crate) fn seed(change: &mut Change<'_>, mut object: Object) -> Result<(), CloudError> {
    debug_assert_eq!(object.text(SUBNET), stamp::subnet_id());
    written(change, &mut object)?;
    change.put(&object)
}
