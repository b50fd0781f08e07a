//! The isolation check: judges from Azure's state, and from calls to the service, whether only a tenant reaches its
//! service. Pure.
//!
//! [`JudgedTenant`] has the tenant's own objects (from its document), [`Evidence`] what Azure shows, [`AllowList`] who
//! else may reach tenants. [`judge`] makes an [`IsolationReport`] for each tenant. Evidence that could not be read and
//! could hide a violation prevents the verdict `verified`. All rules are in one table, [`RULES`].
//!
//! # Guarantees
//! The work grows with the number of tenants and assignments, not with pairs of tenants. Equal inputs give equal
//! reports.

mod access;
mod allow;
mod case;
mod digest;
mod evidence;
mod judged_tenant;
mod page;
mod powers;
mod probe;
mod report;
mod rules;

pub use crate::tenant::IsolationVerdict;
pub use allow::{AllowList, Allowed};
pub use evidence::{Application, Assignment, Evidence, Listing, Permission, Reading, RoleDefinition};
pub use judged_tenant::{Declared, JudgedTenant, Own, OwnApplication, Stamp};
pub use page::page;
pub use powers::{Capability, Powers};
pub use probe::{Aim, Calls, Live, Probe, ProbeKind, ProbeOutcome, ProbeTarget, RANDOM_PAIRS, pairs};
pub use report::{Accepted, Finding, Gap, Given, IsolationReport, Probing, TakenBack};
pub use rules::{RULES, Rule};

use case::{Case, EvalContext};

/// Judges tenants together, so that a finding can name the tenant whose principal has access.
///
/// # Guarantees
/// - A tenant is [`IsolationVerdict::Verified`] only if no rule of [`RULES`] is violated and no evidence is missing
///   that could show a violation. What was not read is a [`Gap`], and a gap makes the verdict
///   [`IsolationVerdict::Inconclusive`].
/// - Each violation is a [`Finding`] with what was found, at which object, and what to do next.
/// - Equal evidence gives an equal report with an equal digest, so a report can be compared with the one before.
///
/// # Assumptions
/// `judged_tenants` holds all tenants whose principals may have access. Principals of other tenants are reported
/// without their tenant, by the rule `stranger-can-reach`.
///
/// # Caveats
/// The verdict is about the state that was read. A change between two scans is found by the next one.
///
/// # Example
/// ```
/// use tenantry_core::isolation::{AllowList, Evidence, judge};
///
/// // Without tenants there is nothing to report, whatever Azure shows.
/// assert!(judge(&[], &Evidence::default(), &AllowList::new(&[])).is_empty());
/// ```
pub fn judge(
    judged_tenants: &[JudgedTenant],
    evidence: &Evidence,
    allow: &AllowList,
) -> Vec<IsolationReport> {
    let context = EvalContext::new(evidence, allow, judged_tenants);
    judged_tenants.iter().map(|judged| report(judged, &context)).collect()
}

fn report(judged: &JudgedTenant, context: &EvalContext<'_>) -> IsolationReport {
    let case = Case::new(judged, context);
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule.findings(&case)).collect();
    findings.sort();
    let verdict = match (findings.is_empty(), case.gaps.is_empty()) {
        (false, _) => IsolationVerdict::Violated,
        (true, false) => IsolationVerdict::Inconclusive,
        (true, true) => IsolationVerdict::Verified,
    };
    let digest = digest::of(&case);
    let live = &context.evidence.live;
    let (probing, probes) = match (&judged.probe, live.tenants.get(&judged.tenant_id)) {
        (None, _) => (Probing::NotDeclared, Vec::new()),
        (Some(_), Some(Calls::Made(probes))) => (Probing::Made, probes.clone()),
        (Some(_), Some(Calls::NotPossible(_)) | None) => (Probing::NotPossible, Vec::new()),
    };
    let made = probing == Probing::Made;
    IsolationReport {
        schema: IsolationReport::SCHEMA.into(),
        tenant_id: judged.tenant_id.clone(),
        verdict,
        findings,
        gaps: case.gaps,
        accepted: case.accepted,
        quarantined: Vec::new(),
        probing,
        probes,
        location: made.then(|| live.location.clone()),
        seed: made.then(|| format!("{:016x}", live.seed)),
        digest,
    }
}

/// The id of the parent of a resource: the resource's id without the last type and name.
fn parent(id: &str) -> Option<&str> {
    let (rest, _) = id.rsplit_once('/')?;
    Some(rest.rsplit_once('/')?.0)
}
