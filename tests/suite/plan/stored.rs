//! Plans in documents: a plan is written exactly as it was read, and a step whose fields do not fit its kind is not
//! read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tenantry_core::{
    blueprint::{Blueprint, Desired, Expr, Kind, Plan},
    ids::sha256_hex,
    tenant::{Tenant, UnreadableDocument},
};

use super::{SMALL, context, stamp, with_step};

/// The stored form of a planned step, defined here independently of the product.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    kind: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    needs: Vec<String>,
    fields: Map<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    late: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<String, String>,
    digest: String,
}

/// The required and the optional members of `fields` for each kind of step.
fn members(kind: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match kind {
        "arm" => (&["apiVersion", "body", "id", "type"], &[]),
        "arm-update" => (&["apiVersion", "body", "id", "type"], &["undo"]),
        "role-assignment" => (&["principalId", "roleDefinitionId", "scope"], &[]),
        "entra-application" => (&["body", "uniqueName"], &[]),
        "service-principal" => (&["appId", "body"], &[]),
        "federated-credential" => (&["application", "body", "name"], &[]),
        "check" => (&["apiVersion", "expect", "id"], &[]),
        "isolation" => (&[], &["accept", "probe"]),
        other => panic!("no kind {other}"),
    }
}

/// The plans of all blueprints, one for each tier.
fn plans() -> Vec<Plan> {
    let texts = [
        include_str!("../../../blueprints/hello.yaml"),
        include_str!("../../../blueprints/language-service.yaml"),
        include_str!("../../../blueprints/secure-ai-service.yaml"),
        include_str!("../../sim/tenant.yaml"),
        SMALL,
    ];
    let mut plans = Vec::new();
    for text in texts {
        let blueprint = Blueprint::check(text).unwrap().blueprint;
        for tier in blueprint.tiers() {
            let mut context = context(tier, json!({}));
            context.stamp = stamp();
            context.stamp["readerRoleId"] = context.stamp["blobReaderRoleId"].clone();
            plans.push(blueprint.plan(&context).unwrap_or_else(|faults| panic!("{faults:#?}")));
        }
    }
    plans
}

