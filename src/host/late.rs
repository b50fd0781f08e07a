//! Delays the answer to a failure that may pass.
//!
//! The host returns a failed message to its queue at once, and the broker delivers it again at once: ten deliveries of
//! a handler that fails quickly take seconds, and a store that is down for a minute would send every message to the
//! dead letters. So the answer is delayed, longer with each delivery, and the work is retried meanwhile. If a retry
//! succeeds the broker sees no failure.
//!
//! With the times below the tenth delivery begins more than a quarter of an hour after the first. With the last retry
//! they stay below the host's `functionTimeout`, and so below the renewal of the message's lock (host.json). Only
//! messages are delayed: an HTTP caller is answered at once, and a timer ticks again.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use super::{Answer, Functions, Invocation, Trigger, functions::Function};
use crate::ports::{Clock as _, SystemClock};

/// The delay of the first delivery's failure; it doubles with each delivery.
pub const FIRST: Duration = Duration::from_secs(5);
/// The longest delay.
pub const LONGEST: Duration = Duration::from_secs(240);
/// The pause before the first retry; it doubles with each retry.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, so that a recovery is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The messages of this function have no other queue to go to: what fails there is delivered again without end.
const LAST_RESORT: Function = Function::DeadLetter;

/// How long the failure of a delivery is delayed at most. A delivery without a count, as by hand, counts as
/// the first.
pub fn longest_delay(function: Function, delivery_count: Option<u32>) -> Duration {
    if function == LAST_RESORT {
        return LONGEST;
    }
    let doublings = delivery_count.unwrap_or(1).saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Calls a function; a message whose outcome could not be saved is retried until it could, until its wait budget is
/// used up, or until the handler is `ending`.
pub(super) async fn call(
    functions: &dyn Functions,
    invocation: Invocation,
    mut ending: watch::Receiver<bool>,
) -> Answer {
    let Trigger::Message(message) = &invocation.trigger else { return functions.call(invocation).await };
    let longest = longest_delay(invocation.function, message.delivery_count);
    let (begun, mut pause) = (Instant::now(), PAUSE);
    loop {
        let answer = functions.call(invocation.clone()).await;
        let Answer::TryAgain { why } = &answer else { return answer };
        let left = longest.saturating_sub(begun.elapsed());
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

/// Delays the answer to a permanent failure: only where the message would otherwise be delivered again at once, without
/// end.
pub(super) async fn hold(function: Function, mut ending: watch::Receiver<bool>) {
    if function == LAST_RESORT {
        wait(LONGEST, &mut ending).await;
    }
}

/// Waits; returns `true` at once when the handler is ending.
async fn wait(span: Duration, ending: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        ended = ending.wait_for(|ending| *ending) => ended.is_ok(),
        () = SystemClock.sleep_until(SystemClock.now() + span) => false,
    }
}
