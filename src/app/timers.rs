//! The timer functions: the sweep, the isolation check and the scan for drift.

use tenantry_core::isolation::{IsolationReport, IsolationVerdict, TakenBack};

use super::App;
use crate::{
    host::Answer,
    reconciler::Swept,
    scan::{DRIFT_PORTION, PORTION},
};

impl App {
    pub(super) async fn sweep(&self) -> Answer {
        match self.reconciler.sweep().await {
            Ok(Swept { due, woken, reconciled, unreadable, failed, left }) => {
                let line = format!(
                    "{due} due, {woken} woken, {reconciled} reconciled, {unreadable} unreadable, {failed} failed, \
                     {left} left to the next sweep"
                );
                Answer::Done { logs: vec![line] }
            }
            Err(error) => Answer::TryAgain { why: error.to_string() },
        }
    }

    pub(super) async fn audit(&self) -> Answer {
        let run = self.reconciler.isolation_scanner().run(PORTION);
        let (reports, recorded) = match self.reconciler.unless_draining(run).await {
            Some(Ok(done)) => done,
            Some(Err(error)) => return Answer::TryAgain { why: error.to_string() },
            None => return shuts_down(),
        };
        // The new verdicts are in the tenants' outboxes; a reconcile pass publishes them.
        for tenant in &recorded {
            if let Err(error) = self.reconciler.reconcile(tenant).await {
                tracing::warn!(tenant.id = %tenant, error = %error, "a verdict was not published yet; the sweep will publish it");
            }
        }
        let mut logs = vec![format!("tenants checked: {}", reports.len())];
        if self.reconciler.isolation_scanner().suspends() {
            let taken: Vec<TakenBack> =
                reports.iter().flat_map(|report| report.quarantined.clone()).collect();
            for report in reports.iter().filter(|report| report.verdict == IsolationVerdict::Violated) {
                logs.extend(self.quarantine(&report.tenant_id, &taken).await);
            }
        }
        for report in reports.iter().filter(|report| report.verdict != IsolationVerdict::Verified) {
            logs.extend(not_verified(report));
        }
        Answer::Done { logs }
    }

    pub(super) async fn drift(&self) -> Answer {
        let run = self.drift_scanner.run(DRIFT_PORTION);
        let (reports, recorded) = match self.reconciler.unless_draining(run).await {
            Some(Ok(done)) => done,
            Some(Err(error)) => return Answer::TryAgain { why: error.to_string() },
            None => return shuts_down(),
        };
        // The results are in the tenants' outboxes, and repairs are due; a reconcile pass publishes and repairs. Passes
        // may take long, so this function only schedules them.
        for tenant in &recorded {
            super::wake(&self.ports, tenant).await;
        }
        let mut logs = vec![format!("tenants checked: {}", reports.len())];
        for report in reports.iter().filter(|report| !report.is_clean()) {
            let (items, unread) = (report.items.len(), report.unread.len());
            tracing::warn!(tenant.id = %report.tenant_id, drifted = items, unread, "a tenant does not match its desired state, or was not fully read");
            logs.push(format!("tenant {}: {items} drifted, {unread} steps not read", report.tenant_id));
        }
        Answer::Done { logs }
    }
}

/// How many of the things that could not be read one log line names.
const NAMED: usize = 3;

/// The log line for a tenant whose isolation is not verified: the codes of its findings, or what could not be read.
/// `None` if there is neither.
fn not_verified(report: &IsolationReport) -> Option<String> {
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_ref()).collect();
    codes.dedup();
    let gaps = report.gaps.iter().map(|gap| format!("{}: {}", gap.about, gap.why));
    let mut why: Vec<String> = match codes.is_empty() {
        false => codes.iter().map(ToString::to_string).collect(),
        true => gaps.clone().take(NAMED).collect(),
    };
    if codes.is_empty() && gaps.len() > NAMED {
        why.push(format!("and {} more", gaps.len() - NAMED));
    }
    if why.is_empty() {
        return None;
    }
    let (tenant, verdict, why) = (&report.tenant_id, report.verdict.as_str(), why.join(", "));
    tracing::warn!(tenant.id = %tenant, verdict, findings = codes.join(","), why, "isolation is not verified");
    Some(format!("tenant {tenant} is {verdict}: {why}"))
}

/// The answer of a scan that a shutdown has cut short. The scan's cursor was not moved, so the next run checks the same
/// tenants.
fn shuts_down() -> Answer {
    Answer::TryAgain { why: "the process shuts down".to_owned() }
}
