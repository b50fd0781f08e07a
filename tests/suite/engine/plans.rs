//! Small plans, written as `group store=2<group check:check<store`.
//!
//! Each part is a step: its name, then in any order `=value` (can be changed in place), `#id` (can't: another id is
//! another object), `:check`, `:role-assignment` or `:isolation` (its kind), `~` (uses outputs of earlier steps), and
//! at the end `<need,need`.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    blueprint::{BlueprintRef, Desired, Kind, Plan, PlannedStep},
    engine::desired,
    ids::StepName,
    tenant::{Action, Consent, Operation, Placement, Spec, Tenant},
};

/// The beginning of the resource ids of all objects in these plans.
pub(crate) const THINGS: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Test/things";

pub(crate) fn name(text: &str) -> StepName {
    text.parse().unwrap()
}

pub(crate) fn plan(text: &str) -> Plan {
    Plan {
        blueprint: BlueprintRef { name: "test".into(), version: "1.0.0".into(), digest: "sha256:0".into() },
        context: json!({}),
        values: BTreeMap::new(),
        known: BTreeMap::new(),
        steps: text.split_whitespace().map(step).collect(),
        exports: BTreeMap::new(),
    }
}

fn step(text: &str) -> (StepName, PlannedStep) {
    let (head, needs) = text.split_once('<').unwrap_or((text, ""));
    let end = head.find(['=', '#', ':', '~']).unwrap_or(head.len());
    let (own, rest) = head.split_at(end);
    let after = |mark: char| {
        let text = rest.split_once(mark)?.1;
        Some(text.split(['=', '#', ':', '~']).next().unwrap_or_default().to_owned())
    };
    let kind = match after(':').as_deref() {
        Some("check") => Kind::Check,
        Some("role-assignment") => Kind::RoleAssignment,
        Some("isolation") => Kind::Isolation,
        Some(other) => panic!("no kind {other}"),
        None => Kind::Arm,
    };
    let id = format!("{THINGS}/{own}{}", after('#').unwrap_or_default());
    let fields = json!({
        "id": id, "type": "Microsoft.Test/things", "apiVersion": "2024-01-01", "scope": id, "roleDefinitionId": "r",
        "principalId": "p", "body": {"value": after('='), "late": null}, "expect": {"/late": null},
    });
    let late = if rest.contains('~') {
        ["/body/late", "/principalId", "/expect/~1late"].map(|at| (at.to_owned(), "{{ }}".to_owned())).into()
    } else {
        BTreeMap::new()
    };
    let digest = format!("{kind:?} {fields} {late:?}");
    let needs = needs.split(',').filter(|need| !need.is_empty()).map(name).collect();
    let desired = Desired::read(kind, &fields, &late).unwrap();
    (name(own), PlannedStep { desired, needs, outputs: BTreeMap::new(), digest })
}

pub(crate) fn spec() -> Spec {
    serde_json::from_value(json!({"displayName": "Contoso", "tier": "dedicated"})).unwrap()
}

/// Updates a tenant to a plan, with consent to recreate its objects.
#[allow(dead_code, reason = "each test takes its part")]
pub(crate) fn update(tenant: &mut Tenant, text: &str, now: Timestamp) {
    let consent = Consent { request_id: format!("update-{}", tenant.generation), at: now };
    desired::update(tenant, spec(), plan(text), Some(&consent), now).unwrap();
}

/// A tenant that has just been signed up.
pub(crate) fn tenant(plan: Plan, now: Timestamp) -> Tenant {
    let placement =
        Placement { stamp: "s1".into(), subscription_id: "sub".into(), region: "westeurope".into() };
    let mut tenant = Tenant::new("contoso".parse().unwrap(), spec(), placement, plan, now);
    tenant.requests = VecDeque::new();
    take_on(&mut tenant, Action::Signup, now);
    tenant
}

/// Adds an open operation to a tenant, as intake does when it accepts a request.
pub(crate) fn take_on(tenant: &mut Tenant, action: Action, now: Timestamp) {
    let operation = operation(tenant, action, now);
    tenant.blocked = None;
    tenant.operations.push(operation);
}

pub(crate) fn operation(tenant: &Tenant, action: Action, now: Timestamp) -> Operation {
    Operation {
        id: format!("op-{}", tenant.generation),
        action,
        request_id: format!("request-{}", tenant.generation),
        generation: tenant.generation,
        attempt: 1,
        started_at: now,
        started: false,
        previous_status: tenant.status,
        external: None,
        traceparent: None,
    }
}
