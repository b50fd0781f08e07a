//! Invariant I26: a passing failure does not block a step, and a permanent one is not retried for long. What most
//! refusals mean is known from the simulator's Azure, not from their messages; a few codes have one meaning
//! everywhere.

use tenantry_core::{
    ids::StepName,
    tenant::{Cause, FailureClass, StepRecord, Tenant},
};

use super::{
    azure::{Azure, Meaning, UNKNOWN_CODES},
    profile::{Plan, Profile},
};

/// From this many failures on, a step may be blocked whatever its last refusal means: its retries are used up.
const OFTEN: u32 = 4;

/// The steps that have become blocked, or that are blocked for another reason than before.
pub(crate) fn blocks<'a>(
    before: Option<&'a Tenant>,
    after: &'a Tenant,
) -> impl Iterator<Item = (&'a StepName, &'a StepRecord, &'a Cause)> {
    let blocked =
        after.steps().iter().filter_map(|(name, record)| Some((name, record, record.state.blocked()?)));
    blocked.filter(move |(name, _, cause)| {
        let was = before.and_then(|before| before.steps().get(*name));
        was.and_then(|was| was.state.blocked()) != Some(*cause)
    })
}

/// Why a step should not be blocked for this cause; `None` if it may be.
pub(crate) fn why_not(
    azure: &Azure,
    plan: &Plan,
    record: &StepRecord,
    cause: &Cause,
) -> Option<&'static str> {
    let meaning = cause.azure_request_id.as_deref().and_then(|id| azure.meaning(id));
    let effort = record.effort();
    let tries = effort.failures.max(effort.attempts).max(effort.unknown);
    let seldom = ["no-answer", "not-sent", "TooManyRequests"].contains(&cause.code.as_str());
    match meaning {
        _ if UNKNOWN_CODES.iter().any(|(_, code)| *code == cause.code) => Some("that passes within minutes"),
        _ if cause.code == "RetryableErrorDueToAnotherOperation" => Some("that is a queue"),
        // A crowd has hardly any other faults, so a step that exceeds this limit has only waited for other endpoints.
        _ if plan.profile == Profile::Crowd && seldom => Some("that is a queue"),
        _ if cause.code == "operation-stuck" => {
            let target = cause.resource_id.as_deref().unwrap_or_default().to_ascii_lowercase();
            azure.is_quick(&target).then_some("nothing has taken that long while workers were awake")
        }
        Some(Meaning::Passes) if tries < OFTEN => Some("that passes by itself"),
        Some(Meaning::NameHeld) if cause.class != FailureClass::NameHeld => {
            Some("a deleted object holds the name, and the class is another one")
        }
        Some(Meaning::DeletedWithParent) if record.is_marked_for_deletion() => {
            Some("it is deleted with its parent")
        }
        Some(Meaning::DeletedWithScope) if record.is_marked_for_deletion() => Some("its scope was deleted"),
        Some(_) | None => None,
    }
}
