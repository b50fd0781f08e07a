//! A value of a request is at most one segment of a resource id.

use proptest::prelude::*;
use serde_json::json;
use tenantry_core::{blueprint::Plan, ids::ResourceId};

use super::{plan, with_step};

const STORAGE: &str = "{ kind: arm, type: Microsoft.Storage/storageAccounts, in: group }";
const CONTAINER: &str = "{{ steps.it.id }}/blobServices/default/containers/";

/// A blueprint with a storage account and a further step, which may use the parameter `x` and the value `v`.
fn beside_storage(step: &str) -> String {
    let text = with_step(&format!("{STORAGE}\n  more: {step}"));
    text.replace("steps:\n", "values: { v: \"{{ parameters.x }}\" }\nsteps:\n")
}

fn in_scope(expression: &str) -> String {
    beside_storage(&format!(
        "{{ kind: role-assignment, principal: p, role: r, scope: \"{CONTAINER}{expression}\" }}"
    ))
}

/// Values that would change a resource id, or that are ambiguous in it.
const UNFIT: [&str; 24] = [
    "../../../../../../../../..",
    "..",
    ".",
    "../x",
    "%2e%2e/%2e%2e",
    "%2e%2e",
    "%2E.",
    "a?api-version=1&b=",
    "a#b",
    "a\\b",
    "a//b",
    "a/b",
    "/a",
    "a/",
    "",
    " ",
    "a b",
    "a\tb",
    "a\u{7f}",
    "a%00",
    "é",
    "a\u{2215}b",
    "..\u{200b}",
    "a/providers/Microsoft.Authorization/roleAssignments/x",
];

#[test]
fn a_parameter_that_changes_an_address_is_refused_at_its_own_pointer() {
    let check = "{ kind: check, expect: {}, apiVersion: \"2024-01-01\", id: \"";
    let nested = "{ kind: arm, type: Microsoft.Storage/storageAccounts/blobServices, apiVersion: \"2024-01-01\", name: \"";
    let steps = [
        in_scope("{{ parameters.x }}"),
        in_scope("{{ values.v }}"),
        in_scope("{{ parameters.x|lower }}"),
        in_scope("{{ 'pre' ~ parameters.x if parameters.x == '..' else parameters.x }}")
            .replace("'pre' ~ ", ""),
        beside_storage(&format!("{check}{CONTAINER}{{{{ parameters.x }}}}\" }}")),
        beside_storage(&format!("{nested}{{{{ parameters.x }}}}\", in: it }}")),
        beside_storage(
            "{ kind: arm, type: Microsoft.KeyVault/vaults, in: \"{{ steps.group.id }}/providers/{{ parameters.x }}\" }",
        ),
        beside_storage("{ kind: entra-application, uniqueName: \"{{ parameters.x }}\", body: {} }"),
        beside_storage(
            "{ kind: federated-credential, of: app, name: \"{{ parameters.x }}\", body: {} }\n  app: { kind: entra-application, body: {} }",
        ),
    ];
    for text in &steps {
        for x in UNFIT {
            let faults = plan(text, "a", json!({"x": x})).unwrap_err();
            let reported: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.code)).collect();
            assert_eq!(reported, [("/spec/parameters/x", "bad-segment")], "{x:?} in {text}");
            assert!(x.len() < 3 || !faults[0].message.contains(x), "{x:?} is repeated");
        }
    }
}

#[test]
fn a_parameter_that_is_one_segment_or_a_known_id_is_accepted() {
    for x in ["invoices", "$logs", "rg-(prod).1_a", "0"] {
        let planned = plan(&in_scope("{{ parameters.x }}"), "a", json!({"x": x})).unwrap();
        let fields = planned.steps[&"more".parse().unwrap()].desired.to_json();
        let scope = fields["scope"].as_str().unwrap();
        assert!(scope.ends_with(&format!("/containers/{x}")), "{scope}");
    }
    let text =
        beside_storage("{ kind: role-assignment, principal: p, role: r, scope: \"{{ parameters.x }}\" }");
    let own = plan(&text, "a", json!({"x": "/subscriptions/s"})).unwrap_err();
    assert_eq!((own[0].pointer.as_str(), own[0].code), ("/spec/parameters/x", "bad-segment"));
    let known = plan(&in_scope("a"), "a", json!({})).unwrap();
    let id = known.known[&"it".parse().unwrap()]["id"].clone();
    assert!(plan(&text, "a", json!({"x": id})).is_ok(), "its own storage account, as a whole");
    // A blueprint may derive a name from any text.
    let named = in_scope("{{ parameters.x|replace('/', '-')|lower }}");
    assert!(plan(&named, "a", json!({"x": "A/B"})).is_ok());
}

