//! What the timers do: the sweep, and the scans for isolation and drift.

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
            Ok(Swept { due, woken, driven, unreadable, failed, left }) => {
                let said = format!(
                    "{due} due, {woken} woken, {driven} driven, {unreadable} unreadable, {failed} failed, \
                     {left} left to the next sweep"
                );
                Answer::Done { logs: vec![said] }
            }
            Err(error) => Answer::TryAgain { why: error.to_string() },
        }
    }

    pub(super) async fn audit(&self) -> Answer {
        let (reports, told) = match self.reconciler.isolation_scanner().run(PORTION).await {
            Ok(done) => done,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        // What was recorded stands in the outbox; a drive tells it.
        for tenant in &told {
            if let Err(error) = self.reconciler.reconcile(tenant).await {
                tracing::warn!(tenant.id = %tenant, error = %error, "a verdict was not told yet; the sweep will do");
            }
        }
        let mut logs = vec![format!("{} looked at", reports.len())];
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
        let (reports, told) = match self.drift_scanner.run(DRIFT_PORTION).await {
            Ok(done) => done,
            Err(error) => return Answer::TryAgain { why: error.to_string() },
        };
        // What was recorded stands in the outbox, and what is to be put right is due; a drive does both. Each may take its
        // time, so none is done here.
        for tenant in &told {
            super::wake(&self.world, tenant).await;
        }
        let mut logs = vec![format!("{} looked at", reports.len())];
        for report in reports.iter().filter(|report| !report.is_clean()) {
            let (items, unread) = (report.items.len(), report.unread.len());
            tracing::warn!(tenant.id = %report.tenant_id, drifted = items, unread, "a tenant is not known to be as it was left");
            logs.push(format!("tenant {}: {items} drifted, {unread} steps not read", report.tenant_id));
        }
        Answer::Done { logs }
    }
}

/// How many gaps are named in a line.
const NAMED: usize = 3;

/// Says which rules a tenant breaks, or what is not known of it; nothing where there is neither.
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
    let (tenant, word, why) = (&report.tenant_id, report.verdict.word(), why.join(", "));
    tracing::warn!(tenant.id = %tenant, verdict = word, findings = codes.join(","), why, "isolation is not verified");
    Some(format!("tenant {tenant} is {word}: {why}"))
}
