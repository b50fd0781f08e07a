//! C. Blueprint files, 81 to 108: each number has a file in `blueprint_findings`, or a row here.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use tenantry::blueprint::Blueprint;

const HEAD: &str = "blueprint: hello\nschema: tenantry.blueprint/1\ntiers: [a]\n";
const STEP: &str = "steps:\n  group: { kind: arm, type: Microsoft.Resources/resourceGroups }\n";

/// Number, name, file, and the codes of all findings.
fn table() -> Vec<(u32, &'static str, String, Vec<&'static str>)> {
    let many = (0..100_000).fold(format!("{HEAD}version: 1.0.0\nsteps:\n"), |mut text, n| {
        let _ = writeln!(text, "  s{n}: {{ kind: arm, type: Microsoft.Resources/resourceGroups }}");
        text
    });
    let with = |line: &str| format!("{HEAD}{line}\n{STEP}");
    vec![
        (85, "100,000 steps", many, vec!["too-large"]),
        // Files are not signed: they come with the deployment, and a tenant's plan records the digest that it was
        // made from. What looks like a signature is a key that nobody reads, and is said to be one.
        (
            105,
            "a signature that nobody checks",
            with("version: 1.0.0\nsignature: deadbeef"),
            vec!["unknown-key"],
        ),
        // Version and digest of the file are part of each plan; a tenant moves to another one only by an update.
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/blueprint_findings");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        numbers.extend(name.split('-').next().and_then(|number| number.parse::<u32>().ok()));
    }
    let missing: Vec<u32> = (81..=108).filter(|number| !numbers.contains(number)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
