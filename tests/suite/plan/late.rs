//! Late values, which are known only when other steps are ready, have to follow the same rules as early ones. Each
//! request is checked before it is sent.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use tenantry_core::{
    blueprint::{Blueprint, Guard, Kind, Outputs},
    ids::ResourceId,
};

use super::{plan, with_step};

/// The codes of the rules that a step's late values violate when the step `identity` has this principal id.
fn judged(step: &str, principal: &Value) -> Vec<&'static str> {
    let text = with_step(&format!(
        "{step}\n  identity: {{ kind: arm, type: Microsoft.ManagedIdentity/userAssignedIdentities, in: group, outputs: {{ p: /properties/principalId }} }}"
    ));
    let plan = plan(&text, "a", json!({})).map_err(|faults| format!("{step}: {faults:#?}")).unwrap();
    let it = "it".parse().unwrap();
    assert!(plan.steps[&it].desired.is_late(), "{step} is not late");
    let outputs =
        BTreeMap::from([("identity".parse().unwrap(), Outputs::from([("p".to_owned(), principal.clone())]))]);
    let rendered = plan.render(&it, &outputs).unwrap();
    plan.at_hand().objections(&rendered).into_iter().map(|objection| objection.code).collect()
}

#[test]
fn late_values_are_judged_by_the_rules() {
    let arm = |properties: &str| {
        format!(
            "{{ kind: arm, type: Microsoft.Storage/storageAccounts, in: group, body: {{ properties: {{ {properties} }} }} }}"
        )
    };
    let late = "\"{{ 'Enabled' if steps.identity.p else 'Disabled' }}\"";
    let rows = [
        (arm(&format!("publicNetworkAccess: {late}")), json!("1"), "public-network"),
        (arm(&format!("PUBLICNETWORKACCESS: {late}")), json!("1"), "public-network"),
        (arm("allowSharedKeyAccess: \"{{ steps.identity.p is defined }}\""), json!("1"), "key-auth"),
        (arm("minimumTlsVersion: \"{{ steps.identity.p }}\""), json!("tls1_0"), "old-tls"),
        (arm("url: \"{{ steps.identity.p }}\""), json!("http://169.254.169.254/"), "forbidden-address"),
        (arm("note: \"{{ steps.identity.p }}\""), json!("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----"), "secret-value"),
        (arm("deep: { a: [ { b: \"{{ steps.identity.p }}\" } ] }"), json!({"PublicNetworkAccess": "Enabled"}), "public-network"),
        (
            "{ kind: role-assignment, scope: \"{{ steps.group.id }}\", principal: p, role: \"{{ steps.identity.p }}\" }".into(),
            json!("/providers/Microsoft.Authorization/roleDefinitions/8E3AF657-a8ff-443c-a75c-2fe8c4bcb635"),
            "broad-role",
        ),
        (
            "{ kind: arm, type: Microsoft.Network/privateEndpoints, in: group, body: { properties: { subnet: { id: \"{{ steps.identity.p }}\" } } } }".into(),
            json!("/subscriptions/s/resourceGroups/other/providers/Microsoft.Network/virtualNetworks/v/subnets/s"),
            "foreign-link",
        ),
    ];
    for (step, principal, code) in rows {
        let codes = judged(&step, &principal);
        assert!(codes.contains(&code), "{step} with {principal}: {codes:?}");
    }
    assert_eq!(judged(&arm(&format!("publicNetworkAccess: {late}")), &json!("")), [""; 0]);
}

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001";

