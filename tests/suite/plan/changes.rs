//! The differences between two plans of a tenant.

use super::*;

#[test]
fn an_equal_desired_state_has_an_equal_digest() {
    let digest = |text: &str, x: &str| {
        plan(text, "a", json!({"x": x})).unwrap().steps[&"it".parse().unwrap()].digest.clone()
    };
    let early = with_step("{ kind: entra-application, body: { displayName: \"{{ parameters.x }}\" } }");
    let other = with_step("{ kind: entra-application, body: { displayName: x } }");
    assert_eq!(digest(&early, "x"), digest(&other, "y"));
    assert_ne!(digest(&early, "x"), digest(&early, "y"));
    let late = "{ kind: federated-credential, of: app, body: { subject: \"{{ parameters.x ~ steps.app.appId }}\" } }\n  app: { kind: entra-application, body: { displayName: x } }";
    assert_ne!(
        digest(&with_step(late), "x"),
        digest(&with_step(late), "y"),
        "late texts change with the parameters in them"
    );
}

#[test]
fn changes_that_need_a_new_object_are_named() {
    let planned = |tier: &str, incarnation: u32, region: &str| {
        let mut context = context(tier, json!({}));
        (context.incarnation, context.stamp["region"]) = (incarnation, json!(region));
        Blueprint::check(SMALL).unwrap().blueprint.plan(&context).unwrap()
    };
    let changes = |a: &Plan, b: &Plan, step: &str| {
        let step = step.parse().unwrap();
        Plan::immutable_changes(&a.steps[&step], &b.steps[&step])
    };
    let first = planned("dedicated", 1, "westeurope");
    assert!(changes(&first, &first, "identity").is_empty());
    assert_eq!(changes(&first, &planned("dedicated", 1, "northeurope"), "identity"), ["/body/location"]);
    assert_eq!(changes(&first, &planned("dedicated", 2, "westeurope"), "identity"), ["/id"]);
    assert_eq!(changes(&first, &planned("pooled", 1, "westeurope"), "reader"), ["/scope"]);
}

#[test]
fn an_arm_update_is_merged_into_the_resource_it_changes() {
    let whole = plan(DEFAULT, "pooled", json!({})).unwrap();
    let (endpoint, traffic) =
        (&whole.steps[&"endpoint".parse().unwrap()], &whole.steps[&"traffic".parse().unwrap()]);
    let (endpoint, traffic) = (endpoint.desired.to_json(), traffic.desired.to_json());
    assert_eq!(traffic["id"], endpoint["id"]);
    let mut expected = endpoint["body"].clone();
    expected["properties"]["traffic"] = json!({"main": 100});
    assert_eq!(traffic["body"], expected);
    expected["properties"]["traffic"] = json!({});
    assert_eq!(traffic["undo"], expected);
    let lasting = with_step("{ kind: arm-update, of: group, body: { properties: { y: 1 } } }");
    let lasting = plan(&lasting, "a", json!({})).unwrap();
    assert!(lasting.steps[&"it".parse().unwrap()].desired.to_json().get("undo").is_none());
}

proptest! {
    #[test]
    fn names_follow_their_rule_and_are_never_shared(
        one in "[a-z][a-z0-9-]{1,30}[a-z0-9]", two in "[a-z][a-z0-9-]{1,30}[a-z0-9]", incarnations in 1u32..1000,
    ) {
        let ids: Vec<TenantId> = [one, two].iter().filter_map(|id| id.parse().ok()).collect();
        for (row, rule) in ResourceType::all().filter_map(|row| Some((row.name, row.names?))) {
            let mut names = BTreeSet::new();
            for tenant in ids.iter().collect::<BTreeSet<_>>() {
                for (deployment, incarnation, slot) in [("local", incarnations, "a"), ("loca", incarnations, "la"), ("local", incarnations + 1, "a")] {
                    let name = derive_name(&rule, row, Owner { deployment, tenant, incarnation }, slot);
                    prop_assert!((rule.length.0..=rule.length.1).contains(&name.len()), "{row}: {name}");
                    prop_assert!(name.starts_with(rule.prefix) && !name.contains("--") && !name.ends_with('-'), "{name}");
                    prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || (rule.hyphen && b == b'-')));
                    prop_assert!(names.insert(name.clone()), "{row}: {name} twice");
                }
            }
        }
    }

    #[test]
    fn role_assignment_names_ignore_case(scope in "/[a-zA-Z/]{1,30}[a-z]", principal in "[a-fA-F0-9-]{8,36}") {
        let name = role_assignment_name(&scope, &principal, "r");
        prop_assert_eq!(name, role_assignment_name(&scope.to_uppercase(), &principal.to_lowercase(), "R"));
        prop_assert_eq!(name.get_version_num(), 5);
        prop_assert_ne!(name, role_assignment_name(&scope, &principal, "s"));
        prop_assert_ne!(name, role_assignment_name(&format!("{scope}x"), &principal, "r"));
    }
}
