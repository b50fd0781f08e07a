//! The local stamp: what the company's own infrastructure has set up before the first tenant comes.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::{group_id, last},
    resources::{GROUPS, Kind, private_endpoint},
    roles,
    store::{Change, Look as _, Object},
};

/// The subscription that exists.
pub const SUBSCRIPTION_ID: &str = "00000000-0000-0000-0000-00000000a001";
/// The Entra directory of the company.
pub const DIRECTORY_ID: &str = "00000000-0000-0000-0000-0000000d0001";
/// The stamp's region.
pub const REGION: &str = "westeurope";
/// The stamp's own resource group.
pub const RESOURCE_GROUP: &str = "rg-tenantry-stamp";
/// The custom role whose one action is to score.
pub const SCORER_ROLE: &str = "5c0e0000-0000-4000-8000-00000000c0de";
/// The built-in role Storage Blob Data Reader.
pub const BLOB_READER_ROLE: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";

/// The built-in role Cognitive Services OpenAI User.
const OPENAI_USER_ROLE: &str = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd";

/// The client id of the probe, which the applications of tenants trust.
pub const PROBE_CLIENT_ID: &str = "00000000-0000-0000-0000-0000000e0004";
/// Its object id.
pub const PROBE_PRINCIPAL_ID: &str = "00000000-0000-0000-0000-0000000e0005";

const WORKSPACE: &str = "mlw-tenantry-pooled";
const POOLED_IP: &str = "10.20.0.4";
const WORKSPACE_GUID: &str = "00000000-0000-0000-0000-00000000b001";
const PRINCIPAL: &str = "00000000-0000-0000-0000-00000000b002";

fn resource(kind: &str, name: &str) -> String {
    format!("{}/providers/{kind}/{name}", group_id(SUBSCRIPTION_ID, RESOURCE_GROUP))
}

fn vnet_id() -> String {
    resource("Microsoft.Network/virtualNetworks", "vnet-tenantry")
}

/// The subnet of the private endpoints.
pub(crate) fn subnet_id() -> String {
    format!("{}/subnets/private-endpoints", vnet_id())
}

fn zone_id(name: &str) -> String {
    resource("Microsoft.Network/privateDnsZones", name)
}

/// The full id of a role definition.
pub(crate) fn role_id(subscription: &str, guid: &str) -> String {
    format!("/subscriptions/{subscription}/providers/{}/{guid}", roles::DEFINITION)
}

/// The stamp as blueprints see it: names and full resource ids.
pub fn local_stamp() -> Value {
    json!({
        "name": "local-01",
        "subscriptionId": SUBSCRIPTION_ID,
        "directoryId": DIRECTORY_ID,
        "region": REGION,
        "resourceGroup": RESOURCE_GROUP,
        "vnetId": vnet_id(),
        "subnetId": subnet_id(),
        "zones": {
            "api": zone_id("privatelink.api.azureml.ms"),
            "notebooks": zone_id("privatelink.notebooks.azure.net"),
        },
        "probePrincipalId": PROBE_PRINCIPAL_ID,
        "scorerRoleId": role_id(SUBSCRIPTION_ID, SCORER_ROLE),
        "blobReaderRoleId": role_id(SUBSCRIPTION_ID, BLOB_READER_ROLE),
        "pooled": {
            "workspaceName": WORKSPACE,
            "workspaceId": resource("Microsoft.MachineLearningServices/workspaces", WORKSPACE),
            "privateEndpointIp": POOLED_IP,
        },
    })
}

/// Puts the stamp into a new file; an old one has it.
pub(crate) fn seed(change: &mut Change<'_>) -> Result<(), CloudError> {
    if change.object(&group_id(SUBSCRIPTION_ID, RESOURCE_GROUP))?.is_some() {
        return Ok(());
    }
    let (storage, vault, insights) = (
        resource("Microsoft.Storage/storageAccounts", "sttenantrypooled"),
        resource("Microsoft.KeyVault/vaults", "kv-tenantry-pooled"),
        resource("Microsoft.Insights/components", "appi-tenantry-pooled"),
    );
    put(change, GROUPS, &group_id(SUBSCRIPTION_ID, RESOURCE_GROUP), REGION, json!({}))?;
    network(change)?;
    put(
        change,
        "Microsoft.Storage/storageAccounts",
        &storage,
        REGION,
        json!({
            "creationTime": change.now.to_string(), "primaryLocation": REGION,
            "primaryEndpoints": { "blob": "https://sttenantrypooled.blob.core.windows.net/" },
            "supportsHttpsTrafficOnly": true, "privateEndpointConnections": [],
            "publicNetworkAccess": "Disabled", "allowSharedKeyAccess": false, "allowBlobPublicAccess": false,
        }),
    )?;
    put(
        change,
        "Microsoft.KeyVault/vaults",
        &vault,
        REGION,
        json!({
            "tenantId": DIRECTORY_ID, "sku": { "family": "A", "name": "standard" }, "accessPolicies": [],
            "enableRbacAuthorization": true, "vaultUri": "https://kv-tenantry-pooled.vault.azure.net/",
            "publicNetworkAccess": "Disabled", "privateEndpointConnections": [],
        }),
    )?;
    put(
        change,
        "Microsoft.Insights/components",
        &insights,
        REGION,
        json!({
            "Application_Type": "web", "ApplicationId": last(&insights), "TenantId": DIRECTORY_ID,
        }),
    )?;
    put(
        change,
        "Microsoft.MachineLearningServices/workspaces",
        &resource("Microsoft.MachineLearningServices/workspaces", WORKSPACE),
        REGION,
        json!({
            "workspaceId": WORKSPACE_GUID, "tenantId": DIRECTORY_ID, "friendlyName": WORKSPACE,
            "storageAccount": storage, "keyVault": vault, "applicationInsights": insights,
            "publicNetworkAccess": "Disabled", "hbiWorkspace": false, "v1LegacyMode": false,
            "privateLinkCount": 0, "privateEndpointConnections": [],
            "notebookInfo": {
                "fqdn": format!("ml-{WORKSPACE}-{REGION}-{WORKSPACE_GUID}.{REGION}.notebooks.azure.net"),
                "resourceId": WORKSPACE_GUID.replace('-', ""),
            },
        }),
    )?;
    private_endpoint(change)?;
    definitions(change)
}

