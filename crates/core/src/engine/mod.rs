//! Decides what to do next. Pure: no I/O, no clock, no randomness, no async; same arguments, same answer.
//!
//! [`decide()`] compares what is wanted with what is recorded and seen; [`apply()`] takes in what happened. The reconciler
//! owns the rest: it performs the acts, keeps the lease, saves the document before anything is written in Azure.
//! Requests change the wish through [`wish`]; the loop is the same for all of them.

mod about;
mod apply;
mod backoff;
pub mod cut;
mod decide;
mod event;
mod outcome;
mod patience;
pub mod proof;
pub mod removal;
mod repair;
mod transitions;
mod turns;
mod waits;
pub mod wish;

pub use about::resource_id;
pub use apply::apply;
pub use backoff::Policy;
pub use decide::{Act, Decision, decide};
pub use event::{Change, Discrepancy, Event, IllegalEvent, Observation, Sight, StepEvent};
pub use outcome::{Outcome, access_cut_ms, begin, common_data, conclude, standing, working};
pub use turns::outrun;
pub use waits::hold_off;
