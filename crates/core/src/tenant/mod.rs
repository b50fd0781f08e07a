//! The one document that holds all that is durably known of a tenant.
//!
//! Wish, plan, step states, lease, open operations and pending notices stand in one entity and are saved together by
//! compare-and-swap: what belongs together can't come apart in a crash. [`Tenant::to_json`] is its form in a store.

mod cause;
mod channel;
mod cloud_event;
mod cut;
mod document;
mod drift;
mod history;
mod later;
mod lease;
mod new;
mod notice;
mod outbox;
mod pinned;
mod proof;
mod removal;
mod spec;
mod step;
mod step_state;
mod stored;
mod stored_step;
mod unknown_code;

pub use cause::{Cause, FailureClass, HELD_BACK, RawAnswer};
pub use channel::Channel;
pub use cloud_event::{CloudEvent, Teller, event_of};
pub use cut::AccessCut;
pub use document::{Conclusion, Goal, Operation, PastRequest, Repaired, Status, Tenant};
pub use drift::DriftTold;
pub use history::{HistoryRow, row_of};
pub use later::Later;
pub use lease::Lease;
pub use notice::{Notice, Story};
pub use pinned::PinnedPlan;
pub use proof::{IsolationVerdict, Proof, Proven};
pub use removal::{Consent, Ground, Retained};
pub use spec::{Action, Extent, External, Placement, Reason, Spec, Suspension};
pub use step::{Removal, StepRecord};
pub use step_state::{Effort, Poll, PollStyle, StepState, Tried};
pub use stored::{MAX_DOCUMENT_BYTES, TooLarge, UnreadableDocument};
pub use unknown_code::{UnknownCode, UnknownCodes};
