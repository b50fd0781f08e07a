//! The answers of a service to an act of the engine, chosen by a number.

use std::time::Duration;

use tenantry_core::{
    blueprint::Outputs,
    engine::{Act, Event, Observation},
    steps::{Comparison, DeletionState, Failure},
    tenant::{Cause, FailureClass, Poll, PollStyle},
};

use crate::testkit::CLASSES;

/// One of the possible answers to an act: `what` chooses it, `deleting` says whether the step is marked for deletion.
pub(crate) fn answer(act: Act, deleting: bool, what: u8) -> Event {
    let after = (what.is_multiple_of(5)).then(|| Duration::from_secs(u64::from(what)));
    let failed = || {
        let cause = Cause::ours(CLASSES[usize::from(what) % CLASSES.len()], "drawn", "");
        Event::Failed(Failure { retry_after: after, ..cause.into() })
    };
    let poll = Poll { url: "https://poll".into(), style: PollStyle::Location, limit: None };
    match (act, deleting, what % 8) {
        (_, _, 7) => failed(),
        (Act::Read, false, 0) => Event::Observed(Observation::Compared(Comparison::Absent, None)),
        (Act::Read, false, 1) => {
            Event::Observed(Observation::Compared(Comparison::Drifted(vec!["/a".into()]), None))
        }
        (Act::Read, false, 2) => Event::Observed(Observation::Compared(Comparison::InProgress, None)),
        (Act::Read, false, 3) => Event::Observed(Observation::Compared(
            Comparison::Failed(Cause::ours(FailureClass::Permanent, "failed", "")),
            None,
        )),
        (Act::Read, false, 4) => Event::Observed(Observation::Compared(
            Comparison::Immutable { fixed: vec!["/a".into()], differences: vec!["/a".into()] },
            None,
        )),
        (Act::Read, false, _) => {
            Event::Observed(Observation::Compared(Comparison::Matches(Outputs::new()), None))
        }
        (Act::Read, true, 0 | 1) => {
            Event::Observed(Observation::Searched(DeletionState::Present(Outputs::new())))
        }
        (Act::Read, true, 2) => {
            Event::Observed(Observation::Searched(DeletionState::SoftDeleted(Outputs::new())))
        }
        (Act::Read, true, 3) => Event::Observed(Observation::Searched(DeletionState::InProgress)),
        (Act::Read, true, _) => Event::Observed(Observation::Searched(DeletionState::Nothing)),
        (Act::Write | Act::Delete, _, 0..3) => Event::Running { operation: Some(poll), after },
        (Act::Write | Act::Delete, _, 3) => Event::Running { operation: None, after },
        (Act::Write | Act::Delete, ..) => Event::Written,
        (Act::Poll, _, 0..2) => Event::Running { operation: None, after },
        (Act::Poll, _, 2..4) => {
            Event::Unanswered(Failure { retry_after: after, ..Failure::nonsense("drawn") })
        }
        (Act::Poll, ..) => Event::Written,
    }
}
