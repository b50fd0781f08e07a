//! A verdict in a tenant's document: told when it is another one than before, and noted once a day.

use jiff::Timestamp;
use serde_json::{Value, json};
use tenantry_core::{
    engine::proof::{self, Noted},
    isolation::{Finding, Gap, Given, IsolationReport, ProbeKind, TakenBack},
    tenant::{Proof, Proven, Tenant},
};

use crate::ports::{StoreError, World};

/// How many reasons the document remembers.
const REASONS: usize = 8;
/// How many findings and gaps an event has: it has to stay below 64 KiB.
const TOLD: usize = 25;
/// How many characters of what was seen an event has.
const LONGEST: usize = 300;

/// What is remembered and told of a report.
pub(super) fn proven(report: &IsolationReport, at: Timestamp) -> Proven {
    let broken = report.findings.iter().map(|finding| finding.code.to_string());
    let mut reasons: Vec<String> = match report.findings.is_empty() {
        false => broken.collect(),
        true => report.gaps.iter().map(|gap| cut(&format!("{}: {}", gap.about, gap.why))).collect(),
    };
    reasons.dedup();
    reasons.truncate(REASONS);
    // What was seen may name other tenants, and stays in the report.
    let finding = |finding: &Finding| json!({"code": finding.code, "about": cut(&finding.about)});
    let gap = |gap: &Gap| json!({"about": cut(&gap.about), "why": cut(&gap.why)});
    let mut told = json!({"static": {
        "findings": report.findings.iter().take(TOLD).map(finding).collect::<Vec<_>>(),
        "gaps": report.gaps.iter().take(TOLD).map(gap).collect::<Vec<_>>(),
        "untold": report.findings.len().saturating_sub(TOLD) + report.gaps.len().saturating_sub(TOLD),
    }});
    // So does whose token was tried.
    let probes = report.probes.iter().filter(|probe| probe.kind != ProbeKind::OtherTenant);
    told["probes"] = probes.map(|probe| json!({"kind": probe.kind, "outcome": probe.outcome})).collect();
    if !report.quarantined.is_empty() {
        told["quarantined"] = report.quarantined.iter().map(taken_back).collect();
    }
    let proof = Proof { verdict: report.verdict, reasons, digest: report.digest.clone(), at };
    Proven { proof, told, retry_after: None }
}

/// Who had it stays in the report.
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

/// Notes a verdict in the tenant's document; whether it has to be told, for which the document is due at once then.
/// It is about the `version` of the tenant that was looked at, and says nothing of a later one.
pub(super) async fn record(
    world: &World,
    report: &IsolationReport,
    version: u64,
) -> Result<bool, StoreError> {
    let now = world.clock.now();
    let note = |tenant: &mut Tenant| {
        // Somebody is on it, and proves it in the end.
        if tenant.version() != version || tenant.lease().is_some() || tenant.operation().is_some() {
            return None;
        }
        let noted = proof::note(tenant, proven(report, now), now)?;
        tenant.updated_at = now;
        Some(noted)
    };
    Ok(world.store.update(&report.tenant_id, note).await? == Some(Noted::Told))
}
