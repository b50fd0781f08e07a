//! What a service can answer, drawn by a number.

use std::time::Duration;

use tenantry_core::{
    blueprint::Outputs,
    engine::{Act, Event, Observation},
    steps::{Comparison, Failure, Trace},
    tenant::{Cause, FailureClass, Poll, PollStyle},
};

use crate::testkit::CLASSES;

/// One of the answers that an act can get.
pub(crate) fn answer(act: Act, doomed: bool, what: u8) -> Event {
    let after = (what.is_multiple_of(5)).then(|| Duration::from_secs(u64::from(what)));
    let failed = || {
        let cause = Cause::ours(CLASSES[usize::from(what) % CLASSES.len()], "drawn", "");
        Event::Failed(Failure { retry_after: after, ..cause.into() })
    };
    let poll = Poll { url: "https://poll".into(), style: PollStyle::Location, limit: None };
    match (act, doomed, what % 8) {
        (_, _, 7) => failed(),
        (Act::Look, false, 0) => Event::Observed(Observation::Wanted(Comparison::Absent, None)),
        (Act::Look, false, 1) => {
            Event::Observed(Observation::Wanted(Comparison::Differs(vec!["/a".into()]), None))
        }
        (Act::Look, false, 2) => Event::Observed(Observation::Wanted(Comparison::Settling, None)),
        (Act::Look, false, 3) => Event::Observed(Observation::Wanted(
            Comparison::Broken(Cause::ours(FailureClass::Permanent, "broken", "")),
            None,
        )),
        (Act::Look, false, 4) => {
            Event::Observed(Observation::Wanted(Comparison::Immutable(vec!["/a".into()]), None))
        }
        (Act::Look, false, _) => {
            Event::Observed(Observation::Wanted(Comparison::Matches(Outputs::new()), None))
        }
        (Act::Look, true, 0 | 1) => Event::Observed(Observation::Unwanted(Trace::Present(Outputs::new()))),
        (Act::Look, true, 2) => Event::Observed(Observation::Unwanted(Trace::Lingering(Outputs::new()))),
        (Act::Look, true, 3) => Event::Observed(Observation::Unwanted(Trace::Settling)),
        (Act::Look, true, _) => Event::Observed(Observation::Unwanted(Trace::Nothing)),
        (Act::Write | Act::Erase, _, 0..3) => Event::Running { operation: Some(poll), after },
        (Act::Write | Act::Erase, _, 3) => Event::Running { operation: None, after },
        (Act::Write | Act::Erase, ..) => Event::Written,
        (Act::Poll, _, 0..2) => Event::Running { operation: None, after },
        (Act::Poll, _, 2..4) => {
            Event::Unanswered(Failure { retry_after: after, ..Failure::nonsense("drawn") })
        }
        (Act::Poll, ..) => Event::Written,
    }
}
