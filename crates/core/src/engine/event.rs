//! What can have happened to a step.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    blueprint::Outputs,
    ids::StepName,
    steps::{Comparison, Failure, Trace},
    tenant::{Poll, Proven},
};

/// What this worker has found and not yet acted upon. Lost in a crash, and then seen again.
pub type Sight = BTreeMap<StepName, Discrepancy>;

/// What a look has shown that calls for an effect.
#[derive(Debug, Clone, PartialEq)]
pub enum Discrepancy {
    /// What should be there is not, or not as it is to be; with the resource as it was shown, if it was.
    Amiss(Comparison, Option<Value>),
    /// It is shown as wanted, but what shows it may be behind the last write, and so may be that write. Writing what is there
    /// already does no harm.
    MayBeStale(Option<Value>),
    /// What should be gone is there.
    Remains(Trace),
}

/// What a look has shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// Of something that should be there; with the resource as it was shown, if it was.
    Wanted(Comparison, Option<Value>),
    /// Of something that should be gone.
    Unwanted(Trace),
}

/// Something that happened to one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A look was answered.
    Observed(Observation),
    /// The tenant's isolation was looked at.
    Proved(Box<Proven>),
    /// A write or delete is about to go out; what has to be remembered to remove what it makes.
    Began {
        /// The step's target, for writes.
        target: Option<Value>,
    },
    /// It is there and ours although no write of it is on record: what has to be remembered to remove it.
    Found {
        /// The step's target.
        target: Value,
    },
    /// A write or delete was carried out; the resource has to be looked at.
    Written,
    /// A write was carried out, and its answer shows the resource as wanted, with what it tells.
    Answered(Outputs),
    /// The operation can't be asked about at all: how far it is, the resource itself has to tell.
    Unaskable,
    /// Azure works on it.
    Running {
        /// The operation to ask about; `None` keeps the one that is known.
        operation: Option<Poll>,
        /// When the service wants to be asked.
        after: Option<Duration>,
    },
    /// The question about an operation was not answered, which says nothing about the operation.
    Unanswered(Failure),
    /// It did not come about.
    Failed(Failure),
}

/// An event of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEvent<'a> {
    /// The step.
    pub step: &'a StepName,
    /// The turn of the step in which it was asked for; an answer to an earlier turn is refused.
    pub turn: u32,
    /// What has happened.
    pub event: Event,
}

/// Whether an event changed what a crash must not forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    None,
    /// Something that the next look would show again.
    Minor,
    /// Something that must be saved before the next effect.
    Major,
}

/// An event that can't happen in the state that the step is in: a defect of the caller, or an answer to a question of
/// an earlier turn. The document is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step} is {state}: {event} can't happen there")]
pub struct IllegalEvent {
    /// The step.
    pub step: String,
    /// Its state's word.
    pub state: &'static str,
    /// The event's word.
    pub event: &'static str,
}

impl Event {
    /// How long the service that answered wants to be left alone, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Failed(failure) | Self::Unanswered(failure) => failure.retry_after,
            Self::Proved(proven) => proven.retry_after,
            Self::Observed(_)
            | Self::Began { .. }
            | Self::Found { .. }
            | Self::Written
            | Self::Answered(_)
            | Self::Unaskable
            | Self::Running { .. } => None,
        }
    }

    /// The word for errors and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Observed(_) => "seen",
            Self::Proved(_) => "proved",
            Self::Began { .. } => "began",
            Self::Found { .. } => "found",
            Self::Written => "written",
            Self::Answered(_) => "answered",
            Self::Unaskable => "unaskable",
            Self::Running { .. } => "running",
            Self::Unanswered(_) => "unanswered",
            Self::Failed(_) => "failed",
        }
    }
}
