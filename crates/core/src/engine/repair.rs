//! Looking again at what is there already, and what a reconciliation has put right.

use jiff::Timestamp;

use super::Discrepancy;
use crate::{
    blueprint::{Kind, Plan},
    steps::Comparison,
    tenant::{Action, Goal, Repaired, Tenant},
};

/// How many differences of one step are remembered.
const DIFFERENCES: usize = 16;

/// Everything that is ready is looked at again, so that what somebody has changed meanwhile is put right by the ordinary
/// loop. The proof of isolation is not begun anew here: whoever calls this has it made.
pub(super) fn look_at_all(tenant: &mut Tenant, now: Timestamp) {
    if tenant.goal != Goal::Present {
        return;
    }
    for record in tenant.steps.values_mut() {
        if record.stands() && record.kind != Kind::Isolation {
            record.begin_anew(now);
        }
    }
}

/// Whether a plan asks for nothing but what is recorded already.
pub(super) fn asks_for_nothing_new(tenant: &Tenant, plan: &Plan) -> bool {
    let recorded = |(name, step): (&_, &crate::blueprint::PlannedStep)| {
        tenant.steps.get(name).is_some_and(|record| record.digest == step.digest && !record.is_doomed())
    };
    tenant.goal == Goal::Present && tenant.steps.len() == plan.steps.len() && plan.steps.iter().all(recorded)
}

/// What a look has found otherwise than wanted, to be remembered before it is written.
pub(super) fn found(finding: &Discrepancy) -> Vec<String> {
    let Discrepancy::Amiss(verdict, _) = finding else { return Vec::new() };
    match verdict {
        Comparison::Absent => vec!["absent".to_owned()],
        Comparison::Lingering(_) => vec!["deleted".to_owned()],
        Comparison::Differs(pointers) => pointers.iter().take(DIFFERENCES).cloned().collect(),
        Comparison::Matches(_)
        | Comparison::Immutable(_)
        | Comparison::Settling
        | Comparison::Foreign(_)
        | Comparison::Broken(_) => Vec::new(),
    }
}

/// What an action that looks at everything has found otherwise and written; nothing for other actions.
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
