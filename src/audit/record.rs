//! A verdict in a tenant's history: when it is another one than before, and once a day.
//!
//! It goes through the document's outbox like all history, as a line about the step `isolation`.

use jiff::SignedDuration;

use crate::{
    ids::StepName,
    isolation::{Report, Verdict},
    ports::{StoreError, World},
    tenant::{Cause, FailureClass, Story},
};

/// Under which name verdicts stand in history.
const STEP: &str = "isolation";
/// How many lines of history are looked at for the last verdict; beyond them it is told again.
const LOOK_BACK: usize = 100;
/// How often an unchanged verdict is told again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Notes a verdict in the tenant's document; whether it did. The document is due at once then.
pub(super) async fn record(world: &World, report: &Report) -> Result<bool, StoreError> {
    let id = &report.tenant_id;
    let now = world.clock.now();
    let cause = cause(report);
    let history = world.store.history(id, LOOK_BACK).await?;
    let last = history.iter().find(|row| row.step.as_deref() == Some(STEP));
    let said = cause.as_ref().map(|cause| cause.message.as_str());
    let is_news = last.is_none_or(|row| {
        row.state.as_deref() != Some(report.verdict.word())
            || row.cause.as_ref().map(|cause| cause.message.as_str()) != said
            || now.duration_since(row.at) > AGAIN
    });
    if !is_news {
        return Ok(false);
    }
    let Some(stored) = world.store.load(id).await? else { return Ok(false) };
    let mut tenant = stored.value;
    // Somebody else is on it, and will be again: the verdict may be out of date by then.
    if tenant.lease.is_some() {
        return Ok(false);
    }
    let Ok(step) = STEP.parse::<StepName>() else { return Ok(false) };
    let state = report.verdict.word().to_owned();
    tenant.note(Story::Step { step, state, cause, raw: None }, now);
    tenant.due_at = Some(tenant.due_at.map_or(now, |due| due.min(now)));
    tenant.updated_at = now;
    match world.store.save(&tenant, Some(&stored.etag)).await {
        Ok(_) => Ok(true),
        Err(StoreError::Overtaken) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Which rules are broken, or what is not known; with the digest, so that the report can be told from others.
fn cause(report: &Report) -> Option<Cause> {
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.code.as_ref()).collect();
    codes.dedup();
    match report.verdict {
        Verdict::Verified => None,
        Verdict::Violated => {
            Some(Cause::ours(FailureClass::Permanent, "isolation-violated", codes.join(", ")))
        }
        Verdict::Inconclusive => {
            let why: Vec<String> =
                report.gaps.iter().take(3).map(|gap| format!("{}: {}", gap.about, gap.why)).collect();
            Some(Cause::ours(FailureClass::Transient, "isolation-inconclusive", why.join("; ")))
        }
    }
}
