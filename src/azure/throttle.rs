//! Keeps to the limits of Azure's control planes before Azure has to say so.
//!
//! Sources: Microsoft, "Understand how Azure Resource Manager throttles requests" (a token bucket per region,
//! subscription, principal and kind of operation; the headers tell what is left; a call before `Retry-After` is over
//! begins the wait anew), and public reports that private endpoints of one network are changed one at a time.
//!
//! # Guarantees
//! After a refusal for load nothing of that kind goes out before the service wants to be asked, from this process.
//! A request that has to wait for long is handed back as not sent, to be parked, rather than kept waiting.
//!
//! # Caveats
//! Other processes share the same limits and are seen only by what the answers say. Azure itself keeps the order of
//! changes to a network; here they are only held back from colliding.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tenantry_core::{
    steps::{Api, Failure, Method, Reply, Request, failure},
    tenant::{Cause, FailureClass, HELD_BACK},
    time::later,
};

use super::{call::Service, lanes::Lanes, wire::service};
use crate::{ports::Clock, telemetry::metrics};

/// Waiting longer than this is not done in place.
const SHORT: Duration = Duration::from_secs(2);
/// How long to leave a service in peace that did not say for how long.
const PAUSE: Duration = Duration::from_secs(5);

/// What shares one limit: a service, a subscription there, and a kind of operation.
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

    /// The header that tells how many are left.
    fn header(self) -> &'static str {
        match self {
            Self::Read => "x-ms-ratelimit-remaining-subscription-reads",
            Self::Write => "x-ms-ratelimit-remaining-subscription-writes",
            Self::Delete => "x-ms-ratelimit-remaining-subscription-deletes",
        }
    }

    /// ARM's bucket: how many at once, and how many more each second.
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
    lanes: Mutex<Lanes>,
}

impl Throttle {
    /// Nothing is known yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, limits: Mutex::default(), lanes: Mutex::default() }
    }

    /// Returns when the request may go out.
    ///
    /// # Errors
    /// A [`Failure`] of class `throttled` when it should come again later; nothing was sent.
    pub(super) async fn admit(&self, request: &Request) -> Result<(), Failure> {
        let wait = self.wait(request, self.clock.now());
        if wait > SHORT {
            waited(service(request.api), "parked", wait);
            return Err(come_again("the service asked for a pause", wait));
        }
        if let Some(wait) = lock(&self.lanes).enter(request, self.clock.now()) {
            waited(service(request.api), "parked", wait);
            return Err(come_again("another change to the same network is under way", wait));
        }
        if !wait.is_zero() {
            waited(service(request.api), "in-place", wait);
            self.clock.sleep_until(later(self.clock.now(), wait)).await;
        }
        Ok(())
    }

    /// Takes a place in the bucket; how long it has to be waited for.
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

    /// Takes in what an answer says about the limits; `None` where there was no answer.
    pub(super) fn learn(&self, request: &Request, reply: Option<&Reply>) {
        let now = self.clock.now();
        lock(&self.lanes).learn(request, reply, now);
        let Some(reply) = reply else { return };
        let key = key(request);
        let left = reply.header(key.2.header()).and_then(|left| left.trim().parse::<f64>().ok());
        let mut limits = lock(&self.limits);
        let Some(limit) = limits.get_mut(&key) else { return };
        if let Some(left) = left.filter(|left| *left < limit.left) {
            // Others draw from the same bucket.
            limit.left = left;
        }
        if is_about_load(reply) {
            limit.paused_until = limit.paused_until.max(later(now, reply.retry_after().unwrap_or(PAUSE)));
        }
    }
}

/// Takes down that a request is held back.
pub(super) fn waited(service: Service, how: &str, wait: Duration) {
    metrics::record(&metrics::THROTTLE_WAIT, wait.as_secs_f64(), || {
        [service.word().to_owned(), how.to_owned()]
    });
}

fn key(request: &Request) -> Key {
    let mut parts = request.path.split('/').skip_while(|part| !part.eq_ignore_ascii_case("subscriptions"));
    let subscription = parts.nth(1).unwrap_or_default().to_ascii_lowercase();
    (request.api, subscription, Kind::of(request.method))
}

/// A 429 can also speak of one resource's state; then the others need not wait.
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

fn come_again(why: &str, wait: Duration) -> Failure {
    let cause = Cause::ours(FailureClass::Throttled, HELD_BACK, format!("{why}; nothing was sent"));
    Failure { retry_after: Some(wait), ..cause.into() }
}

/// Every change to what is guarded is whole, so a panic elsewhere spoils nothing.
fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}
