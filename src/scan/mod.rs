//! Proves, by reads of Azure and by calls, that only a tenant reaches its service: collects the evidence, passes it to
//! the rules, and records the verdict.
//!
//! Reading and judging are separate: this module reads, [`tenantry_core::isolation::judge`] decides. What can't be read
//! becomes a gap in the report, never a pass. The module writes in one case: where
//! `quarantine` is on, undeclared access is revoked, after the finding is on record.

mod assignments;
mod budget;
mod collect;
mod cursor;
mod drift;
mod probes;
mod quarantine;
mod read;
mod record;
mod unreadable;

use budget::ScanBudget;
use cursor::{Cursor, ISOLATION};
pub use drift::{DRIFT_PORTION, DriftScanner};

pub use unreadable::{log_unreadable, readable};

use std::{collections::BTreeMap, time::Duration};

use crate::{
    config::{Isolation, Quarantine},
    ports::{Ports, StoreError},
};
use tenantry_core::{
    ids::TenantId,
    isolation::{AllowList, IsolationReport, JudgedTenant, judge},
    steps::Failure,
    tenant::{Cause, FailureClass, IsolationVerdict, Proven, Tenant},
};

/// How many reads of Azure, or calls to tenants' services, run at once.
const AT_ONCE: usize = 8;

/// How many tenants one run of the timer checks: a minute's work with a dozen reads each.
pub const PORTION: usize = 100;

/// Checks the isolation of tenants. One per process; cheap to share.
///
/// # Flow
/// [`JudgedTenant::of`] lists what belongs to a tenant; the evidence (assignments, applications, networks, private
/// endpoints) is read from Azure, the tenants' services are called with each other's tokens where a prober is set, and
/// [`tenantry_core::isolation::judge`] makes an [`IsolationReport`] of each tenant.
///
/// # Guarantees
/// - A tenant is *verified* only if everything that a rule needs was read. What was refused, or not answered in time,
///   is a gap, and a gap makes the report inconclusive.
/// - The calls carry tokens of the tenants' own applications or none; only their status is kept.
///
/// # Caveats
/// The evidence is read over seconds, so a change in between may be read in part; the digest of a report distinguishes
/// two scans. What no rule reads is listed in `docs/isolation.md`.
///
/// ```
/// use tenantry::{ports::StoreError, scan::IsolationScanner};
/// use tenantry_core::tenant::Tenant;
///
/// async fn report(scanner: &IsolationScanner, tenants: &[Tenant]) {
///     for report in scanner.verify(tenants).await {
///         println!("{} is {}", report.tenant_id, report.verdict.as_str());
///     }
/// }
/// ```
pub struct IsolationScanner {
    ports: Ports,
    allow: AllowList,
    quarantine: Quarantine,
}

impl IsolationScanner {
    /// A scanner over these ports, with the configured exceptions.
    pub fn new(ports: Ports, isolation: &Isolation) -> Self {
        Self { ports, allow: AllowList::new(&isolation.allow), quarantine: isolation.quarantine }
    }

    /// Checks tenants. Returns the reports, ordered by id; tenants that are deleted or being deleted have none. Objects
    /// that the tenants share are read once, and each service is called with the token of the tenant before it, in a
    /// ring.
    pub async fn verify(&self, tenants: &[Tenant]) -> Vec<IsolationReport> {
        self.check(&ScanBudget::new(&self.ports), tenants).await
    }

    async fn check(&self, budget: &ScanBudget<'_>, tenants: &[Tenant]) -> Vec<IsolationReport> {
        let mut judged_tenants = Vec::new();
        let mut reports = Vec::new();
        for tenant in tenants {
            match JudgedTenant::of(tenant) {
                Ok(Some(judged)) => judged_tenants.push(judged),
                Ok(None) => {}
                Err(why) => reports.push(IsolationReport::unknown(tenant.id.clone(), why)),
            }
        }
        let mut evidence = collect::evidence(budget, &judged_tenants, &self.allow).await;
        evidence.live = probes::live(&self.ports, &judged_tenants).await;
        reports.extend(judge(&judged_tenants, &evidence, &self.allow));
        reports.sort_by(|a, b| a.tenant_id.cmp(&b.tenant_id));
        reports
    }

