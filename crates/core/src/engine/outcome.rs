//! How work on operations begins and ends, and the events that are published about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::repair;
use crate::{
    ids::{StepName, TenantId},
    tenant::{Action, Cause, Conclusion, FailureClass, Goal, Operation, Status, Tenant},
};

/// How the current work ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Everything in the plan exists and matches.
    Ready,
    /// Every object that was ever recorded for the tenant is deleted.
    Removed,
    /// These steps are blocked, each for its cause: a person has to act.
    Blocked(BTreeMap<StepName, Cause>),
}

/// Begins work on the accepted operations that have not started: enqueues their `started` events and sets the tenant's
/// status.
pub fn begin(tenant: &mut Tenant, now: Timestamp) {
    let fresh: Vec<usize> =
        tenant.operations.iter().enumerate().filter(|(_, op)| !op.started).map(|(index, _)| index).collect();
    for index in fresh {
        let Some(operation) = tenant.operations.get_mut(index) else { continue };
        operation.started = true;
        let operation = operation.clone();
        tenant.status = working(operation.action, tenant.goal);
        let data = common_data(tenant, &operation);
        tenant.enqueue_event(&operation, &format!("tenant.{}.started", operation.action.noun()), data, now);
    }
}

/// The tenant's status while work on an operation is in progress.
pub fn working(action: Action, goal: Goal) -> Status {
    match action {
        Action::Deprovision => Status::Deprovisioning,
        Action::Update | Action::Suspend | Action::Resume | Action::Reconcile => Status::Updating,
        Action::Signup => Status::Provisioning,
        Action::Retry if goal == Goal::Absent => Status::Deprovisioning,
        Action::Retry => Status::Provisioning,
    }
}

/// Ends the current work: sets the tenant's status, records the outcome, and enqueues the events of the open operations
/// in the order of acceptance. `exports` are stored if the outcome is [`Outcome::Ready`].
///
/// A waiting tenant that is reconciled again publishes no second event: nothing changes until a person has acted.
pub fn conclude(tenant: &mut Tenant, outcome: &Outcome, exports: BTreeMap<String, Value>, now: Timestamp) {
    if tenant.status == Status::Waiting && matches!(outcome, Outcome::Blocked(_)) {
        return;
    }
    tenant.raise_version();
    match outcome {
        Outcome::Ready => {
            tenant.exports = exports;
            let plan = &tenant.plan;
            tenant.steps.retain(|name, _| plan.steps.contains_key(name));
            tenant.former.clear();
            let suspended = tenant.spec.suspended.is_some();
            succeed(tenant, if suspended { Status::Suspended } else { Status::Active }, now);
        }
        Outcome::Removed => {
            tenant.exports = BTreeMap::new();
            tenant.proof = None;
            tenant.cut = None;
            tenant.former.clear();
            tenant.steps = BTreeMap::new();
            succeed(tenant, Status::Deleted, now);
        }
        Outcome::Blocked(causes) => block(tenant, causes, now),
    }
}

fn succeed(tenant: &mut Tenant, status: Status, now: Timestamp) {
    tenant.status = status;
    tenant.blocked = None;
    tenant.retained.retain(|kept| kept.is_held(now));
    for operation in std::mem::take(&mut tenant.operations) {
        let changed = repair::changed(tenant, operation.action);
        let mut data = common_data(tenant, &operation);
        finish(&mut data, &operation, now);
        if operation.action == Action::Reconcile {
            data["changed"] = json!(changed);
        }
        tenant.concluded = Some(Conclusion { changed, ..conclusion(&operation, status, now) });
        if let Some(took) = access_cut_ms(tenant, &operation) {
            data["accessCutMs"] = json!(took);
        }
        if operation.action != Action::Deprovision {
            data["outputs"] = json!(tenant.exports);
        } else if !tenant.retained.is_empty() {
            data["retained"] = json!(tenant.retained);
        }
        tenant.enqueue_event(&operation, &format!("tenant.{}.succeeded", operation.action.noun()), data, now);
    }
}

