//! Bad inputs 81 to 108, blueprint files: each number has a file in `blueprint_findings` or a row here.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use serde_json::{Map, json};
use tenantry_core::blueprint::{Blueprint, PlanContext};

const HEAD: &str = "blueprint: hello\nschema: tenantry.blueprint/1\ntiers: [a]\n";
const STEP: &str = "steps:\n  group: { kind: arm, type: Microsoft.Resources/resourceGroups }\n";

/// The generated blueprints: number of the bad input, name, text, and the codes of all expected findings.
fn table() -> Vec<(u32, &'static str, String, Vec<&'static str>)> {
    let many = (0..100_000).fold(format!("{HEAD}version: 1.0.0\nsteps:\n"), |mut text, n| {
        let _ = writeln!(text, "  s{n}: {{ kind: arm, type: Microsoft.Resources/resourceGroups }}");
        text
    });
    let empty = (0..20_000).fold(format!("{HEAD}version: 1.0.0\nsteps:\n"), |mut text, n| {
        let _ = writeln!(text, "  s{n}:");
        text
    });
    let with = |line: &str| format!("{HEAD}{line}\n{STEP}");
    let nested =
        |lists: usize| with(&format!("more: [{}]", format!("[{}],", "0,".repeat(900)).repeat(lists)));
    vec![
        (85, "100,000 steps", many, vec!["too-large"]),
        // The number of steps is checked while they are read, not after 20,000 nodes were built.
        (85, "20,000 steps of nothing", empty, vec!["too-many"]),
        (85, "a list of 20,000 items", with(&format!("more: [{}]", "0,".repeat(20_000))), vec!["too-many"]),
        (85, "36,000 items in lists", nested(40), vec!["too-many"]),
        // Files are not signed: they come with the deployment, and a tenant's plan records the digest that it was made
        // from. A `signature` is a key that nothing reads, and is reported as unknown.
        (
            105,
            "a signature that nobody checks",
            with("version: 1.0.0\nsignature: deadbeef"),
            vec!["unknown-key"],
        ),
        // Version and digest of the file are part of each plan; a tenant moves to another version only by an update.
        (107, "an older version", with("version: 0.0.1"), vec![]),
        (107, "a version that is none", with("version: latest"), vec!["bad-name"]),
    ]
}

#[test]
fn each_number_has_its_finding() {
    let mut numbers: BTreeSet<u32> = BTreeSet::new();
    for (number, name, text, expected) in table() {
        let codes: Vec<&str> = match Blueprint::check(&text) {
            Ok(checked) => checked.warnings.iter().map(|finding| finding.code).collect(),
            Err(findings) => findings.iter().map(|finding| finding.code).collect(),
        };
        assert_eq!(codes, expected, "{number} {name}");
        numbers.insert(number);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/blueprint_findings");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        numbers.extend(name.split('-').next().and_then(|number| number.parse::<u32>().ok()));
    }
    let missing: Vec<u32> = (81..=108).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// 102: values that use one another grow exponentially, and a repeated list could fill any memory; both are reported.
#[test]
fn the_results_of_expressions_are_limited() {
    let powers = |first: &str, each: &dyn Fn(String) -> String| {
        (1..16).fold(format!("values:\n  v0: \"{first}\"\n"), |mut text, n| {
            let _ = writeln!(text, "  v{n}: \"{}\"", each(format!("values.v{}", n - 1)));
            text
        })
    };
    let long = powers(&format!("{}{{{{ tenant.id }}}}", "x".repeat(200)), &|value| {
        format!("{{{{ {value} }}}}").repeat(40)
    });
    let many =
        powers("{{ true }}", &|value| format!("{{{{ {value}{} }}}}", format!(" == {value}").repeat(40)));
    let rows = [
        (long, "{{ values.v14 }}", "it comes to more than 262144 bytes"),
        (many, "{{ values.v14 }}", "come to more than 4 MiB"),
        (String::new(), "{{ [0] * 99999999 }}", "it comes to more than 262144 bytes"),
        (String::new(), "{{ 'a' * 99999999 }}", "out of fuel"),
        (
            String::new(),
            "{{ tenant.id|replace('o', 'oooooooo')|replace('o', 'oooooooo')|replace('o', 'oooooooo')|replace('o', 'oooooooo')|replace('o', 'oooooooo')|replace('o', 'oooooooo') }}",
            "it comes to more than 262144 bytes",
        ),
    ];
    for (values, export, why) in rows {
        let text = format!("{HEAD}version: 1.0.0\n{values}{STEP}exports: {{ e: \"{export}\" }}\n");
        let blueprint = Blueprint::check(&text).unwrap().blueprint;
        let context = PlanContext {
            deployment: "test".into(),
            tenant_id: "contoso".parse().unwrap(),
            incarnation: 1,
            tier: "a".into(),
            tenant: json!({}),
            parameters: Map::new(),
            stamp: azure_sim::local_stamp(),
        };
        let faults = blueprint.plan(&context).unwrap_err();
        assert!(faults.iter().any(|fault| fault.message.contains(why)), "{export}: {faults:.300?}");
    }
}
