//! Checks the step of kind `isolation`: there is at most one, it has no `when`, and its probe is complete.

use super::{
    Kind, expression,
    file::{File, Step},
    findings::Findings,
    tree::{Key, Node},
};

/// The members of a probe, and whether they are required.
const PROBE: [(&str, bool); 4] = [("url", true), ("scope", true), ("clientId", true), ("body", false)];

/// Checks the steps of kind `isolation`; their expressions are checked with those of all other steps.
pub(super) fn check(file: &File, findings: &mut Findings) {
    let mut proofs = file.steps.iter().filter(|step| step.kind == Kind::Isolation);
    let Some(proof) = proofs.next() else {
        if let Some(grant) = file.steps.iter().find(|step| step.kind == Kind::RoleAssignment) {
            let message = "somebody is let in, and nothing proves that nobody else is";
            findings.warning(grant.position, "no-proof", message, "add a last step of kind `isolation`");
        }
        return;
    };
    for other in proofs {
        findings.error(
            other.position,
            "second-proof",
            "one step proves isolation, for all the others together",
        );
    }
    if let Some(node) = proof.keys.get("when") {
        let message = "a tenant without proof would pass for one with it: `when` is not possible here";
        findings.error(node.position, "conditional-proof", message);
    }
    if let Some(node) = proof.keys.get("accept").filter(|_| proof.text("accept") != Some("inconclusive")) {
        let hint = "leave it out, or write `accept: inconclusive`";
        findings.error_with_hint(node.position, "bad-value", "only `inconclusive` can be accepted", hint);
    }
    probe(proof, findings);
}

fn probe(proof: &Step, findings: &mut Findings) {
    let Some(node) = proof.keys.get("probe") else { return };
    // If the value is not a map, the check of the file's structure has reported it.
    let Some(entries) = node.map() else { return };
    for (key, _) in entries {
        if !PROBE.iter().any(|(name, _)| *name == key.text) {
            let message = format!("`{}` is no key of a probe: url, scope, clientId, body", key.text);
            findings.error(key.position, "unknown-key", message);
        }
    }
    for (name, _) in PROBE.iter().filter(|(_, required)| *required) {
        match entries.iter().find(|(key, _)| key.text == *name) {
            None => findings.error(node.position, "missing-key", format!("`probe` has no `{name}`")),
            Some((key, value)) => text(name, key, value, findings),
        }
    }
}

fn text(name: &str, key: &Key, value: &Node, findings: &mut Findings) {
    let Some(written) = value.text() else {
        findings.error(key.position, "wrong-type", format!("`{name}` is to be a text, not {}", value.what()));
        return;
    };
    if name == "url" && !expression::is_dynamic(written) && !written.starts_with("https://") {
        findings.error(value.position, "bad-value", "a service is called over https");
    }
}
