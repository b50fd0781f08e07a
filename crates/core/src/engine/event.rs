//! Events: what can happen to a step.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    blueprint::Outputs,
    ids::StepName,
    steps::{Comparison, DeletionState, Failure},
    tenant::{Poll, Proven},
};

/// The discrepancies that this worker has found and not yet acted upon, by step. They exist only in memory: after a
/// crash the objects are read again.
pub type Discrepancies = BTreeMap<StepName, Discrepancy>;

/// A comparison that calls for a write or a delete.
#[derive(Debug, Clone, PartialEq)]
pub enum Discrepancy {
    /// A desired object is missing or differs. With the resource as the read showed it, if it showed one.
    Amiss(Comparison, Option<Value>),
    /// The object matches, but the read may show the state before the last write, and that write may be outdated too.
    /// Writing an object again that already matches does no harm.
    MayBeStale(Option<Value>),
    /// An object that should be deleted still exists.
    StillThere(DeletionState),
}

/// What a read has shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The comparison of an object that should exist. With the resource as the read showed it, if it showed one.
    Compared(Comparison, Option<Value>),
    /// The deletion state of an object that should not exist.
    Searched(DeletionState),
}

/// Something that happened to one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A read was answered.
    Observed(Observation),
    /// The tenant's isolation was checked.
    Proved(Box<Proven>),
    /// A write or delete is about to be sent.
    Began {
        /// For writes, the step's target: what is needed later to find and delete the object. `None` for deletes.
        target: Option<Value>,
    },
    /// The object exists and is ours although no write of it is recorded.
    Found {
        /// The step's target: what is needed later to find and delete the object.
        target: Value,
    },
    /// Azure carried out a write or delete; the resource has to be read.
    Written,
    /// Azure carried out a write, and its answer shows a matching resource with these outputs.
    Answered(Outputs),
    /// The operation can't be polled; its progress shows only in the resource.
    Unaskable,
    /// Azure is still working on a write or delete.
    Running {
        /// The operation to poll; `None` keeps the one that is recorded.
        operation: Option<Poll>,
        /// The service's `Retry-After`.
        after: Option<Duration>,
    },
    /// A poll failed, which says nothing about the operation.
    Unanswered(Failure),
    /// The request or the operation failed.
    Failed(Failure),
}

/// An event of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEvent<'a> {
    /// The name of the step.
    pub step: &'a StepName,
    /// The step generation in which the request was made; an answer to an earlier generation is refused.
    pub generation: u32,
    /// What happened to the step.
    pub event: Event,
}

/// Whether an event changed something that has to be saved, so that it survives a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing has to be saved.
    None,
    /// Something that the next read would show again.
    Minor,
    /// Something that must be saved before the next write, delete or poll.
    Major,
}

/// The event can't happen in the step's state: a defect of the caller, or an answer to a request of an earlier step
/// generation. The document is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step} is {state}: {event} can't happen there")]
pub struct IllegalEvent {
    /// The name of the step.
    pub step: String,
    /// The name of the step's state; `unknown` if the tenant has no such step.
    pub state: &'static str,
    /// The name of the event.
    pub event: &'static str,
}

impl Event {
    /// The `Retry-After` that a failure or an isolation check has, if any; `None` for all other events.
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

    /// The event's name in errors and logs.
    pub fn as_str(&self) -> &'static str {
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
