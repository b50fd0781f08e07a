//! Repeats reads and calls that were not answered.
//!
//! An isolation check makes dozens of them, and a single one without an answer makes it inconclusive. With one answer
//! in ten lost, hardly any check would be conclusive if each were tried once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tenantry_core::{
    isolation::ProbeTarget,
    steps::{Failure, Method, Reply, Request, failure::classify},
    tenant::FailureClass,
    time::saturating_add,
};

use crate::ports::{Clock, Credential, NoToken, Ports, ProbeToken, Prober, Scored, TokenFor, Transport};

/// How often a read is tried.
const TRIES: u32 = 4;
/// How often a call to a tenant's service is tried. A call that waits may cost ten seconds.
const CALLS: u32 = 3;
/// The wait before the second try; each further wait is four times as long.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait: if a service asks for a longer one, the request is not repeated.
const LONGEST: Duration = Duration::from_secs(10);

/// A transport for reading that retries within a budget.
pub(super) struct ScanBudget<'a> {
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    put_off: AtomicU64,
}

impl<'a> ScanBudget<'a> {
    pub(super) fn new(ports: &'a Ports) -> Self {
        Self { transport: ports.transport.as_ref(), clock: ports.clock.as_ref(), put_off: AtomicU64::new(0) }
    }

    /// The longest wait that a service asked for when its retries ended, if any did.
    pub(super) fn put_off(&self) -> Option<Duration> {
        let seconds = self.put_off.load(Ordering::Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let (mut wait, mut tries) = (FIRST, 0);
        loop {
            let answer = self.transport.send(request.clone()).await;
            let Some(asked_for) = unanswered(&request, &answer) else { return answer };
            let pause = asked_for.unwrap_or(wait);
            tries += 1;
            if tries == TRIES || pause > LONGEST {
                // A fraction of a second is rounded up.
                let whole = |asked: Duration| asked.as_secs() + u64::from(asked.subsec_nanos() > 0);
                let seconds = asked_for.map_or(0, whole);
                self.put_off.fetch_max(seconds, Ordering::Relaxed);
                return answer;
            }
            self.clock.sleep_until(saturating_add(self.clock.now(), pause)).await;
            wait *= 4;
        }
    }
}

/// Whether a retry may help: `None` if not, otherwise the wait that the service asks for, if any.
fn unanswered(request: &Request, answer: &Result<Reply, Failure>) -> Option<Option<Duration>> {
    if request.method != Method::Get {
        return None;
    }
    let failure = match answer {
        Ok(reply) if reply.is_success() || reply.status == 404 => return None,
        Ok(reply) => &classify(reply),
        Err(failure) => failure,
    };
    match failure.cause.class {
        FailureClass::Transient | FailureClass::Ambiguous | FailureClass::Throttled => {
            Some(failure.retry_after)
        }
        FailureClass::ReplicationLag
        | FailureClass::Wait
        | FailureClass::NeedsProvider
        | FailureClass::NameHeld
        | FailureClass::Foreign
        | FailureClass::Quota
        | FailureClass::Denied
        | FailureClass::Unknown
        | FailureClass::NeedsConsent
        | FailureClass::Permanent => None,
    }
}

/// A prober that repeats calls without an answer, and calls that the service's front end answered (429 or 5xx).
pub(super) struct RetryingProber<'a> {
    prober: &'a dyn Prober,
    clock: &'a dyn Clock,
}

impl<'a> RetryingProber<'a> {
    pub(super) fn new(prober: &'a dyn Prober, clock: &'a dyn Clock) -> Self {
        Self { prober, clock }
    }

    /// Repeats a call until its answer is acceptable, a few times at most.
    async fn until<T, E, F>(&self, will_do: fn(&Result<T, E>) -> bool, ask: impl Fn() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut wait = FIRST;
        for _ in 1..CALLS {
            let answer = ask().await;
            if will_do(&answer) {
                return answer;
            }
            self.clock.sleep_until(saturating_add(self.clock.now(), wait)).await;
            wait *= 4;
        }
        ask().await
    }
}

impl Prober for RetryingProber<'_> {
    fn location(&self) -> &str {
        self.prober.location()
    }

    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>> {
        let will_do = |answer: &Result<ProbeToken, NoToken>| !matches!(answer, Err(NoToken::Other(_)));
        Box::pin(self.until(will_do, move || self.prober.token(of, is_for)))
    }

    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>> {
        let will_do = |answer: &Result<Scored, String>| {
            answer.as_ref().is_ok_and(|scored| scored.status != 429 && scored.status < 500)
        };
        Box::pin(self.until(will_do, move || self.prober.call(target, with)))
    }
}

impl Transport for ScanBudget<'_> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(self.ask(request))
    }
}
