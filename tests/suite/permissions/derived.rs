//! The permissions that are derived from blueprints, and the formats in which they are printed.

use std::{collections::BTreeSet, path::PathBuf};

use azure_sim::local_stamp;
use serde_json::Value;
use tenantry::cli::permissions::{Format, PermissionsArgs, run};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    permissions::{
        Permissions, Reach,
        actions::{objection, takes_condition},
        derive,
        document::Principals,
    },
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("blueprints")
}

/// All blueprints of the repository: the file's name without its extension, and the blueprint.
fn shipped() -> Vec<(String, Blueprint)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        (name, Blueprint::check(&std::fs::read_to_string(file).unwrap()).unwrap().blueprint)
    };
    files.into_iter().map(read).collect()
}

fn printed(blueprints: &[&str], format: Format, tier: &[&str]) -> (String, bool) {
    let known = vec![Blueprint::check(DEFAULT).unwrap().blueprint];
    let blueprints = blueprints.iter().map(|name| match *name {
        "secure-ai-service" => (*name).to_owned(),
        name => folder().join(format!("{name}.yaml")).display().to_string(),
    });
    let tier = tier.iter().map(|tier| (*tier).to_owned()).collect();
    let args = PermissionsArgs {
        blueprints: blueprints.collect(),
        format,
        tier,
        stamp: None,
        url: None,
        held: false,
    };
    let mut out = Vec::new();
    let code = run(&args, &known, &[local_stamp()], &mut out).unwrap();
    (String::from_utf8(out).unwrap(), code == std::process::ExitCode::SUCCESS)
}

fn of(yaml: &str) -> Result<Permissions, Vec<String>> {
    let head = "blueprint: odd\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [one, two]\n";
    let blueprint = Blueprint::check(&format!("{head}{yaml}")).unwrap_or_else(|f| panic!("{f:#?}")).blueprint;
    derive(&[blueprint], &[local_stamp()], &[]).map_err(|f| f.into_iter().map(|f| f.message).collect())
}

#[test]
fn each_shipped_blueprint_has_its_permissions_printed() {
    for (name, _) in shipped() {
        for (format, ending) in [(Format::Text, "text"), (Format::Json, "json"), (Format::Bicep, "bicep")] {
            let (text, good) = printed(&[&name], format, &[]);
            assert!(good, "{text}");
            insta::assert_snapshot!(format!("{name}-{ending}"), text);
        }
    }
}

#[test]
fn derived_actions_have_no_wildcard_and_none_that_is_never_granted() {
    for (name, blueprint) in shipped() {
        let permissions = derive(&[blueprint], &[local_stamp()], &[]).unwrap();
        let actions = permissions.provisioner.names().chain(permissions.remover.names());
        let refused: Vec<_> = actions.filter_map(objection).collect();
        assert_eq!(refused, [""; 0], "{name}");
        let deletes = |action: &&str| action.ends_with("/delete") || action.ends_with("/purge/action");
        assert_eq!(permissions.provisioner.names().filter(deletes).count(), 0, "{name}: it deletes nothing");
        let makes = |action: &&str| action.ends_with("/write") || action.ends_with("join/action");
        assert_eq!(permissions.remover.names().filter(makes).count(), 0, "{name}: it makes nothing");
    }
}

#[test]
fn tenants_without_a_group_of_their_own_need_permissions_only_in_the_stamps_group() {
    let blueprint = || vec![Blueprint::check(DEFAULT).unwrap().blueprint];
    let all = derive(&blueprint(), &[local_stamp()], &[]).unwrap();
    let pooled = derive(&blueprint(), &[local_stamp()], &["pooled".to_owned()]).unwrap();
    assert_eq!(pooled.reach, Reach::StampGroup);
    assert!(matches!(all.reach, Reach::Subscription(_)));
    let names = |permissions: &Permissions| -> BTreeSet<String> {
        let both = permissions.provisioner.names().chain(permissions.remover.names());
        both.map(str::to_owned).collect()
    };
    assert!(names(&pooled).is_subset(&names(&all)));
    assert!(!names(&pooled).iter().any(|action| action.contains("resourceGroups/write")));
    assert_eq!(pooled.granted.len(), 1, "the scorer's role alone");
    insta::assert_snapshot!(
        "secure-ai-service-pooled",
        printed(&["secure-ai-service"], Format::Text, &["pooled"]).0
    );
}

