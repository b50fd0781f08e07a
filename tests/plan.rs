//! What becomes of a blueprint for one tenant.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tenantry::blueprint::{Blueprint, DEFAULT, Fault, Kind, Outputs, Plan, Subject};

const SMALL: &str = r#"
blueprint: small
version: 1.0.0
schema: tenantry.blueprint/1
tiers: [dedicated, pooled]
parameters:
  colour: { type: string, default: blue, allowed: [blue, green] }
  count: { type: integer, optional: true, min: 1, max: 9 }
values:
  groupId: "{{ steps.group.id if tenant.tier == 'dedicated' else '/subscriptions/' ~ stamp.subscriptionId ~ '/resourceGroups/shared' }}"
  reader: "{{ steps.identity.principalId }}"
steps:
  group:
    kind: arm
    type: Microsoft.Resources/resourceGroups
    when: tenant.tier == 'dedicated'
  identity:
    kind: arm
    type: Microsoft.ManagedIdentity/userAssignedIdentities
    in: "{{ values.groupId }}"
    body:
      tags: { colour: "{{ parameters.colour }}", name: "{{ tenant.displayName }}" }
    outputs: { principalId: /properties/principalId }
  reader:
    kind: role-assignment
    scope: "{{ steps.identity.id }}"
    role: "{{ stamp.blobReaderRoleId }}"
    principal: "{{ values.reader }}"
exports:
  who: "{{ steps.identity.principalId }}"
  line: "{{ tenant.displayName }} is {{ parameters.colour }} by {{ values.reader }}"
  count: "{{ parameters.count }}"
"#;

fn subject(tier: &str, parameters: Value) -> Subject {
    Subject {
        deployment: "local".into(),
        tenant_id: "contoso".parse().unwrap(),
        incarnation: 1,
        tier: tier.into(),
        tenant: json!({"displayName": "Contoso {{7*7}}", "tags": {"cost": "42", "tenantry-tenant": "fake"}}),
        parameters: parameters.as_object().unwrap().clone(),
        stamp: stamp(),
    }
}

fn plan(text: &str, tier: &str, parameters: Value) -> Result<Plan, Vec<Fault>> {
    Blueprint::check(text).unwrap().blueprint.plan(&subject(tier, parameters))
}

/// Where the local world places its tenants.
fn stamp() -> Value {
    const SUB: &str = "/subscriptions/00000000-0000-0000-0000-00000000a001";
    let shared = format!("{SUB}/resourceGroups/rg-tenantry-stamp/providers");
    json!({
        "name": "local-01",
        "subscriptionId": "00000000-0000-0000-0000-00000000a001",
        "directoryId": "00000000-0000-0000-0000-0000000d0001",
        "region": "westeurope",
        "resourceGroup": "rg-tenantry-stamp",
        "vnetId": format!("{shared}/Microsoft.Network/virtualNetworks/vnet"),
        "subnetId": format!("{shared}/Microsoft.Network/virtualNetworks/vnet/subnets/endpoints"),
        "zones": {
            "api": format!("{shared}/Microsoft.Network/privateDnsZones/privatelink.api.azureml.ms"),
            "notebooks": format!("{shared}/Microsoft.Network/privateDnsZones/privatelink.notebooks.azure.net"),
        },
        "scorerRoleId": format!("{SUB}/providers/Microsoft.Authorization/roleDefinitions/5c0e0000-0000-4000-8000-000000000001"),
        "blobReaderRoleId": format!("{SUB}/providers/Microsoft.Authorization/roleDefinitions/2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
        "pooled": {
            "workspaceName": "mlw-pooled",
            "workspaceId": format!("{shared}/Microsoft.MachineLearningServices/workspaces/mlw-pooled"),
            "privateEndpointIp": "10.20.0.4",
        },
    })
}

#[test]
fn a_small_plan_is_made_and_rendered() {
    let plan = plan(SMALL, "dedicated", json!({})).unwrap();
    let order: Vec<String> = plan.order().iter().map(ToString::to_string).collect();
    assert_eq!(order, ["group", "identity", "reader"]);
    assert_eq!(plan.depth(), 3);
    let reader = "reader".parse().unwrap();
    assert_eq!(plan.steps[&reader].kind, Kind::RoleAssignment);
    assert_eq!(plan.steps[&reader].late["/principalId"], "{{ values.reader }}");
    let told = Outputs::from([("principalId".to_owned(), json!("1234"))]);
    let outputs = BTreeMap::from([("identity".parse().unwrap(), told)]);
    let fields = plan.render(&reader, &outputs).unwrap();
    assert_eq!(fields["principalId"], "1234");
    assert_eq!(fields["scope"], plan.known[&"identity".parse().unwrap()]["id"]);
    let exports = plan.exports(&outputs).unwrap();
    assert_eq!(exports["line"], "Contoso {{7*7}} is blue by 1234");
    assert!(!exports.contains_key("count"), "null is left out");
    assert!(plan.render(&reader, &BTreeMap::new()).is_err());
    let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(again, plan);
}

#[test]
fn the_default_blueprint_is_good_and_plans_both_tiers() {
    let checked = Blueprint::check(DEFAULT).unwrap_or_else(|findings| panic!("{findings:#?}"));
    assert_eq!(checked.warnings, []);
    for (tier, steps) in [("dedicated", 17), ("pooled", 10)] {
        let plan = plan(DEFAULT, tier, json!({})).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert_eq!(plan.steps.len(), steps, "{tier}: {:?}", plan.order());
    }
}