/// The roles that blueprints speak of.
fn definitions(change: &mut Change<'_>) -> Result<(), CloudError> {
    role(
        change,
        SCORER_ROLE,
        "Tenantry Endpoint Scorer",
        "CustomRole",
        &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"],
        &[],
    )?;
    role(
        change,
        BLOB_READER_ROLE,
        "Storage Blob Data Reader",
        "BuiltInRole",
        &[
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ],
        &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
    )?;
    role(
        change,
        OPENAI_USER_ROLE,
        "Cognitive Services OpenAI User",
        "BuiltInRole",
        &["Microsoft.CognitiveServices/*/read"],
        &["Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action"],
    )
}

fn network(change: &mut Change<'_>) -> Result<(), CloudError> {
    let subnet = json!({ "addressPrefix": "10.20.0.0/16", "privateEndpointNetworkPolicies": "Disabled" });
    put(
        change,
        "Microsoft.Network/virtualNetworks",
        &vnet_id(),
        REGION,
        json!({
            "addressSpace": { "addressPrefixes": ["10.20.0.0/16"] },
            "subnets": [{ "id": subnet_id(), "name": last(&subnet_id()), "properties": subnet }],
        }),
    )?;
    put(change, "Microsoft.Network/virtualNetworks/subnets", &subnet_id(), "", subnet)?;
    for zone in ["privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"] {
        put(
            change,
            "Microsoft.Network/privateDnsZones",
            &zone_id(zone),
            "global",
            json!({
                "maxNumberOfRecordSets": 25000, "maxNumberOfVirtualNetworkLinks": 1000,
                "numberOfVirtualNetworkLinks": 1,
            }),
        )?;
    }
    Ok(())
}

fn private_endpoint(change: &mut Change<'_>) -> Result<(), CloudError> {
    let name = "pe-mlw-tenantry-pooled";
    let id = resource(private_endpoint::KIND, name);
    let connection = json!({
        "id": format!("{id}/privateLinkServiceConnections/{name}"), "name": name,
        "properties": {
            "provisioningState": "Succeeded", "groupIds": ["amlworkspace"],
            "privateLinkServiceId": resource("Microsoft.MachineLearningServices/workspaces", WORKSPACE),
        },
    });
    let object = object(
        change,
        private_endpoint::KIND,
        &id,
        REGION,
        json!({
            "subnet": { "id": subnet_id() }, "privateLinkServiceConnections": [connection],
            "manualPrivateLinkServiceConnections": [], "networkInterfaces": [], "customDnsConfigs": [],
        }),
    );
    private_endpoint::seed(change, object)
}

fn role(
    change: &mut Change<'_>,
    guid: &str,
    name: &str,
    kind: &str,
    actions: &[&str],
    data_actions: &[&str],
) -> Result<(), CloudError> {
    let id = role_id(SUBSCRIPTION_ID, guid);
    let scope =
        if kind == "CustomRole" { format!("/subscriptions/{SUBSCRIPTION_ID}") } else { "/".to_owned() };
    let mut object = object(
        change,
        roles::DEFINITION,
        &id,
        "",
        json!({
            "roleName": name, "type": kind, "description": name, "assignableScopes": [scope],
            "permissions": [{ "actions": actions, "notActions": [], "dataActions": data_actions, "notDataActions": [] }],
        }),
    );
    if let Some(properties) = object.body["properties"].as_object_mut() {
        properties.remove("provisioningState");
    }
    change.put(&object)
}

fn object(change: &Change<'_>, kind: &str, id: &str, location: &str, mut properties: Value) -> Object {
    properties["provisioningState"] = json!("Succeeded");
    let mut body = json!({ "id": id, "name": last(id), "type": kind, "properties": properties });
    if !location.is_empty() {
        body["location"] = json!(location);
    }
    match kind {
        "Microsoft.Storage/storageAccounts" => {
            body["kind"] = json!("StorageV2");
            body["sku"] = json!({ "name": "Standard_LRS", "tier": "Standard" });
        }
        "Microsoft.Insights/components" => body["kind"] = json!("web"),
        "Microsoft.MachineLearningServices/workspaces" => {
            body["identity"] =
                json!({ "type": "SystemAssigned", "principalId": PRINCIPAL, "tenantId": DIRECTORY_ID });
        }
        _ => {}
    }
    Object {
        id: id.to_owned(),
        kind: kind.to_owned(),
        body,
        tenant: None,
        seeded: true,
        visible: change.now,
        busy: None,
        deleted: None,
    }
}

fn put(
    change: &mut Change<'_>,
    kind: &str,
    id: &str,
    location: &str,
    properties: Value,
) -> Result<(), CloudError> {
    let object = object(change, kind, id, location, properties);
    if let Some(key) = Kind::find(kind).and_then(|kind| kind.name_key(last(id), location)) {
        change.take_name(&key, id)?;
    }
    change.put(&object)
}
