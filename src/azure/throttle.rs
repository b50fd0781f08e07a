//! Keeps requests within the limits of Azure's control planes, before Azure refuses them.
//!
//! Sources: Microsoft, "Understand how Azure Resource Manager throttles requests" (a token bucket per region,
//! subscription, principal and kind of operation; headers report what is left; a call before `Retry-After` is over
//! restarts the wait), and public reports that private endpoints of one network are changed one at a time.
//!
//! # Guarantees
//! After a refusal for load this process sends nothing of that kind before the requested pause is over. A request that
//! has to wait long is returned as not sent, so that its tenant is requeued.
//!
//! # Caveats
//! Other processes share the same limits and are noticed only through the answers. Azure itself serializes changes to a
//! network; here they are only kept from colliding.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tenantry_core::{
    steps::{Api, Failure, Method, Reply, Request, failure},
    tenant::{Cause, FailureClass, HELD_BACK},
    time::saturating_add,
};

use super::{call::Service, keyed_queues::KeyedQueues, transport::service};
use crate::{ports::Clock, telemetry::metrics};

/// A longer wait is not done in place.
const SHORT: Duration = Duration::from_secs(2);
/// The pause for a service that did not say how long to wait.
const PAUSE: Duration = Duration::from_secs(5);

/// The key of a limit: a service, a subscription there, and a kind of operation.
type Key = (Api, String, Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Read,
    Write,
    Delete,
}

impl Kind {
    fn of(method: Method) -> Self {
        match method {
            Method::Get => Self::Read,
            Method::Put | Method::Patch | Method::Post => Self::Write,
            Method::Delete => Self::Delete,
        }
    }

    /// The header with the number of requests that are left.
    fn header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        }
    }

    /// ARM's bucket: its size, and how many tokens are added each second.
    fn bucket(self) -> (f64, f64) {
        match self {
            Self::Read => (250.0, 25.0),
            Self::Write | Self::Delete => (200.0, 10.0),
        }
    }
}

/// One limit, as far as it is known.
#[derive(Debug)]
struct Limit {
    left: f64,
    at: Timestamp,
    paused_until: Timestamp,
}

/// The limits of one principal.
pub struct Throttle {
    clock: Arc<dyn Clock>,
    limits: Mutex<BTreeMap<Key, Limit>>,
    queues: Mutex<KeyedQueues>,
}

impl Throttle {
    /// A throttle without knowledge of any limit.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, limits: Mutex::default(), queues: Mutex::default() }
    }

    /// Returns when the request may be sent.
    ///
    /// # Errors
    /// A [`Failure`] of class `throttled` when the wait is too long; nothing was sent.
    pub(super) async fn admit(&self, request: &Request) -> Result<(), Failure> {
        let wait = self.wait(request, self.clock.now());
        if wait > SHORT {
            waited(service(request.api), "requeued", wait);
            return Err(requeued("the service asked for a pause", wait));
        }
        if let Some(wait) = lock(&self.queues).enter(request, self.clock.now()) {
            waited(service(request.api), "requeued", wait);
            return Err(requeued("another change to the same network is under way", wait));
        }
        if !wait.is_zero() {
            waited(service(request.api), "inline", wait);
            self.clock.sleep_until(saturating_add(self.clock.now(), wait)).await;
        }
        Ok(())
    }

    /// Takes a token of the bucket; returns how long to wait for it.
    fn wait(&self, request: &Request, now: Timestamp) -> Duration {
        let key = key(request);
        let (most, refill) = key.2.bucket();
        let mut limits = lock(&self.limits);
        let limit =
            limits.entry(key).or_insert(Limit { left: most, at: now, paused_until: Timestamp::UNIX_EPOCH });
        let pause = until(now, limit.paused_until);
        if request.api != Api::Arm || pause > SHORT {
            return pause;
        }
        limit.left = (limit.left + refill * until(limit.at, now).as_secs_f64()).min(most);
        limit.at = now;
        let short_of = (1.0 - limit.left).max(0.0) / refill;
        let wait = pause.max(Duration::from_secs_f64(short_of));
        if wait <= SHORT {
            limit.left -= 1.0;
        }
        wait
    }

    /// Learns about the limits from an answer; `None` if there was none.
    pub(super) fn learn(&self, request: &Request, reply: Option<&Reply>) {
        let now = self.clock.now();
        lock(&self.queues).learn(request, reply, now);
        let Some(reply) = reply else { return };
        let key = key(request);
        let left = reply.header(key.2.header()).and_then(|left| left.trim().parse::<f64>().ok());
        let mut limits = lock(&self.limits);
        let Some(limit) = limits.get_mut(&key) else { return };
        if let Some(left) = left.filter(|left| *left < limit.left) {
            // Other processes use the same bucket.
            limit.left = left;
        }
        if is_about_load(reply) {
            limit.paused_until =
                limit.paused_until.max(saturating_add(now, reply.retry_after().unwrap_or(PAUSE)));
        }
    }
}

/// Records that a request is delayed.
pub(super) fn waited(service: Service, how: &str, wait: Duration) {
    metrics::record(&metrics::THROTTLE_WAIT, wait.as_secs_f64(), || {
        [service.as_str().to_owned(), how.to_owned()]
    });
}

fn key(request: &Request) -> Key {
    let mut parts = request.path.split('/').skip_while(|part| !part.eq_ignore_ascii_case("subscriptions"));
    let subscription = parts.nth(1).unwrap_or_default().to_ascii_lowercase();
    (request.api, subscription, Kind::of(request.method))
}

/// A 429 can also be about one resource's state; then the other requests need not wait.
fn is_about_load(reply: &Reply) -> bool {
    if reply.status != 429 {
        return false;
    }
    let cause = failure::classify(reply).cause;
    cause.class == FailureClass::Throttled && cause.code != "RetryableErrorDueToAnotherOperation"
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    then.duration_since(now).max(SignedDuration::ZERO).unsigned_abs()
}

fn requeued(why: &str, wait: Duration) -> Failure {
    let cause = Cause::ours(FailureClass::Throttled, HELD_BACK, format!("{why}; nothing was sent"));
    Failure { retry_after: Some(wait), ..cause.into() }
}

/// Every change to the guarded value is complete, so a panic elsewhere leaves it consistent.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}
