//! A failure that may pass is told late.
//!
//! The host gives a failed message back to its queue at once, and the broker hands it out again at once: ten deliveries
//! of a handler that fails quickly are over in seconds, and a store that was away for a minute has sent every message to
//! the dead letters. So the answer is kept back, for longer with each delivery, and the work is tried again meanwhile:
//! what has passed by then was no failure, and the broker never hears of it.
//!
//! The times below make the tenth delivery begin more than a quarter of an hour after the first. They stay below the
//! host's `functionTimeout` with all that the last try may take, and so below the renewal of the message's lock
//! (host.json). Only messages wait: an HTTP caller is told at once, and a timer ticks again by itself.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use super::{Answer, Functions, Invocation, Trigger, functions::Function};
use crate::ports::{Clock as _, SystemClock};

/// How long the first delivery's failure is kept back; each further one's twice as long.
pub const FIRST: Duration = Duration::from_secs(5);
/// How long a failure is kept back at most.
pub const LONGEST: Duration = Duration::from_secs(240);
/// How long is waited before the work is tried again; each time twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// How long at most, so that what is well again is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Its messages have no other queue to go to: what fails there comes again for ever.
const LAST_RESORT: Function = Function::DeadLetter;

/// How long a failure of a delivery is kept back. A delivery without a number, as by hand, counts as the first.
pub fn patience(function: Function, delivery_count: Option<u32>) -> Duration {
    if function == LAST_RESORT {
        return LONGEST;
    }
    let doublings = delivery_count.unwrap_or(1).saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Calls a function; a message whose outcome could not be saved is tried again until it could, until its patience is at
/// its end, or until the handler is `ending`.
pub(super) async fn call(
    functions: &dyn Functions,
    invocation: Invocation,
    mut ending: watch::Receiver<bool>,
) -> Answer {
    let Trigger::Message(message) = &invocation.trigger else { return functions.call(invocation).await };
    let patience = patience(invocation.function, message.delivery_count);
    let (begun, mut pause) = (Instant::now(), PAUSE);
    loop {
        let answer = functions.call(invocation.clone()).await;
        let Answer::TryAgain { why } = &answer else { return answer };
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return answer;
        }
        tracing::debug!(
            function.name = invocation.function.name(),
            invocation.id = invocation.id,
            why,
            "not saved yet"
        );
        if wait(pause.min(left), &mut ending).await {
            return answer;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits with the answer to a failure that trying again does not mend: only where nothing else would keep the message
/// from coming again at once, for ever.
pub(super) async fn hold(function: Function, mut ending: watch::Receiver<bool>) {
    if function == LAST_RESORT {
        wait(LONGEST, &mut ending).await;
    }
}

/// Waits; `true` at once when the handler is ending.
async fn wait(span: Duration, ending: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        ended = ending.wait_for(|ending| *ending) => ended.is_ok(),
        () = SystemClock.sleep_until(SystemClock.now() + span) => false,
    }
}
