//! The tenant document: the whole durable state of one tenant.
//!
//! Desired state, plan, step states, lease, open operations and outbox are stored in one entity and saved together by
//! compare-and-swap, so a crash can't separate them. [`Tenant::to_json`] is the stored form.

mod cause;
mod channel;
mod cloud_event;
mod cut;
mod document;
mod drift;
mod history;
mod lease;
mod new;
mod outbox;
mod outbox_entry;
mod pinned;
mod proof;
mod removal;
mod spec;
mod step;
mod step_state;
mod stored;
mod stored_step;
mod unknown_code;
mod unknown_fields;

pub use cause::{Cause, FailureClass, HELD_BACK, RawAnswer};
pub use channel::Channel;
pub use cloud_event::{CloudEvent, EventOrigin, event_of};
pub use cut::AccessCut;
pub use document::{Conclusion, Goal, Operation, PastRequest, Repaired, Status, Tenant};
pub use drift::DriftReported;
pub use history::{HistoryRow, row_of};
pub use lease::Lease;
pub use outbox_entry::{EntryContent, OutboxEntry};
pub use pinned::PinnedPlan;
pub use proof::{IsolationVerdict, Proof, Proven};
pub use removal::{Consent, Ground, Retained};
pub use spec::{Action, Extent, External, Placement, Reason, Spec, Suspension};
pub use step::{Removal, StepRecord};
pub use step_state::{Effort, Poll, PollStyle, StepState, Tried};
pub use stored::{MAX_DOCUMENT_BYTES, TooLarge, UnreadableDocument};
pub use unknown_code::{UnknownCode, UnknownCodes};
pub use unknown_fields::UnknownFields;
