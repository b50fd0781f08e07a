//! Keeps requests within the limits of Azure's control planes, so that Azure need not refuse them.
//!
//! Sources: Microsoft, "Understand how Azure Resource Manager throttles requests" (a token bucket per region,
//! subscription, principal and kind of operation; headers report how many requests are left; a call before
//! `Retry-After` is over restarts the wait), and public reports that private endpoints of one network are changed one
//! at a time.
//!
//! # Guarantees
//! After a refusal for load, this process sends no request under the same limit before the requested pause is over. A
//! request that would have to wait long is returned as not sent, so that its tenant is requeued.
//!
//! # Caveats
//! Other processes share the same limits, and this process learns of them only through the services' answers. Azure
//! itself serializes changes to a network; the queues here only avoid collisions.

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

/// The longest wait within a request. A request that has to wait longer is returned as not sent.
const SHORT: Duration = Duration::from_secs(2);
/// The pause after a refusal for load that has no `Retry-After`.
const PAUSE: Duration = Duration::from_secs(5);

/// The key of a limit: a service, a subscription in its path (empty if there is none), and a kind of operation.
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

    /// The header in which ARM reports how many requests are left.
    fn header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        }
    }

    /// ARM's token bucket for the kind of operation: its size, and how many tokens are added each second.
    fn bucket(self) -> (f64, f64) {
        match self {
            Self::Read => (250.0, 25.0),
            Self::Write | Self::Delete => (200.0, 10.0),
        }
    }
}

/// What is known of one limit.
#[derive(Debug)]
struct Limit {
    left: f64,
    at: Timestamp,
    paused_until: Timestamp,
}

/// What this process knows of the services' limits, for all requests of one transport.
pub struct Throttle {
    clock: Arc<dyn Clock>,
    limits: Mutex<BTreeMap<Key, Limit>>,
    queues: Mutex<KeyedQueues>,
}

impl Throttle {
    /// Creates a throttle that knows of no limit yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, limits: Mutex::default(), queues: Mutex::default() }
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// A [`Failure`] of the class `throttled`, with the wait, if the wait is too long. Nothing was sent.
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

    /// Takes a token from the bucket of a request, and returns how long to wait before it is sent. If that is longer
    /// than [`SHORT`], no token is taken.
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

    /// Updates the limits from the answer to a request; `reply` is `None` if there was no answer.
    pub(super) fn learn(&self, request: &Request, reply: Option<&Reply>) {
        let now = self.clock.now();
        lock(&self.queues).learn(request, reply, now);
        let Some(reply) = reply else { return };
        let key = key(request);
        let left = reply.header(key.2.header()).and_then(|left| left.trim().parse::<f64>().ok());
        let mut limits = lock(&self.limits);
        let Some(limit) = limits.get_mut(&key) else { return };
        if let Some(left) = left.filter(|left| *left < limit.left) {
            // The answer counts the requests of other processes, too.
            limit.left = left;
        }
        if is_about_load(reply) {
            limit.paused_until =
                limit.paused_until.max(saturating_add(now, reply.retry_after().unwrap_or(PAUSE)));
        }
    }
}

/// Records in a metric how long a request is delayed.
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

/// Whether an answer is a refusal for load. A 429 can also be about the state of one resource; then other requests need
/// not wait.
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

/// Locks a mutex, even a poisoned one: every change to the guarded value is complete, so a panic elsewhere leaves it
/// consistent.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}
