//! Reading existing objects again, and what a reconcile request has repaired.

use jiff::Timestamp;

use super::Discrepancy;
use crate::{
    blueprint::{Kind, Plan},
    steps::Comparison,
    tenant::{Action, Goal, Repaired, Tenant},
};

/// How many differences of one step are recorded.
const DIFFERENCES: usize = 16;

/// Has everything that is ready read again, so that the reconcile loop repairs what has changed. The proof of isolation
/// is not restarted here; the caller does that.
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

/// Whether a plan asks for nothing but what is recorded already.
pub(super) fn asks_for_nothing_new(tenant: &Tenant, plan: &Plan) -> bool {
    let recorded = |(name, step): (&_, &crate::blueprint::PlannedStep)| {
        tenant
            .steps
            .get(name)
            .is_some_and(|record| record.digest == step.digest && !record.is_marked_for_deletion())
    };
    tenant.goal == Goal::Present && tenant.steps.len() == plan.steps.len() && plan.steps.iter().all(recorded)
}

/// The differences that a read has found, to be recorded before they are written.
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

/// What an action that reads everything has found and written; empty for other actions.
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
