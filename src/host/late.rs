//! Delays the answer to a failure that may be temporary.
//!
//! The host returns a failed message to its queue at once, and the broker delivers it again at once. If a handler fails
//! quickly, ten deliveries take seconds, so a store that is down for a minute would send every message to the
//! dead-letter queue. Therefore the answer is delayed, longer with each delivery, and the work is retried in the
//! meantime. If a retry succeeds, the broker sees no failure.
//!
//! With the constants below, the tenth delivery begins more than a quarter of an hour after the first. The longest
//! delay and a last retry together stay below the host's `functionTimeout`, and so below the renewal of the message's
//! lock (`host.json`). Only messages are delayed: an HTTP caller is answered at once, and a timer runs again at its
//! next time.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use super::{Answer, Functions, Invocation, Trigger, functions::Function};
use crate::ports::{Clock as _, SystemClock};

/// How long a failure of the first delivery is delayed; the delay doubles with each delivery.
pub const FIRST: Duration = Duration::from_secs(5);
/// The longest delay of the answer to a failed delivery.
pub const LONGEST: Duration = Duration::from_secs(240);
/// The pause before the first retry; it doubles with each retry.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between retries, so that a recovered store is used soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The function that reads the dead-letter queue. A message that fails there can't be moved to another queue, so it is
/// delivered again without end.
const LAST_RESORT: Function = Function::DeadLetter;

/// How long the answer to a failed delivery is delayed at most. A message without a delivery count (invoked by hand) is
/// treated as a first delivery.
pub fn longest_delay(function: Function, delivery_count: Option<u32>) -> Duration {
    if function == LAST_RESORT {
        return LONGEST;
    }
    let doublings = delivery_count.unwrap_or(1).saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

/// Calls a function. A message whose outcome could not be saved is retried until it is saved, until the delay for its
/// delivery is used up, or until the handler is `ending`.
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

/// Delays the answer to a permanent failure, but only for dead letters, which would otherwise be delivered again at
/// once and without end.
pub(super) async fn hold(function: Function, mut ending: watch::Receiver<bool>) {
    if function == LAST_RESORT {
        wait(LONGEST, &mut ending).await;
    }
}

/// Waits for a time span. Returns `true` at once when the handler is ending.
async fn wait(span: Duration, ending: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        ended = ending.wait_for(|ending| *ending) => ended.is_ok(),
        () = SystemClock.sleep_until(SystemClock.now() + span) => false,
    }
}
