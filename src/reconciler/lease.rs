//! The lease of a tenant: only its holder may act.

use jiff::Timestamp;
use tenantry_core::{tenant::Tenant, time::saturating_add};

use super::Settings;

/// A worker's lease on one tenant for the length of one pass.
pub(super) struct LeaseGuard {
    pub(super) holder: String,
    epoch: u64,
}

impl LeaseGuard {
    /// Takes the lease in memory; it is saved with the first intent. The error is the time until which another worker
    /// holds the lease.
    pub(super) fn take(
        tenant: &mut Tenant,
        holder: String,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, Timestamp> {
        if let Some(lease) = tenant.lease() {
            // For others a lease ends only when it has ended on every clock.
            let ends = saturating_add(lease.until, settings.skew);
            if ends > now && lease.holder != holder {
                return Err(ends);
            }
        }
        let epoch = tenant.give_lease(&holder, saturating_add(now, settings.lease));
        Self::extend(tenant, settings, now);
        Ok(Self { holder, epoch })
    }

    /// Whether a document still names this guard as the holder of its lease.
    pub(super) fn is_in(&self, tenant: &Tenant) -> bool {
        tenant.lease().is_some_and(|lease| lease.epoch == self.epoch && lease.holder == self.holder)
    }

    /// Renews the lease for its full length, and makes the tenant due right after the lease, in case this process ends
    /// before it.
    pub(super) fn extend(tenant: &mut Tenant, settings: &Settings, now: Timestamp) {
        let until = saturating_add(now, settings.lease);
        tenant.extend_lease(until);
        tenant.due_at = until.saturating_add(settings.skew).ok();
    }

    /// Whether the lease lasts, on every worker's clock, until a request that is sent now can't take effect any more.
    pub(super) fn covers_a_request(tenant: &Tenant, settings: &Settings, now: Timestamp) -> bool {
        let life = settings.request_timeout + settings.request_life + settings.skew * 2;
        tenant.lease().is_some_and(|lease| now.saturating_add(life).is_ok_and(|end| end <= lease.until))
    }

    /// Gives the lease up. If an unanswered request may still take effect, the lease ends only when the request no
    /// longer can.
    pub(super) fn release(tenant: &mut Tenant, settings: &Settings, now: Timestamp) {
        if let Some(until) = tenant.give_up_lease(now) {
            // Due earlier, the next worker would find the lease still held.
            let ended = saturating_add(until, settings.skew);
            tenant.due_at = Some(tenant.due_at.map_or(ended, |due| due.max(ended)));
        }
    }
}
