//! Who may act.

use jiff::Timestamp;
use tenantry_core::{tenant::Tenant, time::later};

use super::Settings;

/// A worker's claim on one tenant for the length of one drive.
pub(super) struct Claim {
    pub(super) holder: String,
    epoch: u64,
}

impl Claim {
    /// Takes the lease in memory, to be saved with the first intent; `Err` until when somebody else holds it.
    pub(super) fn take(
        tenant: &mut Tenant,
        holder: String,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, Timestamp> {
        if let Some(lease) = tenant.lease() {
            // A lease ends for others only when it has ended on every clock.
            let ends = later(lease.until, settings.skew);
            if ends > now && lease.holder != holder {
                return Err(ends);
            }
        }
        let epoch = tenant.give_lease(&holder, later(now, settings.lease));
        Self::extend(tenant, settings, now);
        Ok(Self { holder, epoch })
    }

    /// Whether the document, as saved by somebody, still says that we hold it.
    pub(super) fn is_in(&self, tenant: &Tenant) -> bool {
        tenant.lease().is_some_and(|lease| lease.epoch == self.epoch && lease.holder == self.holder)
    }

    /// Lasts its full length from now on, and makes the tenant due right after it, should we die.
    pub(super) fn extend(tenant: &mut Tenant, settings: &Settings, now: Timestamp) {
        let until = later(now, settings.lease);
        tenant.extend_lease(until);
        tenant.due_at = until.saturating_add(settings.skew).ok();
    }

    /// Whether a request sent now has surely taken its last effect before the lease can end on any clock.
    pub(super) fn covers_a_request(tenant: &Tenant, settings: &Settings, now: Timestamp) -> bool {
        let life = settings.request_timeout + settings.request_life + settings.skew * 2;
        tenant.lease().is_some_and(|lease| now.saturating_add(life).is_ok_and(|end| end <= lease.until))
    }

    /// Gives the lease up, unless an unanswered request may still take effect: then it is kept until that is over.
    pub(super) fn release(tenant: &mut Tenant, settings: &Settings, now: Timestamp) {
        if let Some(until) = tenant.give_up_lease(now) {
            // Before it has ended on every clock, whoever comes would be sent away.
            let ended = later(until, settings.skew);
            tenant.due_at = Some(tenant.due_at.map_or(ended, |due| due.max(ended)));
        }
    }
}
