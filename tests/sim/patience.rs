//! I26: what passes by itself ends in no halt, and what nobody can change holds up nothing. What most refusals mean is known
//! from Azure itself, not from their words; a few codes mean one thing wherever they come from.

use tenantry_core::{
    ids::StepName,
    tenant::{Cause, FailureClass, StepRecord, Tenant},
};

use super::{
    azure::{Azure, Meaning, RIDDLES},
    profile::{Plan, Profile},
};

/// How often something has to have come to nothing before a halt is put down to all of that, and not to the last refusal.
const OFTEN: u32 = 4;

/// The steps that have halted since, or for another reason.
pub(crate) fn halts<'a>(
    before: Option<&'a Tenant>,
    after: &'a Tenant,
) -> impl Iterator<Item = (&'a StepName, &'a StepRecord, &'a Cause)> {
    let halted =
        after.steps().iter().filter_map(|(name, record)| Some((name, record, record.state.halted()?)));
    halted.filter(move |(name, _, cause)| {
        let was = before.and_then(|before| before.steps().get(*name));
        was.and_then(|was| was.state.halted()) != Some(*cause)
    })
}

/// Why a step should not have been given up because of this, if it should not.
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
        _ if RIDDLES.iter().any(|(_, code)| *code == cause.code) => Some("that passes within minutes"),
        _ if cause.code == "RetryableErrorDueToAnotherOperation" => Some("that is a line"),
        // Where next to nothing else goes wrong, whoever stands in the line for long gets there.
        _ if plan.profile == Profile::Crowd && seldom => Some("that is a line"),
        _ if cause.code == "operation-stuck" => {
            let target = cause.resource_id.as_deref().unwrap_or_default().to_ascii_lowercase();
            azure.is_quick(&target).then_some("nothing has taken that long while anybody was awake")
        }
        Some(Meaning::Passes) if tries < OFTEN => Some("that passes by itself"),
        Some(Meaning::NameHeld) if cause.class != FailureClass::NameHeld => {
            Some("something deleted holds the name, and nobody says so")
        }
        Some(Meaning::GoesAlong) if record.is_doomed() => Some("it goes with what it is a part of"),
        Some(Meaning::Gone) if record.is_doomed() => Some("what it stood on is gone"),
        Some(_) | None => None,
    }
}
