//! The local stamp, by its names and ids: the company's infrastructure that exists before the first tenant.

use serde_json::{Value, json};

use crate::path::group_id;

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

/// The client id of the probe, which the applications of tenants trust.
pub const PROBE_CLIENT_ID: &str = "00000000-0000-0000-0000-0000000e0004";
/// The object id of the probe.
pub const PROBE_PRINCIPAL_ID: &str = "00000000-0000-0000-0000-0000000e0005";

/// The pooled workspace.
pub(crate) const WORKSPACE: &str = "mlw-tenantry-pooled";
const POOLED_IP: &str = "10.20.0.4";
/// The id of one of the stamp's own resources.
pub(crate) fn resource(kind: &str, name: &str) -> String {
    format!("{}/providers/{kind}/{name}", group_id(SUBSCRIPTION_ID, RESOURCE_GROUP))
}

/// The virtual network.
pub(crate) fn vnet_id() -> String {
    resource("Microsoft.Network/virtualNetworks", "vnet-tenantry")
}

/// The subnet of the private endpoints.
pub(crate) fn subnet_id() -> String {
    format!("{}/subnets/private-endpoints", vnet_id())
}

/// A shared private DNS zone.
pub(crate) fn zone_id(name: &str) -> String {
    resource("Microsoft.Network/privateDnsZones", name)
}

/// The full id of a role definition of the subscription.
pub(crate) fn role_id(guid: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{guid}")
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
        "scorerRoleId": role_id(SCORER_ROLE),
        "blobReaderRoleId": role_id(BLOB_READER_ROLE),
        "pooled": {
            "workspaceName": WORKSPACE,
            "workspaceId": resource("Microsoft.MachineLearningServices/workspaces", WORKSPACE),
            "privateEndpointIp": POOLED_IP,
        },
    })
}
