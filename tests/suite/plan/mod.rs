//! Plans: a blueprint worked out for one tenant.
#![expect(clippy::needless_pass_by_value, reason = "helpers take `json!` as it is written")]

mod addresses;
mod changes;
mod late;
mod stored;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use tenantry::cli::plan as command;
use tenantry_core::{
    blueprint::{
        Blueprint, DEFAULT, Fault, Kind, Outputs, Owner, Plan, PlanContext, ResourceType, derive_name,
        role_assignment_name,
    },
    ids::TenantId,
};

const SMALL: &str = r#"
blueprint: small
version: 1.0.0
schema: tenantry.blueprint/1
tiers: [dedicated, pooled]
parameters:
  colour: { type: string, default: blue, allowed: [blue, green] }
  count: { type: integer, optional: true, min: 1, max: 9 }
values:
  groupId: "{{ steps.group.id if tenant.tier == 'dedicated' else '/subscriptions/' ~ stamp.subscriptionId ~ '/resourceGroups/' ~ stamp.resourceGroup }}"
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

fn context(tier: &str, parameters: Value) -> PlanContext {
    PlanContext {
        deployment: "local".into(),
        tenant_id: "contoso".parse().unwrap(),
        incarnation: 1,
        tier: tier.into(),
        tenant: json!({"displayName": "Contoso {{7*7}}", "tags": {"cost": "42", "way": "../..", "tenantry-tenant": "fake"}}),
        parameters: parameters.as_object().unwrap().clone(),
        stamp: stamp(),
    }
}

fn plan(text: &str, tier: &str, parameters: Value) -> Result<Plan, Vec<Fault>> {
    Blueprint::check(text).unwrap().blueprint.plan(&context(tier, parameters))
}

/// The stamp of the local environment, as blueprints read it.
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
    assert_eq!(plan.steps[&reader].kind(), Kind::RoleAssignment);
    assert_eq!(plan.steps[&reader].desired.late()["/principalId"], "{{ values.reader }}");
    let identity = Outputs::from([("principalId".to_owned(), json!("1234"))]);
    let outputs = BTreeMap::from([("identity".parse().unwrap(), identity)]);
    let fields = plan.render(&reader, &outputs).unwrap().to_json();
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
fn the_default_blueprint_is_valid_and_plans_both_tiers() {
    let checked = Blueprint::check(DEFAULT).unwrap_or_else(|findings| panic!("{findings:#?}"));
    assert_eq!(checked.warnings, []);
    for (tier, steps) in [("dedicated", 18), ("pooled", 10)] {
        let plan = plan(DEFAULT, tier, json!({})).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert_eq!(plan.steps.len(), steps, "{tier}: {:?}", plan.order());
    }
}

/// Runs `tenantry plan` for a message. Returns the exit code and the output.
fn command(message: &Value, json: bool, dot: bool) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let tenant = folder.path().join("signup.json");
    std::fs::write(&tenant, message.to_string()).unwrap();
    let mut out = Vec::new();
    let args = command::PlanArgs { tenant, blueprint: None, stamp: None, json, dot };
    let code = command::run(&args, Some(&stamp()), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap().replace(&folder.path().display().to_string(), ".");
    (format!("{code:?}"), out)
}

fn signup(tier: &str, parameters: Value) -> Value {
    let spec = json!({"displayName": "Contoso", "tier": tier, "region": "westeurope", "parameters": parameters,
        "homeTenantId": "11111111-1111-4111-8111-111111111111", "tags": {"costCenter": "42"}});
    json!({"schema": "tenantry.request/1", "requestId": "r-1", "action": "signup", "tenantId": "contoso", "spec": spec})
}

#[test]
fn the_command_shows_every_request_of_the_default_blueprint() {
    let federated = json!({"federatedIdentity": {"issuer": "https://token.example.com/", "subject": "workload"},
        "redirectUris": ["https://app.contoso.com/auth"]});
    let (code, dedicated) = command(&signup("dedicated", federated), false, false);
    assert!(code.contains('0'), "{code}: {dedicated}");
    insta::assert_snapshot!("requests_dedicated", dedicated);
    let (_, pooled) = command(
        &json!({"specversion": "1.0", "type": "io.tenantry.request.signup.v1", "data": signup("pooled", json!({}))}),
        false,
        false,
    );
    insta::assert_snapshot!("requests_pooled", pooled);
    insta::assert_snapshot!("graph_pooled", command(&signup("pooled", json!({})), false, true).1);
    let (_, whole) = command(&signup("dedicated", json!({})), true, false);
    let plan: Plan = serde_json::from_str(&whole).unwrap();
    assert_eq!(plan.depth(), 8, "{:?}", plan.order());
}