/// How long it took, in milliseconds, from the acceptance of a suspension until the last step that cuts access had done
/// so. `None` for other operations, if no step cuts access, or if access was not cut before the tenant was resumed.
pub fn access_cut_ms(tenant: &Tenant, operation: &Operation) -> Option<i64> {
    let at = tenant.cut.as_ref()?.at.filter(|_| operation.action == Action::Suspend)?;
    Some(milliseconds(operation.started_at, at).max(0))
}

/// Records that steps are blocked, and enqueues the events. The status is failed if a cause is permanent, so that no
/// retry can help; otherwise it is waiting, for a person to raise a quota, grant a permission or repair something.
fn block(tenant: &mut Tenant, causes: &BTreeMap<StepName, Cause>, now: Timestamp) {
    let hopeless = |cause: &Cause| cause.class == FailureClass::Permanent;
    // Report a permanent cause first, if there is one.
    let worst = causes.iter().find(|(_, cause)| hopeless(cause)).or_else(|| causes.iter().next());
    let Some((step, cause)) = worst else { return };
    let failed = hopeless(cause);
    tenant.status = if failed { Status::Failed } else { Status::Waiting };
    let operations = std::mem::take(&mut tenant.operations);
    tenant.concluded = operations.last().map(|operation| conclusion(operation, tenant.status, now));
    tenant.blocked = operations.last().cloned().or(tenant.blocked.take());
    let open = if failed {
        operations.as_slice()
    } else {
        operations.last().map(std::slice::from_ref).unwrap_or_default()
    };
    for operation in open {
        let mut data = common_data(tenant, operation);
        data["error"] = error_data(&tenant.id, step, cause);
        if operation.action == Action::Reconcile {
            data["changed"] = json!(repair::changed(tenant, operation.action));
        }
        if failed {
            finish(&mut data, operation, now);
            tenant.enqueue_event(operation, &format!("tenant.{}.failed", operation.action.noun()), data, now);
        } else {
            data["waitingFor"] = json!(cause.code);
            data["nextAction"] = json!(cause.class.next_action_for(&tenant.id));
            data["since"] = json!(now);
            tenant.enqueue_event(operation, "tenant.operation.waiting", data, now);
        }
    }
    // A waiting operation stays open: a retry continues it and those before it.
    if !failed {
        tenant.operations = operations;
    }
}

/// Adds to an event's `data` when the operation ended and how long it took.
fn finish(data: &mut Value, operation: &Operation, now: Timestamp) {
    data["finishedAt"] = json!(now);
    data["durationMs"] = json!(milliseconds(operation.started_at, now));
}

fn conclusion(operation: &Operation, status: Status, now: Timestamp) -> Conclusion {
    Conclusion {
        operation_id: operation.id.clone(),
        action: operation.action,
        attempt: operation.attempt,
        status,
        finished_at: now,
        duration_ms: milliseconds(operation.started_at, now),
        changed: Vec::new(),
    }
}

fn milliseconds(from: Timestamp, to: Timestamp) -> i64 {
    i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX)
}

fn error_data(tenant: &TenantId, step: &StepName, cause: &Cause) -> Value {
    json!({
        "code": cause.code, "class": cause.class, "step": step, "message": cause.message,
        "azureRequestId": cause.azure_request_id, "resourceId": cause.resource_id,
        "retryable": cause.class.retryable(),
        "nextAction": cause.class.next_action_for(tenant),
    })
}

/// The members that every event's `data` has.
pub fn standing(tenant: &Tenant) -> Value {
    json!({
        "tenantId": tenant.id, "tier": tenant.spec.tier, "blueprint": tenant.plan.blueprint,
        "placement": tenant.placement, "status": tenant.status,
    })
}

/// The members that the `data` of an operation's events has.
pub fn common_data(tenant: &Tenant, operation: &Operation) -> Value {
    let mut data = standing(tenant);
    data["operationId"] = json!(operation.id);
    data["action"] = json!(operation.action);
    data["attempt"] = json!(operation.attempt);
    data["previousStatus"] = json!(operation.previous_status);
    data["startedAt"] = json!(operation.started_at);
    if let Some(suspension) = tenant.spec.suspended.filter(|_| operation.action == Action::Suspend) {
        data["suspension"] = json!(suspension);
    }
    if let Some(external) = &operation.external {
        data["external"] = json!(external);
    }
    data
}
