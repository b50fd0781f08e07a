//! Reads existing objects again, and lists what a reconcile request has repaired.

use jiff::Timestamp;

use super::Discrepancy;
use crate::{
    blueprint::{Kind, Plan},
    steps::Comparison,
    tenant::{Action, Goal, Repaired, Tenant},
};

/// How many differences of one step are recorded at most.
const DIFFERENCES: usize = 16;

/// Restarts all ready steps, so that the reconcile loop reads their objects again and repairs what has changed. The
/// isolation check is not restarted here; that is left to the caller.
pub(super) fn read_all_again(tenant: &mut Tenant, now: Timestamp) {
    if tenant.goal != Goal::Present {
        return;
    }
    for record in tenant.steps.values_mut() {
        if record.stands() && record.kind != Kind::Isolation {
            record.restart(now);
        }
    }
}

/// Whether a plan has exactly the steps that are recorded, all of them unchanged and none marked for deletion.
pub(super) fn asks_for_nothing_new(tenant: &Tenant, plan: &Plan) -> bool {
    let recorded = |(name, step): (&_, &crate::blueprint::PlannedStep)| {
        tenant
            .steps
            .get(name)
            .is_some_and(|record| record.digest == step.digest && !record.is_marked_for_deletion())
    };
    tenant.goal == Goal::Present && tenant.steps.len() == plan.steps.len() && plan.steps.iter().all(recorded)
}

/// The differences that a read has found, to be recorded before a write removes them: JSON pointers, `absent`, or
/// `deleted` for a soft-deleted object.
pub(super) fn found(finding: &Discrepancy) -> Vec<String> {
    let Discrepancy::Amiss(comparison, _) = finding else { return Vec::new() };
    match comparison {
        Comparison::Absent => vec!["absent".to_owned()],
        Comparison::SoftDeleted(_) => vec!["deleted".to_owned()],
        Comparison::Drifted(pointers) => pointers.iter().take(DIFFERENCES).cloned().collect(),
        Comparison::Matches(_)
        | Comparison::Immutable { .. }
        | Comparison::InProgress
        | Comparison::Foreign(_)
        | Comparison::Failed(_) => Vec::new(),
    }
}

/// The steps that a reconcile request has repaired, with the differences that were found; empty for other actions.
pub(super) fn changed(tenant: &Tenant, action: Action) -> Vec<Repaired> {
    if action != Action::Reconcile {
        return Vec::new();
    }
    let written = tenant
        .steps
        .iter()
        .filter(|(_, record)| record.effort().attempts > 0 && !record.effort().found.is_empty());
    written
        .map(|(name, record)| Repaired { step: name.clone(), what: record.effort().found.clone() })
        .collect()
}