#[test]
fn the_command_reports_all_faults_of_a_request() {
    let parameters = json!({"instanceType": "huge", "instances": 99, "colour": 1, "redirectUris": ["http://x"],
        "federatedIdentity": {"issuer": "https://169.254.169.254/"}});
    let (code, output) = command(&signup("dedicated", parameters), false, false);
    assert!(code.contains('1'), "{code}");
    insta::assert_snapshot!("faults", output);
    insta::assert_snapshot!("unknown_tier", command(&signup("golden", json!({})), false, false).1);
}

/// A redirect address is unambiguous and contains the full name of its host.
#[test]
fn redirect_addresses_name_their_host_in_full() {
    let planned = |address: &str| {
        let parameters = json!({"redirectUris": ["https://app.contoso.com/auth", address]});
        command(&signup("dedicated", parameters), false, false)
    };
    for good in ["https://app.contoso.com/auth?tenant=a%23b", "https://app.contoso.com:8443/"] {
        let (code, output) = planned(good);
        assert!(code.contains('0'), "{good}: {output}");
    }
    for bad in [
        "https://*.contoso.com/auth",
        "https://app.contoso.com/*",
        "https://app.contoso.com/auth#token",
        "https://app.contoso.com#@evil.example.com/",
        "https://user:word@app.contoso.com/auth",
        "https://%2a.contoso.com/auth",
        "https://app.contoso.com%23.evil.example.com/",
        "http://app.contoso.com/auth",
        "http://localhost/auth",
        "https://127.0.0.1/auth",
        "myapp://auth",
        "https:///auth",
        "https://169.254.169\u{3002}254/auth",
        "https://app.contoso\u{ff0e}com/auth",
        "https://app.contoso.\u{441}om/auth",
        "https://app..contoso.com/auth",
        "https://app.contoso.com:99999/auth",
        "https://app.contoso.com:/auth",
        "https://app.contoso.com:443:443/auth",
    ] {
        let (code, output) = planned(bad);
        assert!(
            code.contains('1') && output.contains("/spec/parameters/redirectUris/1"),
            "{bad}: {code} {output}"
        );
    }
}

