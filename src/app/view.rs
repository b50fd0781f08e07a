//! A tenant as the HTTP API and the commands show it.

use serde_json::{Map, Value, json};
use tenantry_core::{
    ids::TenantId,
    tenant::{StepRecord, StepState, Tenant},
};

/// The JSON of a tenant. `brief` is for lists: it leaves out the steps, operations, drift, retained objects and the
/// time of the next pass.
pub fn view(tenant: &Tenant, brief: bool) -> Value {
    let ready = tenant.steps().values().filter(|step| step.stands()).count();
    let deleted = tenant.steps().values().filter(|step| step.state.is_deleted()).count();
    let mut view = json!({
        "tenantId": tenant.id,
        "displayName": tenant.spec.display_name,
        "status": tenant.status,
        "suspended": tenant.spec.suspended,
        "tier": tenant.spec.tier,
        "version": tenant.version(),
        "incarnation": tenant.incarnation,
        "generation": tenant.generation,
        "channel": tenant.channel.to_string(),
        "placement": tenant.placement,
        "blueprint": tenant.plan.blueprint,
        "progress": {"ready": ready, "deleted": deleted, "total": tenant.steps().len()},
        "outputs": tenant.exports,
        "isolation": tenant.proof,
        "createdAt": tenant.created_at,
        "updatedAt": tenant.updated_at,
    });
    if !tenant.unknown_codes.is_empty() {
        view["unknownCodes"] = json!(tenant.unknown_codes);
    }
    if brief {
        return view;
    }
    let operation = |operation: &tenantry_core::tenant::Operation| {
        json!({
            "operationId": operation.id, "action": operation.action, "requestId": operation.request_id,
            "attempt": operation.attempt, "startedAt": operation.started_at,
        })
    };
    view["operations"] = tenant.operations.iter().map(operation).collect();
    view["blocked"] = tenant.blocked.as_ref().map_or(Value::Null, operation);
    view["concluded"] = json!(tenant.concluded);
    view["retained"] = json!(tenant.retained);
    view["dueAt"] = json!(tenant.due_at);
    let drifted = tenant.drift.as_ref().filter(|drift| !drift.reported.is_empty());
    view["drift"] = json!(
        drifted
            .map(|drift| json!({"since": drift.since, "steps": drift.reported.keys().collect::<Vec<_>>()}))
    );
    let steps: Map<String, Value> =
        tenant.steps().iter().map(|(name, record)| (name.to_string(), step(&tenant.id, record))).collect();
    view["steps"] = Value::Object(steps);
    view
}

fn step(tenant: &TenantId, record: &StepRecord) -> Value {
    let mut view = json!({
        "state": record.state.as_str(), "kind": record.kind, "needs": record.needs, "attempts": record.effort().attempts,
        "since": record.effort().since, "removing": record.is_marked_for_deletion(),
    });
    if let Some(ground) = record.ground() {
        view["removingBecause"] = json!(ground);
    }
    if let Some(carrier) = record.left_to() {
        view["leftTo"] = json!(carrier);
    }
    if let Some(consent) = &record.consent {
        view["mayBeReplaced"] = json!(consent);
    }
    match &record.state {
        StepState::Backoff { until, cause, .. } => {
            view["until"] = json!(until);
            view["cause"] = json!(cause);
        }
        StepState::Blocked { cause, .. } => {
            view["cause"] = json!(cause);
            view["nextAction"] = json!(cause.class.next_action_for(tenant));
        }
        StepState::InProgress { check_at, .. } => view["checkAt"] = json!(check_at),
        StepState::Waiting(_) | StepState::Writing(_) | StepState::Ready(_) | StepState::Deleted(_) => {}
    }
    view
}
