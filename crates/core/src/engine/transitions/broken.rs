//! Azure shows an object as failed.

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

impl At<'_> {
    /// The provisioning state is Failed. What was never ready goes, with all that stands on it, and is made anew, not for
    /// ever. What was in use is written again as it is to be; it is deleted only if somebody has allowed that.
    pub(super) fn broken(&mut self, cause: Cause, shown: Option<Value>) -> Change {
        let record = self.peek(|record| (record.kind, record.target.is_some(), record.recreated));
        let Some((kind, made, recreated)) = record else { return Change::None };
        // A later change is not the object: that is for the step to make anew that made it.
        if kind != Kind::ArmUpdate
            && made
            && removal::ground(self.tenant, &self.tenant.plan, self.name).is_some()
        {
            if recreated >= MAX_RECREATIONS {
                return self.halt(cause);
            }
            let plan = self.tenant.plan.clone();
            if removal::mark(self.tenant, &plan, &BTreeSet::from([self.name.clone()]), self.now).is_ok() {
                return self.record(|record| record.recreated += 1);
            }
        }
        self.write_again(cause, shown)
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

    /// Why a person has to decide, and about what.
    fn blocked(&self, cause: &Cause, attempts: u32) -> Cause {
        let mut message =
            format!("{}, also after its configuration was written {attempts} times", cause.message);
        let last = self.peek(|record| record.state.failing().cloned()).flatten();
        if let Some(last) = last.filter(|last| last.code != PROVISIONING_FAILED) {
            message.push_str(&format!(" (the last time: {last})"));
        }
        let Some(object) = removal::object_of(self.tenant, self.name) else {
            // Nothing that tenantry may delete.
            return Cause::ours(FailureClass::Wait, PROVISIONING_FAILED, message);
        };
        let replaced = removal::replaced_with(self.tenant, &BTreeSet::from([object]));
        let names: Vec<&str> = replaced.iter().map(StepName::as_str).collect();
        message.push_str(&format!(
            "; it was in use, so nothing is deleted. With consent these would be deleted and made anew: {}",
            names.join(", ")
        ));
        Cause::ours(FailureClass::NeedsConsent, PROVISIONING_FAILED, message)
    }
}