fn codes(result: Result<Plan, Vec<Fault>>) -> Vec<(String, &'static str)> {
    result.unwrap_err().into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

/// A blueprint with the step `group`, the given step `it` and the parameter `x`.
fn with_step(step: &str) -> String {
    format!(
        "blueprint: t\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [a, b]\nparameters:\n  x: {{ type: string, default: x }}\nsteps:\n  group: {{ kind: arm, type: Microsoft.Resources/resourceGroups, when: tenant.tier == 'a' }}\n  it: {step}\nexports: {{ x: \"{{{{ parameters.x }}}}\" }}\n"
    )
}

#[test]
fn the_rules_hold_for_whatever_an_expression_yields() {
    let arm = "{ kind: arm, type: Microsoft.Storage/storageAccounts, in: group, body: { properties: ";
    let grant = "{ kind: role-assignment, principal: p, ";
    for (step, x, code) in [
        (
            format!("{arm} {{ publicNetworkAccess: \"{{{{ parameters.x }}}}\" }} }} }}"),
            "enabled",
            "public-network",
        ),
        (format!("{arm} {{ authMode: \"{{{{ parameters.x }}}}\" }} }} }}"), "Key", "key-auth"),
        (
            format!("{arm} {{ url: \"{{{{ parameters.x }}}}\" }} }} }}"),
            "http://10.0.0.1/",
            "forbidden-address",
        ),
        (
            format!("{grant} scope: \"{{{{ steps.group.id }}}}\", role: \"{{{{ parameters.x }}}}\" }}"),
            "owner",
            "broad-role",
        ),
    ] {
        let faults = codes(plan(&with_step(&step), "a", json!({"x": x})));
        assert!(faults.contains(&("/spec".to_owned(), code)), "{step}: {faults:?}");
    }
}

#[test]
fn a_step_inside_an_omitted_step_must_be_omitted_too() {
    let inside = with_step("{ kind: arm, type: Microsoft.Storage/storageAccounts, in: group }");
    assert!(plan(&inside, "a", json!({})).is_ok());
    assert_eq!(codes(plan(&inside, "b", json!({}))), [("/spec".to_owned(), "no-identity")]);
    let speaks = with_step("{ kind: entra-application, body: { displayName: \"{{ steps.group.name }}\" } }");
    assert_eq!(codes(plan(&speaks, "b", json!({}))), [("/spec".to_owned(), "bad-expression")]);
    let waits = with_step("{ kind: entra-application, needs: [group], body: { displayName: x } }");
    let plan = plan(&waits, "b", json!({})).unwrap();
    assert!(plan.steps[&"it".parse().unwrap()].needs.is_empty());
}

#[test]
fn values_are_never_evaluated_again() {
    let step = with_step(
        "{ kind: entra-application, body: { displayName: \"{{ parameters.x }}\", note: \"- {{ parameters.x }}\", logo: { \"{{ parameters.x }}\": 1 } } }",
    );
    for hostile in
        ["{{ 7*7 }}", "{{ steps.group.id }}", "[resourceGroup().id]", "${jndi:x}", "%PATH%", "{% raw %}"]
    {
        let plan = plan(&step, "a", json!({"x": hostile})).unwrap();
        let fields = plan.render(&"it".parse().unwrap(), &BTreeMap::new()).unwrap().to_json();
        assert_eq!(fields["body"]["displayName"], hostile);
        assert_eq!(fields["body"]["note"], format!("- {hostile}"));
        assert_eq!(fields["body"]["logo"][hostile], 1);
        assert_eq!(plan.exports(&BTreeMap::new()).unwrap()["x"], hostile);
    }
}

#[test]
fn expressions_end_and_never_exhaust_the_stack() {
    for (unit, end) in [
        ("(", ""),
        ("-", "1"),
        ("not ", "1"),
        ("[", ""),
        ("{'a':", ""),
        ("parameters.x ~ ", "''"),
        ("1 if 1 else ", "1"),
        ("parameters", ".x"),
        ("1 + ", "1"),
        ("2 ** ", "2"),
        ("1 if ", "1"),
        ("x[", ""),
        ("'aaaaaaaa' * 9999999 ~ ", "''"),
        ("1|trim(", ""),
        ("1 < ", "1"),
        ("1 and ", "1"),
        ("1, ", "1"),
        ("1 is not in ", "1"),
    ] {
        for length in [1_900, 100_000] {
            let hostile = unit.repeat(length / unit.len()) + end;
            let step = with_step(&format!(
                "{{ kind: entra-application, body: {{ displayName: '{{{{ {} }}}}' }} }}",
                hostile.replace('\'', "''")
            ));
            if let Ok(checked) = Blueprint::check(&step) {
                assert!(length < 2_000, "{unit}");
                let _ = checked.blueprint.plan(&context("a", json!({})));
            }
        }
    }
}

#[test]
fn two_steps_never_have_the_same_object() {
    let same = "{ kind: arm, type: Microsoft.Network/privateEndpoints, in: group, name: \"st{{ parameters.x }}\" }\n  twin: { kind: arm, type: microsoft.network/PrivateEndpoints, in: group, name: stX }";
    let faults = codes(plan(&with_step(same), "a", json!({})));
    assert_eq!(faults, [("/spec".to_owned(), "same-object")]);
    let apps = "{ kind: entra-application, uniqueName: a, body: { displayName: x } }\n  twin: { kind: entra-application, uniqueName: a, body: { displayName: y } }";
    assert_eq!(codes(plan(&with_step(apps), "a", json!({}))), [("/spec".to_owned(), "same-object")]);
}

#[test]
fn late_texts_are_found_below_keys_with_slashes() {
    let step = "{ kind: check, of: group, expect: { /properties/app: \"{{ steps.app.appId }}\", /a~1b: x } }\n  app: { kind: entra-application, body: { displayName: x } }";
    let plan = plan(&with_step(step), "a", json!({})).unwrap();
    let app = Outputs::from([("appId".to_owned(), json!("42"))]);
    let rendered =
        plan.render(&"it".parse().unwrap(), &BTreeMap::from([("app".parse().unwrap(), app)])).unwrap();
    assert_eq!(rendered.to_json()["expect"], json!({"/properties/app": "42", "/a~1b": "x"}));
}

#[test]
fn tenants_with_nearly_the_same_id_share_no_name() {
    let storage = ResourceType::find("microsoft.storage/STORAGEACCOUNTS").unwrap();
    let ids = (0..20_000)
        .map(|n| format!("a-very-long-and-equal-prefix-{n:03x}").chars().take(32).collect::<String>());
    let ids: BTreeSet<TenantId> = ids.filter_map(|id| id.parse().ok()).collect();
    let name = |tenant| {
        derive_name(
            &storage.names.unwrap(),
            storage.name,
            Owner { deployment: "d", tenant, incarnation: 1 },
            "s",
        )
    };
    let names: BTreeSet<String> = ids.iter().map(name).collect();
    assert!(ids.len() > 4_000);
    assert_eq!(names.len(), ids.len());
}
