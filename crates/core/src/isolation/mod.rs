//! Whether only a tenant reaches its service, judged from what Azure shows and from calls to the service. Pure.
//!
//! [`Subject`] says what is a tenant's own (from its document), [`Evidence`] what Azure showed, [`AllowList`] who else may
//! reach it; [`judge`] makes an [`IsolationReport`] of each tenant. What could not be read and could hide a broken rule keeps a
//! tenant from being called verified. The rules stand in one table, [`RULES`].
//!
//! # Guarantees
//! Work grows with the tenants and the assignments, never with pairs of tenants. Equal inputs give equal reports.

mod access;
mod allow;
mod case;
mod digest;
mod evidence;
mod page;
mod powers;
mod probe;
mod report;
mod rules;
mod subject;

pub use crate::tenant::IsolationVerdict;
pub use allow::{AllowList, Allowed};
pub use evidence::{Application, Assignment, Evidence, Listing, Permission, Reading, RoleDefinition};
pub use page::page;
pub use powers::{Capability, Powers};
pub use probe::{Aim, Calls, Live, Probe, ProbeKind, ProbeOutcome, ProbeTarget, RANDOM_PAIRS, pairs};
pub use report::{Accepted, Finding, Gap, Given, IsolationReport, Probing, TakenBack};
pub use rules::{RULES, Rule};
pub use subject::{Declared, Own, OwnApplication, Stamp, Subject};

use case::{Case, Court};

/// The proof of isolation: judges tenants together, so that a finding can name the tenant whose principal gets in.
///
/// # Guarantees
/// - A tenant is [`IsolationVerdict::Verified`] only if no rule of [`RULES`] is broken and nothing is missing from the evidence that
///   could hide a broken one. What was not read is a [`Gap`], and a gap makes the verdict [`IsolationVerdict::Inconclusive`].
/// - Each broken rule is a [`Finding`] with what was seen, where, and what to do next.
/// - Equal evidence gives an equal report, with an equal digest; so a report can be compared with the one before.
///
/// # Assumptions
/// The evidence holds all tenants whose principals may meet: one that is not among the subjects counts as a stranger.
///
/// # Caveats
/// It judges the state that was read, not the time in between. Changes between two scans are found by the next one.
///
/// # Example
/// ```
/// use tenantry_core::isolation::{AllowList, Evidence, judge};
///
/// // Of no tenants there is nothing to report, whatever Azure shows.
/// assert!(judge(&[], &Evidence::default(), &AllowList::new(&[])).is_empty());
/// ```
pub fn judge(subjects: &[Subject], evidence: &Evidence, allow: &AllowList) -> Vec<IsolationReport> {
    let court = Court::new(evidence, allow, subjects);
    subjects.iter().map(|subject| report(subject, &court)).collect()
}

fn report(subject: &Subject, court: &Court<'_>) -> IsolationReport {
    let case = Case::new(subject, court);
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule.findings(&case)).collect();
    findings.sort();
    let verdict = match (findings.is_empty(), case.gaps.is_empty()) {
        (false, _) => IsolationVerdict::Violated,
        (true, false) => IsolationVerdict::Inconclusive,
        (true, true) => IsolationVerdict::Verified,
    };
    let digest = digest::of(&case);
    let live = &court.evidence.live;
    let (probing, probes) = match (&subject.probe, live.tenants.get(&subject.tenant_id)) {
        (None, _) => (Probing::NotDeclared, Vec::new()),
        (Some(_), Some(Calls::Made(probes))) => (Probing::Made, probes.clone()),
        (Some(_), Some(Calls::NotPossible(_)) | None) => (Probing::NotPossible, Vec::new()),
    };
    let made = probing == Probing::Made;
    IsolationReport {
        schema: IsolationReport::SCHEMA.into(),
        tenant_id: subject.tenant_id.clone(),
        verdict,
        findings,
        gaps: case.gaps,
        accepted: case.accepted,
        quarantined: Vec::new(),
        probing,
        probes,
        place: made.then(|| live.place.clone()),
        seed: made.then(|| format!("{:016x}", live.seed)),
        digest,
    }
}

/// The resource that another one stands in: its id less the last type and name.
fn parent(id: &str) -> Option<&str> {
    let (rest, _) = id.rsplit_once('/')?;
    Some(rest.rsplit_once('/')?.0)
}
