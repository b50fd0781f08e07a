//! Time spent on retries, and the pauses that services ask for with `Retry-After`.

use jiff::{SignedDuration, Timestamp};

use super::{Change, Event, Policy, removal};
use crate::{
    blueprint::Kind,
    ids::StepName,
    tenant::{StepRecord, Tenant, Tried},
};

/// How long a step has been tried since its current streak of failures began; zero if `past` is `None`, because the
/// streak begins now. Of the time since the last count, at most the wait that was decided then or the longest back-off
/// counts, whichever is longer: in the time beyond that no worker was running, or the clock has jumped.
pub(super) fn tried(past: Option<&StepRecord>, policy: &Policy, now: Timestamp) -> Tried {
    let spent = past.and_then(|record| {
        let Tried { spent, at } = record.effort().tried?;
        let planned =
            record.state.not_before().map_or(SignedDuration::ZERO, |until| until.duration_since(at));
        let longest = SignedDuration::try_from(policy.backoff_most).unwrap_or(SignedDuration::MAX);
        let passed = now.duration_since(at).clamp(SignedDuration::ZERO, planned.max(longest));
        Some(spent.saturating_add(passed))
    });
    Tried { spent: spent.unwrap_or_default(), at: now }
}

/// Records the `Retry-After` of an answer that came too late, i.e. to an earlier step generation: the pause holds for
/// every further request about the step. After a late isolation check it holds for all steps, because it is not known
/// which of the services asked for it.
pub fn hold_off(
    tenant: &mut Tenant,
    name: &StepName,
    event: &Event,
    policy: &Policy,
    now: Timestamp,
) -> Change {
    let pause_until = policy.pause_until(event.retry_after(), now);
    let Some(until) = pause_until.filter(|_| tenant.steps.contains_key(name)) else { return Change::None };
    if let Event::Proved(_) = event {
        tenant.steps.values_mut().for_each(|record| record.leave_alone_until(until));
    } else {
        leave_alone(tenant, name, until);
    }
    Change::Minor
}

/// Records a pause until `until` for the step `name` and for all steps that call the same service address.
pub(super) fn leave_alone(tenant: &mut Tenant, name: &StepName, until: Timestamp) {
    let plan = tenant.plan.clone();
    let id = |name: &StepName, record: &StepRecord| {
        let planned = || plan.steps.get(name)?.desired.resource_id().map(ToString::to_string);
        removal::target_id(record).map(str::to_owned).or_else(planned).map(|id| id.to_ascii_lowercase())
    };
    let own = tenant.steps.get(name).and_then(|record| id(name, record));
    let checked = tenant.steps.get(name).filter(|record| record.kind == Kind::Check);
    let checked = checked.map(|record| record.needs.clone()).unwrap_or_default();
    // Steps that check or change a step's resource call the same address; an isolation check calls all addresses.
    let asks = |(other, record): &(&StepName, &mut StepRecord)| {
        let checks = record.kind == Kind::Check && record.needs.contains(name);
        let same = own.is_some() && id(other, record) == own;
        *other == name || checks || checked.contains(*other) || same || record.kind == Kind::Isolation
    };
    tenant.steps.iter_mut().filter(asks).for_each(|(_, record)| record.leave_alone_until(until));
}
