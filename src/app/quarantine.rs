//! Suspends a tenant that others reach. The isolation is checked once more immediately before.

use tenantry_core::{
    ids::TenantId,
    isolation::{IsolationVerdict, TakenBack},
    tenant::Goal,
};

use super::App;
use crate::{intake, ports::Stored};

impl App {
    /// Suspends a tenant that others reach, as an operator's request would. Returns a log line, or `None` if there is
    /// nothing to do.
    ///
    /// Conditions: the violation is recorded in the tenant's document, and a new check still shows it, apart from the
    /// access in `taken`, which this run of the timer has revoked. The suspension applies only to the version of the
    /// document that was checked. A tenant that itself reaches others is not suspended for that; the tenants that it
    /// reaches are.
    pub(super) async fn quarantine(&self, id: &TenantId, taken: &[TakenBack]) -> Option<String> {
        let not = |why: String| Some(format!("tenant {id} was not suspended: {why}"));
        let Stored { value: tenant, .. } = match self.ports.store.load(id).await {
            Ok(stored) => stored?,
            Err(error) => return not(error.to_string()),
        };
        // A tenant that is being worked on is skipped, because that work ends with an isolation check. A violation that
        // is not recorded yet is skipped too.
        let at_work = tenant.lease().is_some() || tenant.operation().is_some() || tenant.goal == Goal::Absent;
        let on_record =
            tenant.proof.as_ref().is_some_and(|proof| proof.verdict == IsolationVerdict::Violated);
        if at_work || tenant.spec.suspended.is_some() || !on_record {
            return None;
        }
        let version = tenant.version();
        let report = self.reconciler.isolation_scanner().verify(&[tenant]).await.pop()?;
        if report.verdict != IsolationVerdict::Violated || !report.lets_others_in(taken) {
            return not("nobody else reaches it any more".to_owned());
        }
        let answer = match self.intake.quarantine(id, version, &report.digest).await {
            Ok(answer) => answer?,
            Err(error) => return not(error.to_string()),
        };
        if answer.decision == intake::IntakeDecision::Accepted {
            self.reconcile(id).await;
        }
        Some(format!("quarantine of tenant {id}: {}", answer.decision))
    }
}
