//! Objects whose own deletion is refused, and which are deleted with the resource that they belong to.

use super::*;

/// A tenant whose steps are all ready: a group, an endpoint, a deployment below the endpoint, and the endpoint's
/// traffic.
fn endpoint(now: Timestamp) -> Tenant {
    let mut steps = BTreeMap::new();
    for (name, kind, id, needs) in [
        ("group", Kind::Arm, "", &[][..]),
        ("endpoint", Kind::Arm, "/providers/Microsoft.Test/e/e", &["group"][..]),
        ("deployment", Kind::Arm, "/providers/Microsoft.Test/E/E/d/d", &["endpoint"][..]),
        ("traffic", Kind::ArmUpdate, "/providers/Microsoft.Test/e/e", &["deployment"][..]),
    ] {
        let id = format!("/subscriptions/s/resourceGroups/g{id}");
        steps.insert(plans::name(name), step(kind, &id, needs, 1));
    }
    let mut tenant = plans::tenant(Plan { steps, ..plans::plan("") }, now);
    let ids: BTreeMap<StepName, serde_json::Value> = tenant
        .plan
        .steps
        .iter()
        .map(|(name, step)| (name.clone(), step.desired.to_json()["id"].clone()))
        .collect();
    for (name, id) in &ids {
        tenant.change_step(name, |record| {
            record.enter(StepState::Ready);
            record.target = Some(json!({"id": id}));
        });
    }
    tenant
}

/// If Azure refuses to delete a part of a resource, the part is left to the deletion of the resource, and is read once
/// the resource is deleted.
#[test]
fn a_refused_deletion_of_a_part_does_not_block_the_removal() {
    for class in [FailureClass::Permanent, FailureClass::Wait, FailureClass::Denied, FailureClass::Transient]
    {
        let now = Timestamp::UNIX_EPOCH;
        let mut tenant = endpoint(now);
        let by = plans::operation(&tenant, tenantry_core::tenant::Action::Deprovision, now);
        desired::remove(&mut tenant, &by, now);
        let (mut discrepancies, mut now, mut deleted) = (Discrepancies::new(), now, Vec::new());
        let outcome = loop {
            let Decision { acts, next, outcome } =
                engine::decide(&tenant, &discrepancies, &BTreeSet::new(), now);
            if let Some(outcome) = outcome {
                break outcome;
            }
            if acts.is_empty() {
                now = next.unwrap();
            }
            for (name, act) in acts {
                let whole =
                    deleted.iter().any(|name: &StepName| ["endpoint", "group"].contains(&name.as_str()));
                let is_part = ["deployment", "traffic"].contains(&name.as_str());
                let there = !(deleted.contains(&name) || (whole && is_part));
                let events = match act {
                    Act::Read if there => {
                        vec![Event::Observed(Observation::Searched(DeletionState::Present(Outputs::new())))]
                    }
                    Act::Read => vec![Event::Observed(Observation::Searched(DeletionState::Nothing))],
                    // Neither the traffic nor the deployment can be deleted.
                    Act::Delete if is_part => {
                        let refusal = Cause::ours(class, "BadRequest", "the workspace is in Failed state");
                        vec![Event::Began { target: None }, Event::Failed(refusal.into())]
                    }
                    Act::Delete => {
                        deleted.push(name.clone());
                        vec![Event::Began { target: None }, Event::Written]
                    }
                    Act::Write | Act::Poll => panic!("{act:?} in a removal"),
                };
                for event in events {
                    let generation = tenant.steps()[&name].generation;
                    engine::apply(
                        &mut tenant,
                        &mut discrepancies,
                        StepEvent { step: &name, generation, event },
                        &Policy::azure(),
                        now,
                    )
                    .unwrap();
                }
            }
        };
        assert_eq!(outcome, Outcome::Removed, "{class:?}");
        assert_eq!(deleted.iter().map(StepName::as_str).collect::<Vec<_>>(), ["endpoint", "group"]);
        let outbox = serde_json::to_string(&tenant.outbox()).unwrap();
        assert!(outbox.contains("left to the deletion of endpoint"), "history says so: {outbox}");
    }
}
