//! Azure shows an object that no ordinary write puts right: it failed, or differs in what can't change.

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

/// How often something that failed and was never ready is removed and made anew before a person is asked.
const MAX_RECREATIONS: u32 = 2;
/// The code of a resource whose provisioning state is Failed or Canceled.
const PROVISIONING_FAILED: &str = "provisioning-failed";
/// The code of a resource that was made with other values than the plan has, where they can't change.
const IMMUTABLE_DIFFERENCE: &str = "immutable-difference";

impl At<'_> {
    /// The provisioning state is Failed. What was never ready goes, with all that stands on it, and is made anew, not for
    /// ever. What was in use is written again as it is to be; it is deleted only if somebody has allowed that.
    pub(super) fn broken(&mut self, cause: Cause, shown: Option<Value>) -> Change {
        self.make_anew(&cause).unwrap_or_else(|| self.write_again(cause, shown))
    }

    /// It was made with other values where none can change: by a request of a worker that is long dead, or by hand. No
    /// write helps.
    pub(super) fn immutable(&mut self, fields: &[String]) -> Change {
        let message =
            format!("it differs from the plan at {}, which can't change once it is there", fields.join(", "));
        let cause = Cause::ours(FailureClass::Permanent, IMMUTABLE_DIFFERENCE, message);
        self.make_anew(&cause).unwrap_or_else(|| {
            let cause = self.needs_consent(IMMUTABLE_DIFFERENCE, cause.message);
            self.halt(cause)
        })
    }

    /// Has it deleted and made anew, with all that stands on it, if it may be deleted; `None` if it may not.
    fn make_anew(&mut self, cause: &Cause) -> Option<Change> {
        let (kind, made, recreated) =
            self.peek(|record| (record.kind, record.target.is_some(), record.recreated))?;
        // A later change is not the object: that is for the step to make anew that made it.
        if kind == Kind::ArmUpdate
            || !made
            || removal::ground(self.tenant, &self.tenant.plan, self.name).is_none()
        {
            return None;
        }
        if recreated >= MAX_RECREATIONS {
            return Some(self.halt(cause.clone()));
        }
        let plan = self.tenant.plan.clone();
        removal::mark(self.tenant, &plan, &BTreeSet::from([self.name.clone()]), self.now).ok()?;
        Some(self.record(|record| record.recreated += 1))
    }

    /// The same configuration is written again, so often and with back-off; then a person is asked.
    fn write_again(&mut self, cause: Cause, shown: Option<Value>) -> Change {
        let effort = self.effort();
        let attempts = effort.heeded();
        if attempts >= self.policy.max_writes {
            let cause = self.blocked(&cause, attempts);
            return self.halt(cause);
        }
        if effort.written {
            let cause = Cause { class: FailureClass::Wait, ..cause };
            let pause = self.policy.repair_first.saturating_mul(1 << attempts.saturating_sub(1).min(20));
            let change = self.failed(Failure { retry_after: Some(pause), ..cause.into() });
            self.record(|record| record.state.effort_mut().written = false);
            return change;
        }
        self.calls_for_effect(Discrepancy::Amiss(Comparison::Broken(cause), shown))
    }

    /// Why a person has to decide about what stays failed, however often it is written.
    fn blocked(&self, cause: &Cause, attempts: u32) -> Cause {
        let mut message =
            format!("{}, also after its configuration was written {attempts} times", cause.message);
        let last = self.peek(|record| record.state.failing().cloned()).flatten();
        if let Some(last) = last.filter(|last| last.code != PROVISIONING_FAILED) {
            message.push_str(&format!(" (the last time: {last})"));
        }
        self.needs_consent(PROVISIONING_FAILED, message)
    }

    /// Why a person has to decide, and about what.
    fn needs_consent(&self, code: &str, mut message: String) -> Cause {
        let Some(object) = removal::object_of(self.tenant, self.name) else {
            // Nothing that tenantry may delete.
            return Cause::ours(FailureClass::Wait, code, message);
        };
        let replaced = removal::replaced_with(self.tenant, &BTreeSet::from([object]));
        let names: Vec<&str> = replaced.iter().map(StepName::as_str).collect();
        message.push_str(&format!(
            "; it was in use, so nothing is deleted. With consent these would be deleted and made anew: {}",
            names.join(", ")
        ));
        Cause::ours(FailureClass::NeedsConsent, code, message)
    }
}
