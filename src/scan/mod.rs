//! Proves, from what Azure shows and from calls to it, that only a tenant reaches its service: collects the evidence, has
//! it judged, records it.
//!
//! Reading and judging are apart: this module reads, [`tenantry_core::isolation::judge`] decides. What can't be read
//! becomes a gap in the report, never a pass, and the next scan may read it. It writes in one case: where `quarantine` is
//! switched on, an access that nobody declared is taken back, after the finding is on record.

mod assignments;
mod collect;
mod drift;
mod patient;
mod place;
mod probes;
mod quarantine;
mod read;
mod record;
mod unreadable;

pub use drift::{DRIFT_PORTION, DriftScanner};
use patient::Patient;
use place::{ISOLATION, Place};

pub use unreadable::{readable, tell as tell_unreadable};

use std::{collections::BTreeMap, time::Duration};

use crate::{
    config::{Isolation, Quarantine},
    ports::{StoreError, World},
};
use tenantry_core::{
    ids::TenantId,
    isolation::{AllowList, IsolationReport, Subject, judge},
    steps::Failure,
    tenant::{Cause, FailureClass, IsolationVerdict, Proven, Tenant},
};

/// How many questions, or calls, are under way at a time.
const AT_ONCE: usize = 8;

/// How many tenants one run of the timer looks at: a minute's work where each takes a dozen questions.
pub const PORTION: usize = 100;

/// Proves the isolation of tenants. One per process; cheap to share.
///
/// # Flow
/// [`Subject::of`] says what is a tenant's own; the evidence (assignments, applications, networks, private endpoints) is
/// read from Azure, the tenants' services are called with each other's tokens where a prober is set, and
/// [`tenantry_core::isolation::judge`] makes an [`IsolationReport`] of each tenant.
///
/// # Guarantees
/// - *Verified* is only said of a tenant of which everything that a rule needs was read. What was refused, or not answered in
///   time, is a gap, and a gap makes the report inconclusive.
/// - The calls carry tokens of the tenants' own applications or none; nothing but their status is kept.
///
/// # Caveats
/// The evidence is read over seconds, so a change in between may be seen by half; the digest of a report tells two scans
/// apart. What no rule reads is listed in `docs/isolation.md`.
///
/// ```
/// use tenantry::{ports::StoreError, scan::IsolationScanner};
/// use tenantry_core::tenant::Tenant;
///
/// async fn report(scanner: &IsolationScanner, tenants: &[Tenant]) {
///     for report in scanner.verify(tenants).await {
///         println!("{} is {}", report.tenant_id, report.verdict.word());
///     }
/// }
/// ```
pub struct IsolationScanner {
    world: World,
    allow: AllowList,
    quarantine: Quarantine,
}

impl IsolationScanner {
    /// A scanner over a world, with what the configuration allows.
    pub fn new(world: World, isolation: &Isolation) -> Self {
        Self { world, allow: AllowList::new(&isolation.allow), quarantine: isolation.quarantine }
    }

    /// Reports on tenants, in the order of their ids; those that are removed or being removed have none. What the tenants share is
    /// read once for all of them, and their services are called in a ring.
    pub async fn verify(&self, tenants: &[Tenant]) -> Vec<IsolationReport> {
        self.look(&Patient::new(&self.world), tenants).await
    }

    async fn look(&self, patient: &Patient<'_>, tenants: &[Tenant]) -> Vec<IsolationReport> {
        let mut subjects = Vec::new();
        let mut reports = Vec::new();
        for tenant in tenants {
            match Subject::of(tenant) {
                Ok(Some(subject)) => subjects.push(subject),
                Ok(None) => {}
                Err(why) => reports.push(IsolationReport::unknown(tenant.id.clone(), why)),
            }
        }
        let mut evidence = collect::evidence(patient, &subjects, &self.allow).await;
        evidence.live = probes::live(&self.world, &subjects).await;
        reports.extend(judge(&subjects, &evidence, &self.allow));
        reports.sort_by(|a, b| a.tenant_id.cmp(&b.tenant_id));
        reports
    }