#[test]
fn several_blueprints_need_what_each_of_them_needs() {
    let shipped: Vec<Blueprint> = shipped().into_iter().map(|(_, blueprint)| blueprint).collect();
    let together = derive(&shipped, &[local_stamp()], &[]).unwrap();
    for blueprint in shipped {
        let alone = derive(&[blueprint], &[local_stamp()], &[]).unwrap();
        assert!(alone.provisioner.names().all(|action| together.provisioner.actions.contains_key(action)));
        assert!(alone.remover.names().all(|action| together.remover.actions.contains_key(action)));
        assert!(alone.granted.is_subset(&together.granted));
    }
}

#[test]
fn a_type_without_a_row_gets_the_general_rule() {
    let permissions = of("steps:
  thing: { kind: arm, type: Microsoft.Odd/things/parts, apiVersion: '2024-01-01', in: '{{ stamp.thingId }}', name: x }
")
    .unwrap();
    let names: Vec<&str> = permissions.provisioner.names().collect();
    assert_eq!(
        names,
        [
            "Microsoft.Authorization/permissions/read",
            "Microsoft.Odd/things/parts/read",
            "Microsoft.Odd/things/parts/write"
        ]
    );
    assert!(permissions.remover.actions.contains_key("Microsoft.Odd/things/parts/delete"));
}

#[test]
fn a_parameter_is_counted_in_a_condition_and_refused_as_a_role() {
    let permissions = of("parameters: { odd: { type: boolean, default: false } }
steps:
  group: { kind: arm, type: Microsoft.Resources/resourceGroups, when: \"tenant.tier == 'three'\" }
  maybe: { kind: arm, type: Microsoft.Insights/components, in: \"{{ stamp.x }}\", when: parameters.odd }
")
    .unwrap();
    assert!(permissions.provisioner.actions.contains_key("Microsoft.Insights/components/write"));
    assert!(
        !permissions.provisioner.names().any(|action| action.contains("resourceGroups")),
        "no tier has it"
    );
    let faults = of("parameters: { role: { type: string } }
steps:
  group: { kind: arm, type: Microsoft.Resources/resourceGroups }
  grant: { kind: role-assignment, scope: \"{{ steps.group.id }}\", role: \"{{ parameters.role }}\", principal: x }
")
    .unwrap_err();
    assert_eq!(
        faults,
        ["blueprint odd, step grant/role: this depends on the request, so its value is not known"]
    );
}

/// A generic step can't get permissions to change permissions: the blueprint is rejected, and nothing is printed for
/// it.
#[test]
fn a_blueprint_that_needs_what_is_never_granted_has_no_permissions() {
    for of in [
        "Microsoft.Authorization/roleAssignments",
        "microsoft.authorization/ROLEASSIGNMENTS",
        "Microsoft.Authorization/roleDefinitions",
        "Microsoft.Authorization/locks",
        "Microsoft.Authorization/policyAssignments",
        "Microsoft.Authorization/roleEligibilityScheduleRequests",
        "Microsoft.Resources/deployments",
        "Microsoft.Resources/deploymentScripts",
        "Microsoft.Resources/deploymentStacks",
        "Microsoft.Resources/templateSpecs/versions",
        "Microsoft.Resources/tags",
        "Microsoft.ManagedServices/registrationAssignments",
        "Microsoft.KeyVault/vaults/secrets",
        "Microsoft.Storage/storageAccounts/providers",
    ] {
        let yaml = format!(
            "blueprint: odd\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [one]\nsteps:\n  group: {{ kind: arm, type: Microsoft.Resources/resourceGroups }}\n  it: {{ kind: arm, type: {of}, apiVersion: '2024-01-01', in: \"{{{{ stamp.x }}}}\", name: x }}\n"
        );
        let findings = Blueprint::check(&yaml).unwrap_err();
        assert!(findings.iter().any(|finding| finding.code == "forbidden-type"), "{of}: {findings:#?}");
        for deed in ["write", "delete", "validate/action"] {
            let granting = of.eq_ignore_ascii_case("Microsoft.Authorization/roleAssignments");
            let refused = objection(&format!("{of}/{deed}")).is_some();
            assert!(refused || (granting && deed != "validate/action"), "{of}/{deed}");
        }
    }
}

#[test]
fn nothing_is_granted_without_its_condition() {
    for (name, blueprint) in shipped() {
        let permissions = derive(&[blueprint], &[local_stamp()], &[]).unwrap();
        for custom in permissions.roles(&Principals::unknown()) {
            let grants = custom.role.names().any(takes_condition);
            let bounded =
                custom.condition.is_some_and(|condition| condition.to_string().contains("GuidEquals {"));
            assert!(!grants || bounded, "{name}: {}", custom.name);
            let other = |action: &&str| {
                action.starts_with("Microsoft.Authorization/")
                    && !action.ends_with("/read")
                    && !takes_condition(action)
            };
            assert_eq!(custom.role.names().find(other), None, "{name}");
        }
    }
}

#[test]
fn unknown_tiers_and_blueprints_are_reported() {
    let (text, good) = printed(&["secure-ai-service"], Format::Text, &["golden"]);
    assert!(!good && text.contains("no blueprint has the tier golden"), "{text}");
    let (text, good) = printed(&["nothing"], Format::Text, &[]);
    assert!(!good && text.contains("no such blueprint (there is secure-ai-service)"), "{text}");
}

#[test]
fn the_bicep_file_is_well_formed() {
    for (name, _) in shipped() {
        let (text, _) = printed(&[&name], Format::Bicep, &[]);
        let (mut open, mut quoted, mut escaped) = (Vec::new(), false, false);
        for c in
            text.lines().filter(|line| !line.starts_with("//")).flat_map(|line| line.chars().chain(['\n']))
        {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '\'' => quoted = !quoted,
                '\n' => assert!(!quoted, "{name}: a text goes over its line\n{text}"),
                '{' | '[' | '(' if !quoted => open.push(c),
                '}' => assert!(quoted || open.pop() == Some('{'), "{name}"),
                ']' => assert!(quoted || open.pop() == Some('['), "{name}"),
                ')' => assert!(quoted || open.pop() == Some('('), "{name}"),
                _ => {}
            }
        }
        assert!(open.is_empty() && !quoted, "{name}: {open:?}");
    }
}

#[test]
fn the_json_has_the_form_of_azures_api() {
    let (text, _) = printed(&["secure-ai-service"], Format::Json, &[]);
    let document: Value = serde_json::from_str(&text).unwrap();
    let definition = &document["roleDefinitions"][0]["properties"];
    assert_eq!(definition["type"], "CustomRole");
    assert_eq!(definition["permissions"][0]["notActions"], serde_json::json!([]));
    // The third assignment is the auditor's, which needs no condition because the auditor only reads.
    let conditions: Vec<&Value> = document["roleAssignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["properties"]["conditionVersion"])
        .collect();
    assert_eq!(conditions, [&serde_json::json!("2.0"), &serde_json::json!("2.0"), &Value::Null]);
    for assignment in document["roleAssignments"].as_array().unwrap() {
        assert_eq!(assignment["properties"]["principalType"], "ServicePrincipal");
    }
}