#[test]
fn a_stored_plan_is_written_as_it_was_read() {
    let mut kinds = Vec::new();
    for plan in plans() {
        let text = serde_json::to_string(&plan).unwrap();
        let again: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert_eq!(again, plan);
        let stored: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
        for (name, step) in stored["steps"].as_object().unwrap() {
            let planned = &plan.steps[&name.parse().unwrap()];
            let Stored { kind, fields, late, .. } = serde_json::from_value(step.clone()).unwrap();
            assert_eq!(Value::Object(fields.clone()), planned.desired.to_json());
            assert_eq!(late, planned.desired.late());
            let (needed, possible) = members(&kind);
            assert!(needed.iter().all(|name| fields.contains_key(*name)), "{name}: {fields:?}");
            let known = |name: &String| needed.contains(&name.as_str()) || possible.contains(&name.as_str());
            assert!(fields.keys().all(known), "{name}: {fields:?}");
            let null_where_late =
                late.keys().all(|pointer| json!(fields).pointer(pointer) == Some(&Value::Null));
            assert!(null_where_late, "{name}: {late:?}");
            kinds.push(kind);
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

/// The digest covers the stored fields, so that steps which an earlier version has planned are not written again.
#[test]
fn digests_cover_the_stored_layout() {
    let steps = plans().into_iter().flat_map(|plan| plan.steps);
    let early: Vec<_> = steps.filter(|(_, step)| !step.desired.is_late()).collect();
    assert!(early.len() > 20);
    for (name, step) in early {
        let whole = json!([step.kind(), step.desired.to_json(), {}, step.outputs, {}]);
        assert_eq!(step.digest, format!("sha256:{}", sha256_hex(whole.to_string().as_bytes())), "{name}");
    }
}

#[test]
fn late_and_known_texts_are_distinguished() {
    let plan = super::plan(SMALL, "dedicated", json!({})).unwrap();
    let Desired::RoleAssignment(grant) = &plan.steps[&"reader".parse().unwrap()].desired else {
        panic!("the reader is a role assignment")
    };
    assert_eq!(grant.principal_id, Expr::Late("{{ values.reader }}".to_owned()));
    assert_eq!(grant.role_definition_id.known().unwrap(), stamp()["blobReaderRoleId"].as_str().unwrap());
    assert_eq!(grant.scope.as_str(), plan.known[&"identity".parse().unwrap()]["id"].as_str().unwrap());
}

#[test]
fn fields_that_do_not_fit_their_kind_make_a_document_unreadable() {
    let document: Value = serde_json::from_str(include_str!("../../fixtures/tenant-v1.json")).unwrap();
    assert!(Tenant::from_json(document.to_string().as_bytes()).is_ok());
    for (pointer, spoilt) in [
        ("/plan/steps/group/fields/id", json!("no id")),
        ("/plan/steps/group/fields/apiVersion", json!("latest")),
        ("/plan/steps/group/fields", json!(null)),
        ("/plan/steps/group/kind", json!("role-assignment")),
        ("/plan/steps/grant/fields/scope", json!(null)),
        ("/plan/steps/application/fields", json!({"uniqueName": "x"})),
    ] {
        let mut document = document.clone();
        *document.pointer_mut(pointer).unwrap() = spoilt;
        let read = Tenant::from_json(document.to_string().as_bytes());
        assert!(matches!(read, Err(UnreadableDocument::Json(_))), "{pointer}");
    }
}

#[test]
fn unknown_members_in_fields_are_kept() {
    let mut document: Value = serde_json::from_str(include_str!("../../fixtures/tenant-v1.json")).unwrap();
    document["plan"]["steps"]["group"]["fields"]["zone"] = json!({"of": "a later version"});
    let tenant = Tenant::from_json(document.to_string().as_bytes()).unwrap();
    assert_eq!(tenant.plan.steps[&"group".parse().unwrap()].kind(), Kind::Arm);
    assert_eq!(serde_json::from_str::<Value>(&tenant.to_json().unwrap()).unwrap(), document);
}

/// Earlier versions planned a role assignment without a principal, and its step was blocked. A tenant with such a
/// plan can still be changed and removed.
#[test]
fn an_invalid_grant_of_an_earlier_version_is_read_and_its_step_refused() {
    let document: Value = serde_json::from_str(include_str!("../../fixtures/tenant-v1.json")).unwrap();
    for (field, spoilt) in
        [("principalId", json!(null)), ("roleDefinitionId", json!(7)), ("principalId", json!(""))]
    {
        let mut document = document.clone();
        let grant = &mut document["plan"]["steps"]["grant"];
        grant["fields"][field] = spoilt;
        grant["fields"].as_object_mut().unwrap().entry("principalId").or_insert_with(|| json!("p"));
        grant.as_object_mut().unwrap().remove("late");
        let tenant = Tenant::from_json(document.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&tenant.to_json().unwrap()).unwrap(), document);
        let error = tenant.plan.render(&"grant".parse().unwrap(), &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().ends_with("is missing or is not a text"), "{error}");
    }
}

/// Values that would block a step for good are rejected before anything is created. The faults are in the order of
/// step names.
#[test]
fn expressions_that_yield_no_text_are_refused_at_planning_with_all_other_faults() {
    let nobody = |principal: &str, role: &str| {
        format!(
            "{{ kind: role-assignment, scope: \"{{{{ steps.group.id }}}}\", principal: \"{principal}\", role: \"{role}\" }}"
        )
    };
    let ape = "{ kind: arm, type: Microsoft.Storage/storageAccounts, in: group, body: { properties: { allowSharedKeyAccess: \"{{ parameters.x is defined }}\" } } }";
    for none in ["{{ none }}", "{{ parameters.x }}", "{{ 7 }}"] {
        let steps = format!("{}\n  zebra: {}\n  ape: {ape}", nobody("p", none), nobody(none, "r"));
        let faults = super::plan(&with_step(&steps), "a", json!({"x": ""})).unwrap_err();
        let found: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
        let at = "/spec";
        assert_eq!(found, [(at, "key-auth"), (at, "bad-field"), (at, "bad-field")], "{faults:#?}");
        assert!(faults[1].message.contains("step it: the step's field roleDefinitionId"), "{faults:#?}");
        assert!(faults[2].message.contains("step zebra: the step's field principalId"), "{faults:#?}");
    }
}
