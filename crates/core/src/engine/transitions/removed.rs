//! The transitions of a step whose object is deleted, is retained by Azure, or is left to the deletion of another one.

use jiff::Timestamp;

use super::At;
use crate::{
    engine::{Change, about},
    ids::StepName,
    tenant::{Cause, FailureClass, Goal, Removal, Retained, StepState},
};

impl At<'_> {
    /// Records that the object is deleted. If the plan still has the step, the step restarts.
    pub(super) fn deleted(&mut self) -> Change {
        let now = self.now;
        let planned = self.tenant.plan.steps.get(self.name);
        let planned = planned.filter(|_| self.tenant.goal == Goal::Present).cloned();
        self.record(|record| {
            record.restart(now);
            record.forget_object();
            let Some(planned) = planned else { return record.enter(StepState::Deleted) };
            record.removal = None;
            record.kind = planned.kind();
            // A stale replica may still show the object that was just deleted.
            record.wrote_at = planned.kind().is_replicated().then_some(now);
            record.needs = planned.needs;
            record.digest = planned.digest;
        })
    }

    /// Records that the object is deleted but retained with its name by the service. The step counts as deleted.
    pub(super) fn retained(&mut self, until: Option<Timestamp>) -> Change {
        let resource_id = about::resource_id(self.tenant, self.name).unwrap_or_default();
        let when = until.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
        let message = format!(
            "Azure keeps it, protected from being purged, until {when}; until then its name can't be used again"
        );
        let cause = Cause::ours(FailureClass::NameHeld, "purge-protected", message);
        self.reported = Some(Cause { resource_id: Some(resource_id.clone()), ..cause });
        let kept = Retained { step: self.name.clone(), resource_id, until };
        self.tenant.retained.retain(|other| !other.resource_id.eq_ignore_ascii_case(&kept.resource_id));
        self.tenant.retained.push(kept);
        self.deleted()
    }

    /// Leaves the object to the deletion of the enclosing object, because it can't be deleted by itself. It is read
    /// again after that deletion.
    pub(super) fn leave(&mut self, carrier: StepName, cause: Cause) -> Change {
        self.reported =
            Some(Cause { message: format!("left to the deletion of {carrier}: {}", cause.message), ..cause });
        let now = self.now;
        self.record(|record| {
            record.restart(now);
            let ground = record.removal.take().and_then(|removal| removal.ground);
            record.removal = Some(Removal { ground, left_to: Some(carrier) });
        })
    }

    /// Adds to a cause the id of the step's resource and, if the resource's name is held, the retained object that
    /// holds the name.
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
