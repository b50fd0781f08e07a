//! Suspends a tenant that others reach, by what is seen at that moment and of no other tenant.

use tenantry_core::{
    ids::TenantId,
    isolation::{IsolationVerdict, TakenBack},
    tenant::Goal,
};

use super::App;
use crate::{intake, ports::Stored};

impl App {
    /// Suspends a tenant that others reach, as a request of an operator would: only if a look after all that was taken back
    /// in this run shows it, and only the version of the tenant that was looked at. One that reaches others itself is not
    /// suspended for that; whom it reaches is.
    pub(super) async fn quarantine(&self, id: &TenantId, taken: &[TakenBack]) -> Option<String> {
        let not = |why: String| Some(format!("tenant {id} was not suspended: {why}"));
        let Stored { value: tenant, .. } = match self.world.store.load(id).await {
            Ok(stored) => stored?,
            Err(error) => return not(error.to_string()),
        };
        // Somebody is on it and proves it in the end; and what is not on record yet is not acted upon.
        let at_work = tenant.lease().is_some() || tenant.operation().is_some() || tenant.goal == Goal::Absent;
        let on_record =
            tenant.proof.as_ref().is_some_and(|proof| proof.verdict == IsolationVerdict::Violated);
        if at_work || tenant.spec.suspended.is_some() || !on_record {
            return None;
        }
        let version = tenant.version();
        let report = self.reconciler.isolation_scanner().verify(&[tenant]).await.pop()?;
        if report.verdict != IsolationVerdict::Violated || !report.lets_others_in(taken) {
            return not("nobody else gets in to it any more".to_owned());
        }
        let answer = match self.intake.quarantine(id, version, &report.digest).await {
            Ok(answer) => answer?,
            Err(error) => return not(error.to_string()),
        };
        if answer.verdict == intake::IntakeDecision::Accepted {
            self.reconcile(id).await;
        }
        Some(format!("quarantine of tenant {id}: {}", answer.verdict))
    }
}
