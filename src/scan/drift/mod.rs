//! Looks whether tenants are still as they were left, says what is not, and asks the ordinary loop to put right what a
//! setting says. It reads only: whatever is written in Azure is written by the loop.

mod look;
mod record;
mod who;

use std::{collections::BTreeSet, time::Duration};

use tenantry_core::{
    drift::{DriftClass, DriftReport, at_rest},
    ids::TenantId,
    tenant::Tenant,
    time::later,
};

use super::place::{DRIFT, Place};
use crate::ports::{StoreError, World};

/// How many tenants one run of the timer looks at: some minutes' work where each has twenty steps.
pub const DRIFT_PORTION: usize = 100;
/// How long one run goes on with another tenant: well below the time after which the host gives an invocation up.
const AT_MOST: Duration = Duration::from_secs(5 * 60);

/// Compares tenants with what was recorded. One per process; cheap to share.
pub struct DriftScanner {
    world: World,
    heal: BTreeSet<DriftClass>,
    lag: Duration,
}

impl DriftScanner {
    /// A scanner of a world that puts nothing right. `lag` is how long a look may still show what was before a write: tenants
    /// that were written to since are left for a later run.
    pub fn new(world: World, lag: Duration) -> Self {
        Self { world, heal: BTreeSet::new(), lag }
    }

    /// Has drift of these classes put right.
    pub fn heal(&mut self, heal: &BTreeSet<DriftClass>) {
        self.heal.clone_from(heal);
    }

    /// Compares one tenant, and asks who it was; `None` if it is not at rest, so that nothing can be said. Records nothing.
    pub async fn scan(&self, tenant: &Tenant) -> Option<DriftReport> {
        if !self.comparable(tenant) {
            return None;
        }
        let mut report = look::at(self.world.wire.as_ref(), tenant).await;
        who::ask(self.world.wire.as_ref(), tenant, &mut report, self.world.clock.now()).await;
        Some(report)
    }

    /// Looks at the next so many of all tenants and records what changed. Returns the reports and whom to drive, so that
    /// what was recorded is told and put right.
    ///
    /// # Errors
    /// [`StoreError`] when the tenants can't be listed; the next run tries again.
    pub async fn run(&self, portion: usize) -> Result<(Vec<DriftReport>, Vec<TenantId>), StoreError> {
        let place = Place::of(&self.world, DRIFT).await?;
        let (tenants, mut last) = place.portion(&self.world, portion).await?;
        let (mut reports, mut told) = (Vec::new(), Vec::new());
        let end = later(self.world.clock.now(), AT_MOST);
        for tenant in &tenants {
            if !self.comparable(tenant) {
                continue;
            }
            let mut report = look::at(self.world.wire.as_ref(), tenant).await;
            match record::record(&self.world, tenant, &mut report, &self.heal).await {
                Ok(true) => told.push(tenant.id.clone()),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(tenant.id = %tenant.id, error = %error, "drift was not recorded; the next run will");
                }
            }
            reports.push(report);
            if self.world.clock.now() > end {
                last = Some(tenant.id.clone());
                break;
            }
        }
        place.save(&self.world, last).await?;
        Ok((reports, told))
    }

    fn comparable(&self, tenant: &Tenant) -> bool {
        let now = self.world.clock.now();
        at_rest(tenant)
            && tenant.steps().values().all(|step| step.wrote_at.is_none_or(|at| later(at, self.lag) <= now))
    }
}