    /// Checks one tenant.
    ///
    /// # Errors
    /// A transient [`Failure`] if the check takes longer than `timeout`.
    pub async fn prove(&self, tenant: &Tenant, timeout: Duration) -> Result<Proven, Failure> {
        let slow = |_| Cause::ours(FailureClass::Transient, "isolation-slow", "the check took too long");
        let budget = ScanBudget::new(&self.ports);
        let checked = tokio::time::timeout(timeout, self.check(&budget, std::slice::from_ref(tenant))).await;
        let report = checked.map_err(slow)?.into_iter().next();
        let report = report
            .unwrap_or_else(|| IsolationReport::unknown(tenant.id.clone(), "it is being removed".into()));
        Ok(Proven { retry_after: budget.put_off(), ..record::proven(&report, self.ports.clock.now()) })
    }

    /// Checks the next portion of all tenants and records what changed. Returns the reports and the tenants to
    /// reconcile, so that the results are published.
    ///
    /// # Errors
    /// [`StoreError`] when the tenants can't be listed; the next run tries again.
    pub async fn run(&self, portion: usize) -> Result<(Vec<IsolationReport>, Vec<TenantId>), StoreError> {
        let cursor = Cursor::of(&self.ports, ISOLATION).await?;
        let (tenants, last) = cursor.portion(&self.ports, portion).await?;
        let versions: BTreeMap<TenantId, u64> =
            tenants.iter().map(|tenant| (tenant.id.clone(), tenant.version())).collect();
        let mut reports = self.verify(&tenants).await;
        let mut to_reconcile = Vec::new();
        for report in &mut reports {
            let version = versions.get(&report.tenant_id).copied().unwrap_or_default();
            let mut news = self.note(report, version).await;
            if self.quarantine != Quarantine::Off && self.take_back(report).await {
                news |= self.note(report, version).await;
            }
            to_reconcile.extend(news.then(|| report.tenant_id.clone()));
        }
        for id in self.check_again(&mut reports).await {
            if !to_reconcile.contains(&id) {
                to_reconcile.push(id);
            }
        }
        cursor.save(&self.ports, last).await?;
        Ok((reports, to_reconcile))
    }

    /// Checks all violated tenants again after access was revoked, because their reports may still contain that access.
    /// Returns the tenants with a verdict to publish.
    async fn check_again(&self, reports: &mut [IsolationReport]) -> Vec<TenantId> {
        let mut reported = Vec::new();
        if reports.iter().all(|report| report.quarantined.is_empty()) {
            return reported;
        }
        for report in reports.iter_mut().filter(|report| report.verdict == IsolationVerdict::Violated) {
            let Ok(Some(stored)) = self.ports.store.load(&report.tenant_id).await else { continue };
            let version = stored.value.version();
            let Some(again) = self.verify(&[stored.value]).await.pop() else { continue };
            let quarantined = std::mem::take(&mut report.quarantined);
            *report = IsolationReport { quarantined, ..again };
            if self.note(report, version).await {
                reported.push(report.tenant_id.clone());
            }
        }
        reported
    }

    /// Whether the settings ask to suspend a tenant whose isolation is still violated after the revocation.
    pub fn suspends(&self) -> bool {
        self.quarantine == Quarantine::Suspend
    }

    /// Records a verdict. Returns whether it has to be published.
    async fn note(&self, report: &IsolationReport, version: u64) -> bool {
        match record::record(&self.ports, report, version).await {
            Ok(news) => news,
            Err(error) => {
                tracing::warn!(tenant.id = %report.tenant_id, error = %error, "a verdict was not recorded; the next one will be");
                false
            }
        }
    }

    /// Revokes the grants that a report names, and checks the tenant again. Call it once the violation is on record.
    /// Returns whether there were such grants and the tenant could be loaded again.
    async fn take_back(&self, report: &mut IsolationReport) -> bool {
        let id = report.tenant_id.clone();
        let taken = quarantine::take_back(self.ports.transport.as_ref(), report).await;
        if taken.is_empty() {
            return false;
        }
        let Ok(Some(stored)) = self.ports.store.load(&id).await else { return false };
        if let Some(mut again) = self.verify(&[stored.value]).await.pop() {
            again.quarantined = taken;
            *report = again;
        }
        true
    }
}