    /// Looks at one tenant, for at most so long.
    ///
    /// # Errors
    /// A transient [`Failure`] when it takes longer.
    pub async fn prove(&self, tenant: &Tenant, patience: Duration) -> Result<Proven, Failure> {
        let slow = |_| Cause::ours(FailureClass::Transient, "isolation-slow", "looking took too long");
        let patient = Patient::new(&self.world);
        let looked = tokio::time::timeout(patience, self.look(&patient, std::slice::from_ref(tenant))).await;
        let report = looked.map_err(slow)?.into_iter().next();
        let report = report
            .unwrap_or_else(|| IsolationReport::unknown(tenant.id.clone(), "it is being removed".into()));
        Ok(Proven { retry_after: patient.put_off(), ..record::proven(&report, self.world.clock.now()) })
    }

    /// Looks at the next so many of all tenants and records what changed. Returns the reports and whom to drive, so that
    /// what was recorded is told.
    ///
    /// # Errors
    /// [`StoreError`] when the tenants can't be listed; the next run tries again.
    pub async fn run(&self, portion: usize) -> Result<(Vec<IsolationReport>, Vec<TenantId>), StoreError> {
        let place = Place::of(&self.world, ISOLATION).await?;
        let (tenants, last) = place.portion(&self.world, portion).await?;
        let versions: BTreeMap<TenantId, u64> =
            tenants.iter().map(|tenant| (tenant.id.clone(), tenant.version())).collect();
        let mut reports = self.verify(&tenants).await;
        let mut told = Vec::new();
        for report in &mut reports {
            let version = versions.get(&report.tenant_id).copied().unwrap_or_default();
            let mut news = self.note(report, version).await;
            if self.quarantine != Quarantine::Off && self.take_back(report).await {
                news |= self.note(report, version).await;
            }
            told.extend(news.then(|| report.tenant_id.clone()));
        }
        for id in self.look_again(&mut reports).await {
            if !told.contains(&id) {
                told.push(id);
            }
        }
        place.save(&self.world, last).await?;
        Ok((reports, told))
    }

    /// What was taken back from somebody was found in other reports too, which are older than that. Looks again at all that
    /// were bad, and returns of whom there is something new to tell.
    async fn look_again(&self, reports: &mut [IsolationReport]) -> Vec<TenantId> {
        let mut told = Vec::new();
        if reports.iter().all(|report| report.quarantined.is_empty()) {
            return told;
        }
        for report in reports.iter_mut().filter(|report| report.verdict == IsolationVerdict::Violated) {
            let Ok(Some(stored)) = self.world.store.load(&report.tenant_id).await else { continue };
            let version = stored.value.version();
            let Some(again) = self.verify(&[stored.value]).await.pop() else { continue };
            let quarantined = std::mem::take(&mut report.quarantined);
            *report = IsolationReport { quarantined, ..again };
            if self.note(report, version).await {
                told.push(report.tenant_id.clone());
            }
        }
        told
    }

    /// Whether a tenant that others still reach is to be suspended.
    pub fn suspends(&self) -> bool {
        self.quarantine == Quarantine::Suspend
    }

    /// Records a verdict; whether there is something to tell.
    async fn note(&self, report: &IsolationReport, version: u64) -> bool {
        match record::record(&self.world, report, version).await {
            Ok(news) => news,
            Err(error) => {
                tracing::warn!(tenant.id = %report.tenant_id, error = %error, "a verdict was not recorded; the next one will be");
                false
            }
        }
    }

    /// Takes back what can be, once the violation is on record, and looks again; whether it took anything back.
    async fn take_back(&self, report: &mut IsolationReport) -> bool {
        let id = report.tenant_id.clone();
        let taken = quarantine::take_back(self.world.wire.as_ref(), report).await;
        if taken.is_empty() {
            return false;
        }
        let Ok(Some(stored)) = self.world.store.load(&id).await else { return false };
        if let Some(mut again) = self.verify(&[stored.value]).await.pop() {
            again.quarantined = taken;
            *report = again;
        }
        true
    }
}
