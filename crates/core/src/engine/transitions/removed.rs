//! What should go is gone, is kept by Azure, or is left to something else that goes.

use jiff::Timestamp;

use super::At;
use crate::{
    engine::{Change, about},
    ids::StepName,
    tenant::{Cause, FailureClass, Goal, Removal, Retained, StepState},
};

impl At<'_> {
    /// Gone; if the plan still wants it, it begins anew.
    pub(super) fn gone(&mut self) -> Change {
        let now = self.now;
        let planned = self.tenant.plan.steps.get(self.name);
        let planned = planned.filter(|_| self.tenant.goal == Goal::Present).cloned();
        self.record(|record| {
            record.begin_anew(now);
            record.forget_object();
            let Some(planned) = planned else { return record.enter(StepState::Gone) };
            record.removal = None;
            record.kind = planned.kind();
            // A replica that is behind still shows what has just gone.
            record.wrote_at = planned.kind().is_replicated().then_some(now);
            record.needs = planned.needs;
            record.digest = planned.digest;
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

    /// It can't be removed by itself, but is a part of something that is going: it is looked for again once that is gone.
    pub(super) fn leave(&mut self, carrier: StepName, cause: Cause) -> Change {
        self.told =
            Some(Cause { message: format!("left to the deletion of {carrier}: {}", cause.message), ..cause });
        let now = self.now;
        self.record(|record| {
            record.begin_anew(now);
            let ground = record.removal.take().and_then(|removal| removal.ground);
            record.removal = Some(Removal { ground, left_to: Some(carrier) });
        })
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