/// The rules apply to the result of an expression, not only to the parameters in it.
#[test]
fn an_address_is_judged_after_evaluation() {
    for (expression, x) in [
        ("{{ parameters.x|replace('_', '.') }}", "__"),
        ("{{ parameters.x|replace('x', '') }}", ".x."),
        ("{{ parameters.x|replace('_', '/') }}", "a_.._.._b"),
        ("{{ parameters.x|replace('_', '?') }}", "a_b"),
        ("{{ parameters.x|replace('_', '#') }}", "a_b"),
        ("{{ parameters.x|replace('_', '%2e') }}", "__"),
        ("{{ parameters.x|replace('_', ' ') }}", "_"),
        ("{{ parameters.x|replace('_', '') }}", "_"),
        (".{{ parameters.x|replace('_', '') }}", "_."),
    ] {
        for text in [in_scope(expression), checks(expression)] {
            let faults = plan(&text, "a", json!({"x": x})).map(|plan| shapes(&plan)).unwrap_err();
            assert!(!faults.is_empty(), "{expression} of {x:?}");
        }
    }
}

fn checks(expression: &str) -> String {
    beside_storage(&format!(
        "{{ kind: check, expect: {{}}, apiVersion: \"2024-01-01\", id: \"{CONTAINER}{expression}\" }}"
    ))
}

/// The rules apply to texts deep within a parameter, and to all other texts of a request.
#[test]
fn every_text_of_a_request_is_at_most_one_segment() {
    let reported = |text: &str, parameters| -> Vec<(String, &'static str)> {
        let faults = plan(text, "a", parameters).map(|plan| shapes(&plan)).unwrap_err();
        faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
    };
    // The display name contains spaces, and a tag may contain any text.
    for (expression, pointer) in [
        ("{{ tenant.displayName }}", "/spec/displayName"),
        ("{{ tenant['displayName'] }}", "/spec"),
        ("{{ tenant.tags.way }}", "/spec/tags"),
    ] {
        let faults = reported(&in_scope(expression), json!({}));
        assert_eq!(faults, [(pointer.to_owned(), "bad-segment")], "{expression}");
    }
    let listed = |text: String| text.replace("type: string, default: x", "type: array, optional: true");
    for expression in ["{{ parameters.x[0] }}", "{{ parameters.x|first }}", "{{ parameters.x|join('/') }}"] {
        let faults = reported(&listed(in_scope(expression)), json!({"x": ["../../.."]}));
        assert_eq!(faults, [("/spec/parameters/x".to_owned(), "bad-segment")], "{expression}");
    }
    let named = in_scope("{{ parameters.x.name }}")
        .replace("type: string, default: x", "type: object, optional: true");
    let faults = reported(&named, json!({"x": {"name": "a?b", "other": "c"}}));
    assert_eq!(faults, [("/spec/parameters/x".to_owned(), "bad-segment")]);
}

#[test]
fn a_location_can_not_change_an_address_either() {
    for body in [
        "location: \"{{ parameters.x }}\" }",
        "body: { location: \"{{ parameters.x }}\" } }",
        "body: { Location: \"{{ parameters.x }}\" } }",
    ] {
        let text =
            beside_storage(&format!("{{ kind: arm, type: Microsoft.KeyVault/vaults, in: group, {body}"));
        assert!(plan(&text, "a", json!({"x": "West Europe"})).is_ok());
        let faults = plan(&text, "a", json!({"x": "../../resourceGroups"})).unwrap_err();
        assert_eq!(
            (faults[0].pointer.as_str(), faults[0].code),
            ("/spec/parameters/x", "bad-segment"),
            "{body}"
        );
    }
}

/// The number of segments of each resource id in a plan.
fn shapes(plan: &Plan) -> Vec<usize> {
    let fields = plan
        .steps
        .values()
        .flat_map(|step| ["id", "scope"].map(|name| step.desired.to_json().get(name).cloned()));
    let ids = fields.flatten().map(|id| id.as_str().unwrap().parse::<ResourceId>().unwrap());
    ids.map(|id| id.as_str().split('/').count()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any text as a parameter is rejected, or all resource ids keep the number of segments that the blueprint gives
    /// them.
    #[test]
    fn any_text_is_refused_or_stays_one_segment(x in prop_oneof!["\\PC{0,12}", "[a-z./%?#\\\\2eE ]{0,10}"]) {
        let text = in_scope("{{ parameters.x }}");
        let usual = plan(&text, "a", json!({"x": "usual"})).unwrap();
        match plan(&text, "a", json!({"x": x})) {
            Ok(plan) => prop_assert_eq!(shapes(&plan), shapes(&usual)),
            Err(faults) => prop_assert!(faults.iter().all(|fault| fault.pointer == "/spec/parameters/x"), "{:?}", faults),
        }
    }
}
