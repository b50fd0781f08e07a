//! The transitions for an object that a write does not repair: its provisioning state is Failed, or it differs in a
//! field that can't change.

use std::collections::BTreeSet;

use serde_json::Value;

use super::At;
use crate::{
    blueprint::Kind,
    engine::{Change, Discrepancy, removal},
    ids::StepName,
    steps::{Comparison, Failure},
    tenant::{Cause, FailureClass},
};

/// How often a step is recreated because no write repairs its object, before the step is blocked.
const MAX_RECREATIONS: u32 = 2;
/// The code of the cause for a resource whose provisioning state is Failed or Canceled.
const PROVISIONING_FAILED: &str = "provisioning-failed";
/// The code of the cause for a resource that was created with other values than the plan has, in fields that can't
/// change.
const IMMUTABLE_DIFFERENCE: &str = "immutable-difference";

impl At<'_> {
    /// Handles a provisioning state of Failed or Canceled. A step that was never ready is recreated with all its
    /// dependents, up to [`MAX_RECREATIONS`] times. An object in use is written again; it is deleted only with consent.
    pub(super) fn provisioning_failed(&mut self, cause: Cause, shown: Option<Value>) -> Change {
        self.recreate(&cause).unwrap_or_else(|| self.write_again(cause, shown))
    }

    /// Handles an object that has other values in fields that can't change: it was created by a late request of a
    /// crashed worker, or by hand. No write helps, so it is recreated if that is allowed, and otherwise the step is
    /// blocked.
    pub(super) fn immutable(&mut self, fields: &[String]) -> Change {
        let message =
            format!("it differs from the plan at {}, which can't change once it is there", fields.join(", "));
        let cause = Cause::ours(FailureClass::Permanent, IMMUTABLE_DIFFERENCE, message);
        self.recreate(&cause).unwrap_or_else(|| {
            let cause = self.needs_consent(IMMUTABLE_DIFFERENCE, cause.message);
            self.block(cause)
        })
    }

    /// Marks the step and all its dependents for deletion, so that they are recreated, if that is allowed; `None` if it
    /// is not.
    fn recreate(&mut self, cause: &Cause) -> Option<Change> {
        let (kind, made, recreated) =
            self.peek(|record| (record.kind, record.target.is_some(), record.recreated))?;
        // An update step does not own the object: the step that creates it recreates it.
        if kind == Kind::ArmUpdate
            || !made
            || removal::ground(self.tenant, &self.tenant.plan, self.name).is_none()
        {
            return None;
        }
        if recreated >= MAX_RECREATIONS {
            return Some(self.block(cause.clone()));
        }
        let plan = self.tenant.plan.clone();
        removal::mark(self.tenant, &plan, &BTreeSet::from([self.name.clone()]), self.now).ok()?;
        Some(self.record(|record| record.recreated += 1))
    }

    /// Writes the same configuration again with back-off, up to `max_writes` times; then the step is blocked.
    fn write_again(&mut self, cause: Cause, shown: Option<Value>) -> Change {
        let effort = self.effort();
        let attempts = effort.heeded();
        if attempts >= self.policy.max_writes {
            let cause = self.blocked(&cause, attempts);
            return self.block(cause);
        }
        if effort.written {
            let cause = Cause { class: FailureClass::Wait, ..cause };
            let pause = self.policy.repair_first.saturating_mul(1 << attempts.saturating_sub(1).min(20));
            let change = self.failed(Failure { retry_after: Some(pause), ..cause.into() });
            self.record(|record| record.state.effort_mut().written = false);
            return change;
        }
        self.calls_for_effect(Discrepancy::Amiss(Comparison::Failed(cause), shown))
    }

    /// The cause of a step whose object stays Failed after all writes: a person has to decide.
    fn blocked(&self, cause: &Cause, attempts: u32) -> Cause {
        let mut message =
            format!("{}, also after its configuration was written {attempts} times", cause.message);
        let last = self.peek(|record| record.state.failing().cloned()).flatten();
        if let Some(last) = last.filter(|last| last.code != PROVISIONING_FAILED) {
            message.push_str(&format!(" (the last time: {last})"));
        }
        self.needs_consent(PROVISIONING_FAILED, message)
    }

    /// The cause of a step that needs consent, with the steps that would be recreated.
    fn needs_consent(&self, code: &str, mut message: String) -> Cause {
        let Some(object) = removal::object_of(self.tenant, self.name) else {
            // There is no object that tenantry may delete.
            return Cause::ours(FailureClass::Wait, code, message);
        };
        let replaced = removal::replaced_with(self.tenant, &BTreeSet::from([object]));
        let names: Vec<&str> = replaced.iter().map(StepName::as_str).collect();
        message.push_str(&format!(
            "; it was in use, so nothing is deleted. With consent these would be deleted and recreated: {}",
            names.join(", ")
        ));
        Cause::ours(FailureClass::NeedsConsent, code, message)
    }
}
