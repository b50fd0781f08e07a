//! The file of a blueprint.

use azure_sim::local_stamp;
use serde_json::{Map, json};
use tenantry_core::blueprint::{Blueprint, Checked, Diagnostic, PlanContext, Severity};

use super::Target;
use crate::corpus;

pub(super) const TARGET: Target = Target {
    name: "blueprint",
    check,
    seeds,
    tokens: &[
        "blueprint: x\n",
        "version: 1.0.0\n",
        "schema: tenantry.blueprint/1\n",
        "tiers: [dedicated]\n",
        "parameters:\n",
        "values:\n",
        "steps:\n",
        "exports:\n",
        "  s: { kind: arm, type: Microsoft.Resources/resourceGroups }\n",
        "kind: arm",
        "kind: arm-update",
        "kind: role-assignment",
        "kind: entra-application",
        "kind: service-principal",
        "kind: federated-credential",
        "kind: check",
        "needs: [group]",
        "in: group",
        "of: group",
        "when: tenant.tier == 'x'",
        "outputs: { id: /a }",
        "body: {}",
        "undo: {}",
        "expect: { /a: 1 }",
        "type: string",
        "type: integer",
        "default: 1",
        "allowed: [1]",
        "minLength: 1",
        "{{ steps.group.id }}",
        "{{ values.v }}",
        "{{ parameters.p }}",
        "{{ tenant.tags }}",
        "{{ stamp.pooled.workspaceId }}",
        "https://",
        "|2-\n",
        ">+\n",
        "? ",
        "- ",
        "\n\n",
        "!!binary ",
        "0o7",
        "0x7f",
        ".inf",
        "'' * 99",
        "|replace('a','aa')",
        "[[0] * 9999]",
    ],
    most: 300 << 10,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = corpus::files("blueprints", "yaml");
    seeds.extend(corpus::files("tests/suite/blueprint_findings", "yaml"));
    seeds
}

fn check(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    match Blueprint::check(&text) {
        Ok(Checked { blueprint, warnings }) => {
            points_into(&warnings, &text);
            assert!(warnings.iter().all(|finding| finding.severity == Severity::Warning));
            format!("good {} {}", blueprint.steps().count().min(20), planned(&blueprint, &text))
        }
        Err(findings) => {
            points_into(&findings, &text);
            assert!(
                findings.iter().any(|finding| finding.severity == Severity::Error),
                "bad without an error"
            );
            let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
            codes.sort_unstable();
            codes.dedup();
            codes.join(",")
        }
    }
}

/// Findings have positions within the text, and are not much longer than the text.
fn points_into(findings: &[Diagnostic], text: &str) {
    let lines = u32::try_from(text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count()).unwrap();
    for finding in findings {
        assert!(
            (1..=lines + 1).contains(&finding.line) && finding.column >= 1,
            "{finding:?} of {lines} lines"
        );
        assert!(!finding.message.is_empty());
    }
    let length: usize = findings
        .iter()
        .map(|finding| finding.message.len() + finding.hint.as_ref().map_or(0, String::len))
        .sum();
    assert!(length <= (64 << 10) + 300 * text.len(), "{length} bytes of findings for {} of text", text.len());
}

/// A blueprint without errors gives a plan, or an error for a tenant. Returns the kind of result.
pub(super) fn planned(blueprint: &Blueprint, text: &str) -> String {
    let Some(tier) = blueprint.tiers().first() else { return "no tier".to_owned() };
    let context = PlanContext {
        deployment: "test".into(),
        tenant_id: "contoso".parse().unwrap(),
        incarnation: 1,
        tier: tier.clone(),
        tenant: json!({"displayName": "Contoso {{7*7}}", "region": "westeurope", "tags": {"a": "b"}}),
        parameters: Map::new(),
        stamp: local_stamp(),
    };
    match blueprint.plan(&context) {
        Ok(plan) => {
            let size = json!(plan).to_string().len();
            assert!(size <= (8 << 20) + 100 * text.len(), "a plan of {size} bytes for {}", text.len());
            assert_eq!(plan.order().len(), plan.steps.len(), "a step stands nowhere");
            assert_eq!(blueprint.plan(&context).unwrap(), plan, "planned in two ways");
            format!("planned {}", plan.depth())
        }
        Err(faults) => {
            let mut codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
            codes.dedup();
            format!("unplanned {}", codes.join(","))
        }
    }
}
