//! Writes the resources of the local stamp into a new state file.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::{group_id, last},
    resources::{
        private_endpoint::{self, PrivateEndpoint},
        registry, resource_group,
        resource_type::ResourceType as _,
    },
    roles::ids::DEFINITION,
    stamp::{
        BLOB_READER_ROLE, DIRECTORY_ID, REGION, RESOURCE_GROUP, SCORER_ROLE, SUBSCRIPTION_ID, WORKSPACE,
        resource, role_id, subnet_id, vnet_id, zone_id,
    },
    store::{Change, Object, StoreQuery},
};

const PRINCIPAL: &str = "00000000-0000-0000-0000-00000000b002";
const WORKSPACE_GUID: &str = "00000000-0000-0000-0000-00000000b001";
/// The GUID of the built-in role Cognitive Services OpenAI User.
const OPENAI_USER_ROLE: &str = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd";
/// Writes the resources of the local stamp into a new state file. Does nothing if the stamp's resource group exists.
pub(crate) fn seed(change: &mut Change<'_>) -> Result<(), CloudError> {
    if change.object(&group_id(SUBSCRIPTION_ID, RESOURCE_GROUP))?.is_some() {
        return Ok(());
    }
    let (storage, vault, insights) = (
        resource("Microsoft.Storage/storageAccounts", "sttenantrypooled"),
        resource("Microsoft.KeyVault/vaults", "kv-tenantry-pooled"),
        resource("Microsoft.Insights/components", "appi-tenantry-pooled"),
    );
    put(change, resource_group::TYPE, &group_id(SUBSCRIPTION_ID, RESOURCE_GROUP), REGION, json!({}))?;
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

/// Writes the role definitions that blueprints refer to.
fn definitions(change: &mut Change<'_>) -> Result<(), CloudError> {
    role(
        change,
        &Role {
            guid: SCORER_ROLE,
            name: "Tenantry Endpoint Scorer",
            kind: "CustomRole",
            actions: &["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"],
            data_actions: &[],
        },
    )?;
    role(
        change,
        &Role {
            guid: BLOB_READER_ROLE,
            name: "Storage Blob Data Reader",
            kind: "BuiltInRole",
            actions: &[
                "Microsoft.Storage/storageAccounts/blobServices/containers/read",
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            ],
            data_actions: &["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
        },
    )?;
    role(
        change,
        &Role {
            guid: OPENAI_USER_ROLE,
            name: "Cognitive Services OpenAI User",
            kind: "BuiltInRole",
            actions: &["Microsoft.CognitiveServices/*/read"],
            data_actions: &[
                "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
            ],
        },
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
    let id = resource(private_endpoint::TYPE, name);
    let connection = json!({
        "id": format!("{id}/privateLinkServiceConnections/{name}"), "name": name,
        "properties": {
            "provisioningState": "Succeeded", "groupIds": ["amlworkspace"],
            "privateLinkServiceId": resource("Microsoft.MachineLearningServices/workspaces", WORKSPACE),
        },
    });
    let mut object = object(
        change,
        private_endpoint::TYPE,
        &id,
        REGION,
        json!({
            "subnet": { "id": subnet_id() }, "privateLinkServiceConnections": [connection],
            "manualPrivateLinkServiceConnections": [], "networkInterfaces": [], "customDnsConfigs": [],
        }),
    );
    PrivateEndpoint.written(change, &mut object, registry::find)?;
    change.put(&object)
}

/// The content of a role definition to be written.
struct Role<'a> {
    guid: &'a str,
    name: &'a str,
    kind: &'a str,
    actions: &'a [&'a str],
    data_actions: &'a [&'a str],
}

fn role(change: &mut Change<'_>, role: &Role<'_>) -> Result<(), CloudError> {
    let Role { guid, name, kind, actions, data_actions } = *role;
    let id = role_id(guid);
    let scope =
        if kind == "CustomRole" { format!("/subscriptions/{SUBSCRIPTION_ID}") } else { "/".to_owned() };
    let mut object = object(
        change,
        DEFINITION,
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
    Object { seeded: true, ..Object::new(id.to_owned(), kind, body, change.now) }
}

fn put(
    change: &mut Change<'_>,
    kind: &str,
    id: &str,
    location: &str,
    properties: Value,
) -> Result<(), CloudError> {
    let object = object(change, kind, id, location, properties);
    if let Some(key) = registry::find(kind).and_then(|kind| kind.profile().name_key(last(id), location)) {
        change.take_name(&key, id)?;
    }
    change.put(&object)
}
