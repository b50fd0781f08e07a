//! Records a verdict in a tenant's document. A verdict that differs from the last one is published; the same one is
//! noted once a day.

use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry_core::{
    engine::proof::{self, Noted},
    isolation::{Finding, Gap, Given, IsolationReport, ProbeKind, TakenBack},
    tenant::{Proof, Proven, Tenant},
};

use crate::ports::{Ports, StoreError};

/// How many reasons the document keeps.
const REASONS: usize = 8;
/// How many findings and gaps an event contains: it has to stay below 64 KiB.
const REPORTED_AT_MOST: usize = 25;
/// How many characters of an observation an event contains.
const LONGEST: usize = 300;

/// The part of a report that is recorded in the document and published in an event.
pub(super) fn proven(report: &IsolationReport, at: Timestamp) -> Proven {
    let violated = report.findings.iter().map(|finding| finding.code.to_string());
    let mut reasons: Vec<String> = match report.findings.is_empty() {
        false => violated.collect(),
        true => report.gaps.iter().map(|gap| cut(&format!("{}: {}", gap.about, gap.why))).collect(),
    };
    reasons.dedup();
    reasons.truncate(REASONS);
    // Observations may name other tenants; they stay in the report.
    let finding = |finding: &Finding| json!({"code": finding.code, "about": cut(&finding.about)});
    let gap = |gap: &Gap| json!({"about": cut(&gap.about), "why": cut(&gap.why)});
    let mut reported = json!({"static": {
        "findings": report.findings.iter().take(REPORTED_AT_MOST).map(finding).collect::<Vec<_>>(),
        "gaps": report.gaps.iter().take(REPORTED_AT_MOST).map(gap).collect::<Vec<_>>(),
        "unreported": report.findings.len().saturating_sub(REPORTED_AT_MOST) + report.gaps.len().saturating_sub(REPORTED_AT_MOST),
    }});
    // Results with other tenants' tokens name those tenants, so they stay in the report too.
    let probes = report.probes.iter().filter(|probe| probe.kind != ProbeKind::OtherTenant);
    reported["probes"] = probes.map(|probe| json!({"kind": probe.kind, "outcome": probe.outcome})).collect();
    if !report.quarantined.is_empty() {
        reported["quarantined"] = report.quarantined.iter().map(taken_back).collect();
    }
    let proof = Proof { verdict: report.verdict, reasons, digest: report.digest.clone(), at };
    Proven { proof, reported, retry_after: None }
}

/// A revoked grant as an event contains it. The former holder stays in the report.
fn taken_back(TakenBack { what, outcome }: &TakenBack) -> Value {
    let what = match what {
        Given::RoleAssignment { id, .. } => id,
        Given::FederatedCredential { name, .. } => name,
    };
    json!({"what": cut(what), "outcome": cut(outcome)})
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// Records a verdict in the tenant's document, unless the document has another `version` than the checked one. Returns
/// whether the verdict has to be published; then the document is due at once.
pub(super) async fn record(
    ports: &Ports,
    report: &IsolationReport,
    version: u64,
) -> Result<bool, StoreError> {
    let now = ports.clock.now();
    let note = |tenant: &mut Tenant| {
        // The tenant has changed, or is being worked on; that work ends with a proof of its own.
        if tenant.version() != version || tenant.lease().is_some() || tenant.operation().is_some() {
            return None;
        }
        let noted = proof::note(tenant, proven(report, now), now)?;
        tenant.updated_at = now;
        Some(noted)
    };
    Ok(ports.store.update(&report.tenant_id, note).await? == Some(Noted::Published))
}