#[test]
fn each_request_is_judged_before_it_is_sent() {
    let text = with_step("{ kind: arm, type: Microsoft.Storage/storageAccounts, in: group }");
    let plan = plan(&text, "a", json!({})).unwrap();
    let own: ResourceId = plan.known[&"it".parse().unwrap()]["id"].as_str().unwrap().parse().unwrap();
    let other: ResourceId =
        format!("{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.KeyVault/vaults/theirs")
            .parse()
            .unwrap();
    let elsewhere: ResourceId = "/subscriptions/s/resourceGroups/g".parse().unwrap();
    let grant = |at: &ResourceId| at.provided("Microsoft.Authorization/roleAssignments", "1").unwrap();
    let role = json!({"properties": {"roleDefinitionId": "/providers/x/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"}});
    let fine = json!({"properties": {"publicNetworkAccess": "Disabled"}});
    let open = json!({"Properties": {"PublicNetworkAccess": "ENABLED"}});
    let twice = json!({"properties": {"publicNetworkAccess": "Disabled", "PublicNetworkAccess": null}});
    let rows = [
        (Kind::Arm, false, &own, true, Some(&fine), None),
        (Kind::Arm, false, &own, true, Some(&open), Some("public-network")),
        (Kind::Arm, false, &own, true, Some(&twice), Some("duplicate-member")),
        (Kind::Arm, false, &other, true, Some(&fine), Some("foreign-target")),
        (Kind::Arm, false, &elsewhere, false, None, Some("foreign-subscription")),
        (Kind::Arm, false, &grant(&own), true, Some(&fine), Some("forbidden-type")),
        (Kind::Arm, true, &grant(&own), true, None, Some("forbidden-type")),
        (Kind::ArmUpdate, true, &other, true, Some(&fine), None),
        (Kind::RoleAssignment, false, &grant(&own), true, Some(&json!({})), None),
        (Kind::RoleAssignment, false, &grant(&own), true, Some(&role), Some("broad-role")),
        (Kind::RoleAssignment, false, &grant(&other), true, Some(&json!({})), Some("scope-outside-tenant")),
        (Kind::RoleAssignment, true, &own, true, None, Some("scope-outside-tenant")),
        (Kind::Check, false, &own, false, None, None),
        (Kind::Check, false, &other, false, None, Some("id-outside-tenant")),
        (Kind::Check, false, &own, true, Some(&fine), Some("id-outside-tenant")),
    ];
    for (kind, removes, about, writes, body, expected) in rows {
        let objection =
            Guard::new(kind, removes, Arc::new(plan.at_hand())).objection(Some(about), writes, body);
        assert_eq!(objection.map(|objection| objection.code), expected, "{kind:?} {about} {body:?}");
    }
}

#[test]
fn a_check_reads_only_resources_of_the_tenant_or_of_its_stamp() {
    let of = |id: &str| {
        with_step(&format!("{{ kind: check, expect: {{}}, apiVersion: \"2024-01-01\", id: \"{id}\" }}"))
    };
    for (id, code) in [
        ("https://evil.example/x", "bad-id"),
        ("https://evil.example/{{ tenant.id }}", "bad-id"),
        ("/subscriptions/s/../../tenants", "bad-id"),
        ("{{ steps.group.id }}/../../tenants", "bad-id"),
        ("{{ steps.group.id }}?x=1", "bad-id"),
        ("{{ steps.group.id }}//x", "bad-id"),
        ("/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/theirs", "id-outside-tenant"),
    ] {
        let findings = Blueprint::check(&of(id)).unwrap_err();
        assert!(findings.iter().any(|finding| finding.code == code), "{id}: {findings:#?}");
    }
    for (id, code) in [
        (
            "{{ '/subscriptions/' ~ stamp.subscriptionId ~ '/resourceGroups/other/providers/Microsoft.KeyVault/vaults/theirs' }}",
            "id-outside-tenant",
        ),
        ("{{ stamp.pooled.workspaceId }}/onlineEndpoints/theirs", "id-outside-tenant"),
        ("{{ 'https://evil.example/x' }}", "bad-id"),
        ("{{ '/subscriptions/s/../../tenants' }}", "bad-id"),
    ] {
        let faults = plan(&of(id), "a", json!({})).unwrap_err();
        assert!(faults.iter().any(|fault| fault.code == code), "{id}: {faults:#?}");
    }
    for id in [
        "{{ stamp.pooled.workspaceId }}",
        "{{ steps.group.id }}",
        "{{ steps.group.id }}/providers/Microsoft.X/a/b",
    ] {
        assert!(plan(&of(id), "a", json!({})).is_ok(), "{id}");
    }
}
