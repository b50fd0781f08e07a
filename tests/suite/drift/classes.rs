//! The drift classes of JSON pointers and of missing objects: those that the table lists, and some that it does not.

use tenantry_core::{
    blueprint::Kind,
    drift::{
        DriftClass::{self, Availability, Cosmetic, Isolation},
        class_of, class_of_absence, class_of_difference,
    },
};

#[test]
fn a_difference_has_the_class_of_its_pointer() {
    let rows: [(&str, DriftClass); 44] = [
        ("/properties/publicNetworkAccess", Isolation),
        ("/properties/authMode", Isolation),
        ("/properties/disableLocalAuth", Isolation),
        ("/properties/allowSharedKeyAccess", Isolation),
        ("/properties/networkAcls/defaultAction", Isolation),
        ("/properties/networkAcls", Isolation),
        ("/properties/minimumTlsVersion", Isolation),
        ("/properties/encryption/keySource", Isolation),
        ("/properties/privateLinkServiceConnections/0/properties/privateLinkServiceId", Isolation),
        (
            "/properties/privateEndpointConnections/0/properties/privateLinkServiceConnectionState/status",
            Isolation,
        ),
        ("/properties/model", Isolation),
        ("/properties/environmentId", Isolation),
        ("/properties/principalId", Isolation),
        ("/identity", Isolation),
        ("/identity/userAssignedIdentities", Isolation),
        ("/web/redirectUris", Isolation),
        ("/signInAudience", Isolation),
        ("/subject", Isolation),
        ("/passwordCredentials", Isolation),
        ("/tags", Isolation),
        ("/tags/tenantry-tenant", Isolation),
        ("/tags/Tenantry-Deployment", Isolation),
        ("/tags/tenantry-incarnation", Isolation),
        ("/never/heard/of", Isolation),
        ("", Isolation),
        ("/", Isolation),
        // Similar to a row of the table, but not the same.
        ("/properties/trafficRules", Isolation),
        ("/propertiestraffic", Isolation),
        ("/properties/sku2", Isolation),
        ("/tags/costcentre", Cosmetic),
        ("/tags/tenantry-notes", Cosmetic),
        ("/displayName", Cosmetic),
        ("/properties/friendlyName", Cosmetic),
        ("/description", Cosmetic),
        ("/properties/traffic", Availability),
        ("/properties/traffic/main", Availability),
        ("/PROPERTIES/Traffic/main", Availability),
        ("/sku/capacity", Availability),
        ("/sku", Availability),
        ("/properties/scaleSettings/minInstances", Availability),
        ("/properties/instanceType", Availability),
        ("/properties/provisioningState", Availability),
        ("/accountEnabled", Availability),
        ("/location", Availability),
    ];
    for (pointer, class) in rows {
        assert_eq!(class_of(pointer), class, "{pointer}");
    }
}

#[test]
fn a_principal_that_is_enabled_during_a_suspension_has_class_isolation() {
    let of = |pointer: &str, expected: serde_json::Value| class_of_difference(pointer, Some(&expected));
    assert_eq!(of("/accountEnabled", false.into()), Isolation);
    assert_eq!(of("/AccountEnabled", false.into()), Isolation);
    assert_eq!(of("/accountEnabled", true.into()), Availability);
    assert_eq!(of("/location", false.into()), Availability);
    assert_eq!(class_of_difference("/accountEnabled", None), Availability);
}

#[test]
fn a_missing_object_has_the_class_of_its_kind() {
    let endpoint = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
    let rows = [
        (Kind::RoleAssignment, None, Isolation),
        (Kind::FederatedCredential, None, Isolation),
        (Kind::EntraApplication, None, Isolation),
        (Kind::ServicePrincipal, None, Isolation),
        (Kind::Arm, Some("Microsoft.ManagedIdentity/userAssignedIdentities"), Isolation),
        (Kind::Arm, Some("microsoft.network/PRIVATEENDPOINTS/privateDnsZoneGroups"), Isolation),
        (Kind::Arm, Some(endpoint), Availability),
        (Kind::ArmUpdate, Some(endpoint), Availability),
        (Kind::Check, Some(endpoint), Availability),
        (Kind::Arm, Some("Microsoft.Storage/storageAccounts"), Availability),
        (Kind::Arm, None, Availability),
    ];
    for (kind, of, class) in rows {
        assert_eq!(class_of_absence(kind, of), class, "{kind:?} {of:?}");
    }
}
