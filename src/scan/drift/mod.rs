//! Checks whether tenants still match their desired state, reports drift, and asks the reconciler to repair the
//! configured classes. It only reads: all writes to Azure are the reconciler's.

mod read;
mod record;
mod who;

use std::{collections::BTreeSet, time::Duration};

use tenantry_core::{
    drift::{DriftClass, DriftReport, at_rest},
    ids::TenantId,
    tenant::Tenant,
    time::saturating_add,
};

use super::cursor::{Cursor, DRIFT};
use crate::ports::{Ports, StoreError};

/// How many tenants one run of the timer checks: some minutes' work with twenty steps each.
pub const DRIFT_PORTION: usize = 100;
/// After this time a run starts no further tenants: well before the invocation's timeout.
const AT_MOST: Duration = Duration::from_secs(5 * 60);

/// Checks tenants for drift. One per process; cheap to share.
pub struct DriftScanner {
    ports: Ports,
    heal: BTreeSet<DriftClass>,
    lag: Duration,
}

impl DriftScanner {
    /// A scanner over these ports that repairs nothing. `lag` is how long a read may still show the state before a
    /// write: tenants that were written to since are left for a later run.
    pub fn new(ports: Ports, lag: Duration) -> Self {
        Self { ports, heal: BTreeSet::new(), lag }
    }

    /// Sets the classes of drift that are repaired automatically.
    pub fn heal(&mut self, heal: &BTreeSet<DriftClass>) {
        self.heal.clone_from(heal);
    }

    /// Checks one tenant, and asks the activity log who made the changes. `None` if the tenant is being worked on, so
    /// that it can't be compared. Records nothing.
    pub async fn scan(&self, tenant: &Tenant) -> Option<DriftReport> {
        if !self.comparable(tenant) {
            return None;
        }
        let mut report = read::at(self.ports.transport.as_ref(), tenant).await;
        who::ask(self.ports.transport.as_ref(), tenant, &mut report, self.ports.clock.now()).await;
        Some(report)
    }

    /// Checks the next portion of all tenants and records what changed. Returns the reports and the tenants to
    /// reconcile, so that drift is published and repaired.
    ///
    /// # Errors
    /// [`StoreError`] when the tenants can't be listed; the next run tries again.
    pub async fn run(&self, portion: usize) -> Result<(Vec<DriftReport>, Vec<TenantId>), StoreError> {
        let cursor = Cursor::of(&self.ports, DRIFT).await?;
        let (tenants, mut last) = cursor.portion(&self.ports, portion).await?;
        let (mut reports, mut to_reconcile) = (Vec::new(), Vec::new());
        let end = saturating_add(self.ports.clock.now(), AT_MOST);
        for tenant in &tenants {
            if !self.comparable(tenant) {
                continue;
            }
            let mut report = read::at(self.ports.transport.as_ref(), tenant).await;
            match record::record(&self.ports, tenant, &mut report, &self.heal).await {
                Ok(true) => to_reconcile.push(tenant.id.clone()),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(tenant.id = %tenant.id, error = %error, "drift was not recorded; the next run will");
                }
            }
            reports.push(report);
            if self.ports.clock.now() > end {
                last = Some(tenant.id.clone());
                break;
            }
        }
        cursor.save(&self.ports, last).await?;
        Ok((reports, to_reconcile))
    }

    fn comparable(&self, tenant: &Tenant) -> bool {
        let now = self.ports.clock.now();
        at_rest(tenant)
            && tenant
                .steps()
                .values()
                .all(|step| step.wrote_at.is_none_or(|at| saturating_add(at, self.lag) <= now))
    }
}
