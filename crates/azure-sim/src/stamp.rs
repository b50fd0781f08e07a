//! Names and ids of the local stamp: the shared resources and identities that exist in a new simulated Azure, before
//! the first tenant.

use serde_json::{Value, json};

use crate::path::group_id;

/// The id of the only subscription of the simulated Azure.
pub const SUBSCRIPTION_ID: &str = "00000000-0000-0000-0000-00000000a001";
/// The id of the only Entra directory of the simulated Azure.
pub const DIRECTORY_ID: &str = "00000000-0000-0000-0000-0000000d0001";
/// The region of the local stamp.
pub const REGION: &str = "westeurope";
/// The name of the resource group with the stamp's own resources.
pub const RESOURCE_GROUP: &str = "rg-tenantry-stamp";
/// The GUID of the custom role whose only action is to call (score) an online endpoint.
pub const SCORER_ROLE: &str = "5c0e0000-0000-4000-8000-00000000c0de";
/// The GUID of the built-in role Storage Blob Data Reader.
pub const BLOB_READER_ROLE: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";

/// The client id of the managed identity with which the prober calls tenants' endpoints. The applications of tenants
/// trust this identity.
pub const PROBE_CLIENT_ID: &str = "00000000-0000-0000-0000-0000000e0004";
/// The object id of the managed identity with which the prober calls tenants' endpoints.
pub const PROBE_PRINCIPAL_ID: &str = "00000000-0000-0000-0000-0000000e0005";

/// The name of the Machine Learning workspace that the tenants of a pooled tier share.
pub(crate) const WORKSPACE: &str = "mlw-tenantry-pooled";
const POOLED_IP: &str = "10.20.0.4";
/// The id of a resource in the stamp's own resource group, from its type and name.
pub(crate) fn resource(kind: &str, name: &str) -> String {
    format!("{}/providers/{kind}/{name}", group_id(SUBSCRIPTION_ID, RESOURCE_GROUP))
}

/// The id of the stamp's virtual network.
pub(crate) fn vnet_id() -> String {
    resource("Microsoft.Network/virtualNetworks", "vnet-tenantry")
}

/// The id of the subnet for private endpoints.
pub(crate) fn subnet_id() -> String {
    format!("{}/subnets/private-endpoints", vnet_id())
}

/// The id of a private DNS zone of the stamp, which all tenants share.
pub(crate) fn zone_id(name: &str) -> String {
    resource("Microsoft.Network/privateDnsZones", name)
}

/// The full id of a role definition in the subscription, from its GUID.
pub(crate) fn role_id(guid: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{guid}")
}

/// The local stamp as the JSON object that blueprints refer to: names and full resource ids.
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
        "scorerRoleId": role_id(SCORER_ROLE),
        "blobReaderRoleId": role_id(BLOB_READER_ROLE),
        "pooled": {
            "workspaceName": WORKSPACE,
            "workspaceId": resource("Microsoft.MachineLearningServices/workspaces", WORKSPACE),
            "privateEndpointIp": POOLED_IP,
        },
    })
}
