//! The stored layout of a step's record. Later versions must always be able to read it; the types that the program
//! works with may change.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cause, Consent, Effort, Ground, Poll, Removal, StepRecord, StepState, Tried};
use crate::{
    blueprint::{Kind, Outputs},
    ids::StepName,
};

/// A [`StepRecord`] as it is stored: the fields of the effort and of the removal are members of the record itself.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StoredStep {
    state: StoredState,
    kind: Kind,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    needs: BTreeSet<StepName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Value>,
    #[serde(default, skip_serializing_if = "Outputs::is_empty")]
    outputs: Outputs,
    digest: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleting: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ground: Option<Ground>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    in_use: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent: Option<Consent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_to: Option<StepName>,
    #[serde(default)]
    generation: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrote_at: Option<Timestamp>,
    #[serde(default)]
    attempts: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    written: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    found: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    recreated: u32,
    #[serde(default)]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    unknown: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tried: Option<Tried>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
enum StoredState {
    Waiting,
    Writing,
    #[serde(rename_all = "camelCase")]
    InProgress {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<Poll>,
        check_at: Timestamp,
    },
    Backoff {
        until: Timestamp,
        cause: Cause,
    },
    Ready,
    Blocked {
        cause: Cause,
    },
    Deleted,
}

impl StoredState {
    fn parted(state: StepState) -> (Self, Effort) {
        match state {
            StepState::Waiting(effort) => (Self::Waiting, effort),
            StepState::Writing(effort) => (Self::Writing, effort),
            StepState::InProgress { effort, operation, check_at } => {
                (Self::InProgress { operation, check_at }, effort)
            }
            StepState::Backoff { effort, until, cause } => (Self::Backoff { until, cause }, effort),
            StepState::Ready(effort) => (Self::Ready, effort),
            StepState::Blocked { effort, cause } => (Self::Blocked { cause }, effort),
            StepState::Deleted(effort) => (Self::Deleted, effort),
        }
    }

    fn with(self, effort: Effort) -> StepState {
        match self {
            Self::Waiting => StepState::Waiting(effort),
            Self::Writing => StepState::Writing(effort),
            Self::InProgress { operation, check_at } => StepState::InProgress { effort, operation, check_at },
            Self::Backoff { until, cause } => StepState::Backoff { effort, until, cause },
            Self::Ready => StepState::Ready(effort),
            Self::Blocked { cause } => StepState::Blocked { effort, cause },
            Self::Deleted => StepState::Deleted(effort),
        }
    }
}

impl From<StoredStep> for StepRecord {
    /// Ignores `ground` and `left_to` of a step that is not marked for deletion; no version has written them for such a
    /// step.
    fn from(stored: StoredStep) -> Self {
        let effort = Effort {
            since: stored.since,
            attempts: stored.attempts,
            written: stored.written,
            found: stored.found,
            failures: stored.failures,
            unknown: stored.unknown,
            tried: stored.tried,
        };
        let removal = Removal { ground: stored.ground, left_to: stored.left_to };
        Self {
            state: stored.state.with(effort),
            kind: stored.kind,
            needs: stored.needs,
            target: stored.target,
            outputs: stored.outputs,
            digest: stored.digest,
            removal: stored.deleting.then_some(removal),
            in_use: stored.in_use,
            consent: stored.consent,
            generation: stored.generation,
            wrote_at: stored.wrote_at,
            recreated: stored.recreated,
            not_before: stored.not_before,
        }
    }
}

impl From<StepRecord> for StoredStep {
    fn from(record: StepRecord) -> Self {
        let (state, effort) = StoredState::parted(record.state);
        let deleting = record.removal.is_some();
        let Removal { ground, left_to } = record.removal.unwrap_or_default();
        Self {
            state,
            kind: record.kind,
            needs: record.needs,
            target: record.target,
            outputs: record.outputs,
            digest: record.digest,
            deleting,
            ground,
            in_use: record.in_use,
            consent: record.consent,
            left_to,
            generation: record.generation,
            wrote_at: record.wrote_at,
            attempts: effort.attempts,
            written: effort.written,
            found: effort.found,
            recreated: record.recreated,
            failures: effort.failures,
            unknown: effort.unknown,
            not_before: record.not_before,
            since: effort.since,
            tried: effort.tried,
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
