//! The reconcile logic: decides what to do next. Pure: no I/O, no clock, no randomness, no async.
//!
//! [`decide()`] compares the desired with the recorded and the observed state; [`apply()`] records what happened. The
//! reconciler does the rest: it performs the acts, holds the lease, and saves the document before each write to Azure.
//! Requests change the desired state through [`desired`].

mod about;
mod apply;
mod backoff;
pub mod cut;
mod decide;
pub mod desired;
mod event;
mod generations;
mod outcome;
pub mod proof;
pub mod removal;
mod repair;
mod retries;
mod transitions;
mod waits;

pub use about::resource_id;
pub use apply::apply;
pub use backoff::Policy;
pub use decide::{Act, Decision, decide};
pub use event::{Change, Discrepancies, Discrepancy, Event, IllegalEvent, Observation, StepEvent};
pub use generations::outrun;
pub use outcome::{Outcome, access_cut_ms, begin, common_data, conclude, standing, working};
pub use waits::hold_off;
