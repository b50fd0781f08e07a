//! What is done about an object that Azure shows as failed, about one that can't be removed by itself, and about one that
//! Azure keeps.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Change, Seen, about, apply::At, removal};
use crate::{
    blueprint::Kind,
    ids::StepName,
    steps::{Failure, Verdict},
    tenant::{Cause, FailureClass, Retained, StepState},
};

/// How often something that failed and was never ready is removed and made anew before a person is asked.
const MAX_RECREATIONS: u32 = 2;
/// The code of a resource whose provisioning state is Failed or Canceled.
const PROVISIONING_FAILED: &str = "provisioning-failed";

impl At<'_> {
    /// The provisioning state is Failed. What was never ready goes, with all that stands on it, and is made anew, not for
    /// ever. What was in use is written again as it is to be; it is deleted only if somebody has allowed that.
    pub(super) fn broken(&mut self, cause: Cause, shown: Option<serde_json::Value>) -> Change {
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
    fn write_again(&mut self, cause: Cause, shown: Option<serde_json::Value>) -> Change {
        let (attempts, written) = self.heeded();
        if attempts >= self.policy.max_writes {
            let cause = self.blocked(&cause, attempts);
            return self.halt(cause);
        }
        if written {
            let cause = Cause { class: FailureClass::Wait, ..cause };
            let pause = self.policy.repair_first.saturating_mul(1 << attempts.saturating_sub(1).min(20));
            let change = self.failed(Failure { retry_after: Some(pause), ..cause.into() });
            self.record(|record| record.written = false);
            return change;
        }
        self.sight.insert(self.name.clone(), Seen::Wanted(Verdict::Broken(cause), shown));
        Change::None
    }

    /// Why a person has to decide, and about what.
    fn blocked(&self, cause: &Cause, attempts: u32) -> Cause {
        let mut message =
            format!("{}, also after its configuration was written {attempts} times", cause.message);
        let last = self.peek(|record| match &record.state {
            StepState::Backoff { cause, .. } if cause.code != PROVISIONING_FAILED => Some(cause.clone()),
            StepState::Waiting
            | StepState::Writing
            | StepState::Settling { .. }
            | StepState::Backoff { .. }
            | StepState::Ready
            | StepState::Halted { .. }
            | StepState::Gone => None,
        });
        if let Some(last) = last.flatten() {
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

    /// It can't be removed by itself, but is a part of something that is going: it is looked for again once that is gone.
    pub(super) fn leave(&mut self, carrier: StepName, cause: Cause) -> Change {
        self.told =
            Some(Cause { message: format!("left to the deletion of {carrier}: {}", cause.message), ..cause });
        let now = self.now;
        self.record(|record| {
            record.begin_anew(now);
            record.left_to = Some(carrier);
        })
    }

    /// Deleted as far as anybody may: its service keeps it, with its name.
    pub(super) fn retained(&mut self, until: Option<Timestamp>) -> Change {
        let resource_id = about::resource_id(self.tenant, self.name).unwrap_or_default();
        let when =
            until.map_or_else(|| "an instant that Azure does not tell".to_owned(), |at| at.to_string());
        let message = format!(
            "Azure keeps it, protected from being purged, until {when}; until then its name can't be used again"
        );
        let cause = Cause::ours(FailureClass::NameHeld, "purge-protected", message);
        self.told = Some(Cause { resource_id: Some(resource_id.clone()), ..cause });
        let kept = Retained { step: self.name.clone(), resource_id, until };
        self.tenant.retained.retain(|other| !other.resource_id.eq_ignore_ascii_case(&kept.resource_id));
        self.tenant.retained.push(kept);
        self.gone()
    }

    /// A cause with the resource that it is about, and with what is known of who holds its name.
    pub(super) fn explained(&self, cause: Cause) -> Cause {
        let known = cause.resource_id.clone();
        let resource_id = known.or_else(|| about::resource_id(self.tenant, self.name));
        let mut cause = Cause { resource_id, ..cause };
        let (FailureClass::NameHeld, Some(id)) = (cause.class, &cause.resource_id) else { return cause };
        let held =
            self.tenant.retained.iter().find(|kept| kept.is_held(self.now) && kept.holds_the_name_of(id));
        if let Some(kept) = held {
            let until = kept.until.map_or_else(|| "Azure purges it".to_owned(), |until| until.to_string());
            cause.message.push_str(&format!(
                "; the name is held until {until} by {}, which was deleted and is protected from being purged",
                kept.resource_id
            ));
        }
        cause
    }
}
