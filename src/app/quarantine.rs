//! Suspends a tenant that others reach, on the evidence of a check of its own at that moment.

use tenantry_core::{
    ids::TenantId,
    isolation::{IsolationVerdict, TakenBack},
    tenant::Goal,
};

use super::App;
use crate::{intake, ports::Stored};

impl App {
    /// Suspends a tenant that others reach, as a request of an operator would. Conditions: the document has the
    /// violation on record, and a check after everything that was taken back in this run still shows it, for the same
    /// version of the document. A tenant that itself reaches others is not suspended for that; the tenants it reaches
    /// are.
    pub(super) async fn quarantine(&self, id: &TenantId, taken: &[TakenBack]) -> Option<String> {
        let not = |why: String| Some(format!("tenant {id} was not suspended: {why}"));
        let Stored { value: tenant, .. } = match self.ports.store.load(id).await {
            Ok(stored) => stored?,
            Err(error) => return not(error.to_string()),
        };
        // A tenant under work is skipped: that work ends with a proof. So is a violation that is not on record yet.
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
