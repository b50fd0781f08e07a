//! The digest of all evidence that a verdict depends on.

use serde::Serialize;
use serde_json::Value;

use super::{
    case::Case,
    evidence::{Application, Assignment, Reading, RoleDefinition},
    judged_tenant::JudgedTenant,
    probe::{ProbeKind, ProbeOutcome},
    report::Accepted,
};
use crate::{
    compare::canonical,
    ids::{TenantId, sha256_hex},
};

/// The evidence for one tenant's verdict, sorted. Members of maps are sorted too, so equal content is equal text.
#[derive(Serialize)]
struct DigestedEvidence<'a> {
    judged: &'a JudgedTenant,
    resources: Vec<(&'a str, Option<&'a Reading<Value>>)>,
    credentials: Vec<(&'a str, Option<&'a Reading<Vec<Value>>>)>,
    applications: Vec<Option<&'a Application>>,
    assignments: Vec<Held<'a>>,
    accepted: &'a [Accepted],
    gaps: Vec<(&'a str, &'a str)>,
    calls: Vec<(ProbeKind, ProbeOutcome, Option<&'a TenantId>)>,
}

/// An assignment, its role, and the members of its group.
#[derive(Serialize)]
struct Held<'a> {
    assignment: &'a Assignment,
    role: Option<&'a Reading<RoleDefinition>>,
    group: Option<&'a Reading<Vec<String>>>,
}

/// `sha256:<hex>` over the evidence of a case.
pub(super) fn of(case: &Case<'_>) -> String {
    let evidence = case.context.evidence;
    let index = &case.context.index;
    let lower = |id: &str| id.to_ascii_lowercase();
    let mut grants: Vec<usize> = case
        .protected
        .iter()
        .flat_map(|one| index.reaching(&one.id, !one.shared))
        .chain(case.own.keys().flat_map(|own| index.held_by(own)))
        .collect();
    grants.sort_unstable();
    grants.dedup();
    let assignments = grants.into_iter().filter_map(|at| index.grant(at)).map(|grant| grant.assignment);
    let mut assignments: Vec<_> = assignments
        .map(|assignment| Held {
            assignment,
            role: evidence.roles.get(&assignment.role()),
            group: evidence.groups.get(&lower(&assignment.principal_id)),
        })
        .collect();
    assignments.sort_by(|a, b| a.assignment.id.cmp(&b.assignment.id));
    // If a call has the expected outcome, the tenant of its token is left out: another run draws other pairs of
    // tenants.
    let relevant_caller = |outcome, expected, by| if outcome == expected { None } else { by };
    let mut calls: Vec<_> = case
        .probes()
        .iter()
        .map(|one| (one.kind, one.outcome, relevant_caller(one.outcome, one.expected, one.by.as_ref())))
        .collect();
    calls.sort_unstable();
    calls.dedup();
    let digested = DigestedEvidence {
        judged: case.judged,
        resources: case
            .protected
            .iter()
            .map(|one| (one.id.as_str(), evidence.resources.get(&lower(&one.id))))
            .collect(),
        credentials: case
            .judged
            .of_type(super::powers::IDENTITY)
            .map(|own| (own.id.as_str(), evidence.identity_credentials.get(&lower(&own.id))))
            .collect(),
        applications: case
            .judged
            .applications
            .iter()
            .map(|own| evidence.applications.get(&own.unique_name))
            .collect(),
        assignments,
        accepted: &case.accepted,
        gaps: case.gaps.iter().map(|gap| (gap.about.as_str(), gap.why.as_str())).collect(),
        calls,
    };
    // `canonical` is needed because Azure may return the same content in another order or case the next time.
    match serde_json::to_value(&digested).map(canonical) {
        Ok(content) => format!("sha256:{}", sha256_hex(content.to_string().as_bytes())),
        // Only a map with keys other than strings could fail, and there is none.
        Err(error) => format!("none: {error}"),
    }
}
