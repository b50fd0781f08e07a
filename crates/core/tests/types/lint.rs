//! `Blueprint::lint` compares bodies with the table of resource types, and warns with line and column.

use tenantry_core::blueprint::{Blueprint, Severity};

use crate::blueprints::BLUEPRINTS;

/// One wrong property, value or version each, in the default blueprint: the text that is replaced, the text instead of
/// it with a `^` before the reported position, and the code. Each text is there once.
const FAULTS: [(&str, &str, &str); 31] = [
    ("allowCrossTenantReplication: false", "^allowCrossTenentReplication: false", "unknown-member"),
    ("defaultToOAuthAuthentication: true", "defaultToOAuthAuthentication: ^\"true\"", "wrong-type"),
    ("sku: { name: Standard_LRS }", "sku: ^{ nam: Standard_LRS }", "missing-required"),
    ("kind: StorageV2", "kind: ^StorageV3", "not-in-enum"),
    ("kind: StorageV2", "kind: ^2", "wrong-type"),
    ("defaultToOAuthAuthentication: true", "^primaryLocation: westeurope", "read-only-member"),
    ("minimumTlsVersion: TLS1_2", "minimumTlsVersion: ^1.2", "wrong-type"),
    ("supportsHttpsTrafficOnly: true", "^supportHttpsTrafficOnly: true", "unknown-member"),
    ("defaultToOAuthAuthentication: true", "networkRuleSet: x\n        ^isHnsEnable: true", "unknown-member"),
    ("tenantId: \"{{ stamp.directoryId }}\"", "tenantId: ^7", "wrong-type"),
    ("sku: { family: A, name: standard }", "sku: { family: ^B, name: standard }", "not-in-enum"),
    ("sku: { family: A, name: standard }", "sku: { family: A, name: ^gold }", "not-in-enum"),
    ("softDeleteRetentionInDays: 7", "softDeleteRetentionInDays: ^seven", "wrong-type"),
    ("enableSoftDelete: true", "^enableSoftDelet: true", "unknown-member"),
    ("enableSoftDelete: true", "^vaultResourceId: x", "unknown-member"),
    ("enableSoftDelete: true", "^hsmPoolResourceId: x", "read-only-member"),
    (
        "properties: { Application_Type: web }",
        "properties: { ^AppId: x, Application_Type: web }",
        "read-only-member",
    ),
    ("properties: { Application_Type: web }", "properties: ^{ Flow_Type: Bluefield }", "missing-required"),
    ("identity: { type: SystemAssigned }", "identity: { type: ^Assigned }", "not-in-enum"),
    ("friendlyName: \"{{ tenant.displayName }}\"", "friendlyName: ^[a]", "wrong-type"),
    ("keyVault: \"{{ steps.vault.id }}\"", "^keyVaults: \"{{ steps.vault.id }}\"", "unknown-member"),
    ("groupIds: [amlworkspace]", "groupIds: ^amlworkspace", "wrong-type"),
    ("groupIds: [amlworkspace]", "^groupId: [amlworkspace]", "unknown-member"),
    (
        "subnet: { id: \"{{ stamp.subnetId }}\" }",
        "subnet: { ^ident: \"{{ stamp.subnetId }}\" }",
        "unknown-member",
    ),
    ("{ name: api, properties", "{ name: ^7, properties", "wrong-type"),
    ("{ name: notebooks, properties: {", "{ name: notebooks, ^property: {", "unknown-member"),
    ("scaleSettings: { scaleType: Default }", "scaleSettings: { scaleType: ^Automatic }", "not-in-enum"),
    ("endpointComputeType: Managed", "endpointComputeType: ^Serverless", "not-in-enum"),
    ("traffic: { main: 100 }", "traffic: { main: ^\"all\" }", "wrong-type"),
    ("traffic: {} ", "^trafic: {} ", "unknown-member"),
    (
        "type: Microsoft.Insights/components",
        "type: Microsoft.Insights/components\n    apiVersion: ^\"2020-02-03\"",
        "unknown-api-version",
    ),
];

/// The warnings about a blueprint, each as `line:column code`.
fn warnings(text: &str) -> Vec<String> {
    let found = match Blueprint::lint(text) {
        Ok(checked) => checked.warnings,
        Err(findings) => findings,
    };
    let found = found.iter().filter(|finding| finding.severity == Severity::Warning);
    found.map(|finding| format!("{}:{} {}", finding.line, finding.column, finding.code)).collect()
}

#[test]
fn the_shipped_blueprints_have_no_warnings() {
    for text in BLUEPRINTS {
        assert_eq!(warnings(text), Vec::<String>::new());
    }
}

#[test]
fn each_fault_is_found_where_it_is() {
    let text = BLUEPRINTS[2];
    let mut wrong = Vec::new();
    for (right, fault, code) in FAULTS {
        assert_eq!(text.matches(right).count(), 1, "`{right}`");
        let marked = text.replace(right, fault);
        let (before, _) = marked.split_once('^').unwrap();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        let (expected, seen) = (format!("{line}:{column} {code}"), warnings(&marked.replacen('^', "", 1)));
        if !seen.contains(&expected) {
            wrong.push(format!("{fault}: {expected}, not {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_unknown_type_is_a_warning() {
    let text = "blueprint: a\nversion: 1.0.0\nschema: tenantry.blueprint/1\ntiers: [t]\nsteps:\n  x:\n    kind: arm\n    \
                type: Microsoft.Storage/storageAccount\n    apiVersion: \"2024-01-01\"\n    in: \"{{ stamp.id }}\"\n    \
                name: x\n";
    assert_eq!(warnings(text), ["8:11 unknown-type"]);
}
