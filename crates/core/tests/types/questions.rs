use serde_json::json;
use tenantry_core::types::{KnownValues, ResourceShape, ResourceTypes};

fn shape(type_name: &str, version: &str) -> ResourceShape<'static> {
    ResourceTypes::known().shape(type_name, version).unwrap()
}

#[test]
fn a_shape_says_which_values_are_read_only() {
    let endpoints = shape("Microsoft.Network/privateEndpoints", "2024-03-01");
    let rows = [
        ("/properties/provisioningState", true),
        ("/properties/networkInterfaces", true),
        // Within a read-only value everything is.
        ("/properties/networkInterfaces/0/location", true),
        ("/properties/subnet/id", false),
        ("/properties/privateLinkServiceConnections/0/properties/provisioningState", true),
        ("/properties/privateLinkServiceConnections/*/properties/PROVISIONINGSTATE", true),
        ("/properties/privateLinkServiceConnections/first/properties/provisioningState", false),
        ("/id", true),
        ("/location", false),
        ("/nothing", false),
        ("", false),
    ];
    for (pointer, expected) in rows {
        assert_eq!(endpoints.is_read_only(pointer), expected, "{pointer}");
    }
    // Read-only in the object, and required in one of its variants.
    let servers = shape("Microsoft.DBforPostgreSQL/servers", "2017-12-01");
    assert!(!servers.is_read_only("/properties/administratorLogin"));
    assert!(servers.is_read_only("/properties/fullyQualifiedDomainName"));
}

#[test]
fn a_shape_says_which_values_are_write_only() {
    let vaults = shape("Microsoft.KeyVault/vaults", "2023-07-01");
    assert!(vaults.is_write_only("/properties/createMode"));
    assert!(!vaults.is_write_only("/properties/sku/name"));
    let endpoints = shape("Microsoft.MachineLearningServices/workspaces/onlineEndpoints", "2024-10-01");
    assert!(endpoints.is_write_only("/properties/keys/primaryKey"));
}

#[test]
fn a_shape_lists_the_values_of_a_text() {
    let storage = shape("Microsoft.Storage/storageAccounts", "2023-05-01");
    let values = |pointer: &str| storage.known_values(pointer);
    let known = |values: &[&'static str], is_open| Some(KnownValues { values: values.to_vec(), is_open });

    let versions = ["TLS1_0", "TLS1_1", "TLS1_2", "TLS1_3"];
    assert_eq!(values("/properties/minimumTlsVersion"), known(&versions, true));
    assert_eq!(values("/properties/networkAcls/defaultAction"), known(&["Allow", "Deny"], false));
    assert_eq!(values("/location"), None);
    assert_eq!(values("/nothing"), None);
    let deployments =
        shape("Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments", "2024-10-01");
    let kinds = deployments.known_values("/properties/endpointComputeType");
    assert_eq!(kinds, known(&["Kubernetes", "Managed"], false));
}

#[test]
fn a_shape_has_the_facts_of_its_type() {
    let storage = shape("microsoft.storage/STORAGEACCOUNTS", "2023-05-01");
    assert_eq!(storage.type_name(), "Microsoft.Storage/storageAccounts");
    assert_eq!(storage.version().as_str(), "2023-05-01");
    assert!(storage.is_creatable());
    assert!(storage.actions().any(|name| name == "listKeys"));
    assert!(!shape("Microsoft.Web/deletedSites", "2024-04-01").is_creatable());
}

#[test]
fn any_number_counts_as_an_integer() {
    let backends = shape("Microsoft.ApiManagement/service/backends", "2024-05-01");
    let is_good = |priority: serde_json::Value| {
        let services = json!([{ "id": "/backends/a", "priority": priority }]);
        let body = json!({ "properties": { "type": "Pool", "pool": { "services": services } } });
        backends.check(&body, &|_| false).is_empty()
    };
    assert!(is_good(json!(99.5)) && is_good(json!(100)) && is_good(json!(0)));
    assert!(!is_good(json!(100.5)) && !is_good(json!(-0.5)) && !is_good(json!(u64::MAX)));
}

#[test]
fn a_name_can_be_checked_alone() {
    let storage = shape("Microsoft.Storage/storageAccounts", "2023-05-01");
    let codes = |name: &str| -> Vec<_> {
        let late = |at: &str| !at.is_empty() && at != "/name";
        let found = storage.check(&json!({ "name": name }), &late);
        found.into_iter().map(|finding| finding.code.as_str()).collect()
    };
    assert_eq!(codes("stfabrikam"), Vec::<&str>::new());
    assert_eq!(codes("st"), ["too-short"]);
    assert_eq!(codes("st-fabrikam"), ["pattern"]);
}
